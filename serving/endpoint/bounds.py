"""What a body may hold at most, counted in its bytes before anything of it becomes an object.

A few bytes of JSON are a whole object in Python: a body that is small enough may still hold so many
tensors, keys or numbers that reading it keeps everybody else waiting.
"""

from serving.api.contract import MAX_INSTANCES, ErrorCode
from serving.api.failures import RequestFailedError

# A request of as many instances as are allowed, each with everything an instance may have, is well
# inside; `{`, `:` and `,` in names or texts count as well.
_MOST = {b"{": 10 * MAX_INSTANCES, b":": 30 * MAX_INSTANCES, b",": 500 * MAX_INSTANCES}
_WHAT = {b"{": "objects", b":": "keys", b",": "values"}
# Every tensor of the protocol has one of these; in the text of an instance they are escaped.
_TENSOR, MAX_TENSORS = b'"datatype"', 64


# Digits of a length that fits any body; what is longer is no length, and slow to read as a number.
_MAX_DIGITS = 18
_LENGTH = 4  # bytes before each text of a binary tensor


def check_bounds(body: bytes, json_length: bytes = b"") -> None:
    """Raise RequestFailedError where the JSON of a body holds more than any request needs.

    Args:
        body: JSON, and bytes of tensors after it.
        json_length: Bytes of the JSON, as the request tells them; b"" where all of it is JSON.
    """
    if json_length.isdigit() and len(json_length) <= _MAX_DIGITS:
        body = body[: int(json_length)]
    for mark, most in _MOST.items():
        # What is shorter cannot hold so many.
        if len(body) > most and (found := body.count(mark)) > most:
            raise _too_many(found, _WHAT[mark], most)
    found = body.count(_TENSOR)
    if found > MAX_TENSORS:
        raise _too_many(found, "tensors", MAX_TENSORS)


def length_of(text: str) -> int | None:
    """Return a length that a header tells in digits, None where it is none."""
    is_length = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if is_length else None


def holds_more_texts(raw: bytes, most: int) -> bool:
    """Return whether the bytes of a tensor of texts hold more than so many of them.

    Bytes that are cut off hold what comes before the cut.
    """
    at = 0
    for _ in range(most):
        if at >= len(raw):
            return False
        at += _LENGTH + int.from_bytes(raw[at : at + _LENGTH], "little")
    return at < len(raw)


def _too_many(found: int, what: str, most: int) -> RequestFailedError:
    return RequestFailedError(
        ErrorCode.INVALID_REQUEST,
        f"a body may hold {most:,} {what} at most, this one has about {found:,}: ask for fewer "
        "series at once.",
    )
