"""answers.py URL: exit status 0 if it answers within five seconds, 1 if not."""

import sys
import urllib.request

try:
    with urllib.request.urlopen(sys.argv[1], timeout=5):  # noqa: S310
        pass
except OSError:
    sys.exit(1)
