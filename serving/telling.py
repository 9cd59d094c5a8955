"""Lines of progress that `invopt run` shows; everything else a step prints goes to the log."""

MARK = "@invopt "


def tell(text: str) -> None:
    """Print one line of progress."""
    print(f"{MARK}{text}", flush=True)  # noqa: T201  (the only channel out of a step)
