"""Lines of a step's output that `invopt` shows; everything else a step prints is for its log."""

MARK = "@invopt "
FAILED = "@invopt-failed "


def tell(text: str) -> None:
    """Print one line of progress."""
    print(f"{MARK}{text}", flush=True)  # noqa: T201  (the only channel out of a step)


def tell_failure(text: str) -> None:
    """Print why a step failed, as one line."""
    print(f"{FAILED}{' '.join(text.split())}", flush=True)  # noqa: T201
