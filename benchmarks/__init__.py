"""One module per public record or peer, each a command that prints a table."""

import os

from serving.machine import available_processors, limit_threads

# Before torch or LightGBM is loaded, which read it once.
limit_threads(os.environ, available_processors())
