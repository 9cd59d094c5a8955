"""Which failures can get better by themselves: a store or an API does not answer for a while."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from invopt.errors import InvalidInputError
from invopt.types import Notify

# What a server answers that may answer rightly in a while.
STATUS = (429, 500, 502, 503, 504)
# Package and class, so that no step imports libraries for the sake of their errors.
_LOST = {
    ("urllib3", "HTTPError"),
    ("requests", "ConnectionError"),
    ("requests", "Timeout"),
    ("redis", "ConnectionError"),
    ("redis", "TimeoutError"),
    ("sqlalchemy", "OperationalError"),
    ("psycopg", "OperationalError"),
    ("psycopg2", "OperationalError"),
    ("botocore", "ConnectionError"),
    ("botocore", "HTTPClientError"),
}
_LONGEST_WAIT_SECONDS = 30.0
T = TypeVar("T")
# They are of the kinds above, and stay so until somebody repairs them.
_REFUSED = {"SSLError", "AuthenticationError", "LocationParseError"}
_REFUSALS = ("authentication failed", "does not exist", "no such ", "Access denied")


def is_passing(err: BaseException) -> bool:
    """Return whether an error, or what it came from, is one that waiting may cure.

    What a caller handed in (InvalidInputError) is only where a lost connection is its cause.
    """
    return any(_is_lost(each) for each in _chain(err))


def patiently(
    call: Callable[[], T],
    what: str,
    tell: Notify,
    seconds: float = 600.0,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Return what a call returns, made again while its failure may pass.

    Args:
        call: Needs a store.
        what: The store, in words.
        tell: Told each failure in a sentence.
        seconds: Longest wait in all; the pauses are 1, 2, 4, … and at most 30 s.
        sleep: Waits seconds.

    Raises:
        InvalidInputError: If the store does not answer by then, or refuses.
    """
    pause, left = 1.0, seconds
    while True:
        try:
            return call()
        except Exception as err:
            if not any(_kinds(each) & _LOST for each in _chain(err)):
                raise
            why = f"{type(err).__name__}: {str(err).strip().partition(chr(10))[0]}"
            if not is_passing(err) or left <= 0:
                raise InvalidInputError(
                    f"{what} cannot be used: {why}. Look whether it runs and lets this process in."
                ) from err
            pause = min(pause, left)
            tell(f"{what} does not answer ({why}); again in {pause:.0f} s.")
            sleep(pause)
            left, pause = left - pause, min(2 * pause, _LONGEST_WAIT_SECONDS)


def _kinds(err: BaseException) -> set[tuple[str, str]]:
    return {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(err).__mro__}


def _chain(err: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while err is not None and id(err) not in seen:
        seen.add(id(err))
        yield err
        # Some libraries raise anew without saying from what; we always do.
        hidden = isinstance(err, InvalidInputError) or err.__suppress_context__
        err = err.__cause__ or (None if hidden else err.__context__)


def _is_lost(err: BaseException) -> bool:
    kinds = _kinds(err)
    if {name for _, name in kinds} & _REFUSED or any(word in str(err) for word in _REFUSALS):
        return False
    if ("urllib", "HTTPError") in kinds:
        return getattr(err, "code", None) in STATUS
    if "ApiException" in {name for _, name in kinds}:
        return getattr(err, "status", None) in STATUS
    lost = isinstance(err, (ConnectionError, TimeoutError)) or ("urllib", "URLError") in kinds
    return lost or bool(kinds & _LOST)
