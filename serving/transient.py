"""Which failures can get better by themselves: a store or an API does not answer for a while."""

from collections.abc import Iterator

from invopt.errors import InvalidInputError

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
# They are of the kinds above, and stay so until somebody mends them.
_REFUSED = {"SSLError", "AuthenticationError", "LocationParseError"}
_REFUSALS = ("authentication failed", "does not exist", "no such ", "Access denied")


def is_passing(err: BaseException) -> bool:
    """Return whether an error, or what it came from, is one that waiting may mend.

    What a caller handed in (InvalidInputError) is only where a lost connection is its cause.
    """
    return any(_is_lost(each) for each in _chain(err))


def _chain(err: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while err is not None and id(err) not in seen:
        seen.add(id(err))
        yield err
        # Some libraries raise anew without saying from what; we always do.
        hidden = isinstance(err, InvalidInputError) or err.__suppress_context__
        err = err.__cause__ or (None if hidden else err.__context__)


def _is_lost(err: BaseException) -> bool:
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(err).__mro__}
    if {name for _, name in kinds} & _REFUSED or any(word in str(err) for word in _REFUSALS):
        return False
    if ("urllib", "HTTPError") in kinds:
        return getattr(err, "code", None) in STATUS
    if "ApiException" in {name for _, name in kinds}:
        return getattr(err, "status", None) in STATUS
    lost = isinstance(err, (ConnectionError, TimeoutError)) or ("urllib", "URLError") in kinds
    return lost or bool(kinds & _LOST)
