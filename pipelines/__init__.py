"""Composition of steps into pipelines, and the command that runs them."""
