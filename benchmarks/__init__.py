"""One module per public record or peer, each a command that prints a table."""

from serving.libraries import limit_threads
from serving.machine import available_processors

# Before torch or LightGBM is loaded, which read it once.
limit_threads(available_processors())
