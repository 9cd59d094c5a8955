"""The image every step runs in, and the decorator that makes a step."""

import functools
import os

from kfp import dsl

# Set where pipelines are compiled for a cluster; tag it with the commit, never `latest`.
IMAGE = os.environ.get("INVOPT_IMAGE", "invopt-python:dev")

# Nothing is installed when a step starts: the image holds invopt and kfp.
component = functools.partial(dsl.component, base_image=IMAGE, install_kfp_package=False)
