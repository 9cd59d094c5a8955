"""Which older encoding a text that is no UTF-8 has: Western, Central European or Turkish."""

import re

WESTERN, CENTRAL, TURKISH = "cp1252", "cp1250", "cp1254"
# What Turkish letters look like in cp1252, and letters that only Icelandic has beside them.
_TURKISH = re.compile("[ğşıİĞŞ]")
_ICELANDIC = re.compile("[áíúæÁÍÚÆ]")
_IN_WORD = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])")


def legacy_encoding(sample: bytes) -> str:
    """Return the encoding in which the signs inside words are letters, cp1252 where several are.

    Args:
        sample: Of a text that is no UTF-8.
    """
    seen = {name: sample.decode(name, "replace") for name in (WESTERN, CENTRAL, TURKISH)}
    if any(not sign.isalpha() for sign in _IN_WORD.findall(seen[WESTERN])):
        odd = [sign for sign in _IN_WORD.findall(seen[CENTRAL]) if not sign.isalpha()]
        return WESTERN if odd else CENTRAL
    if _TURKISH.search(seen[TURKISH]) and not _ICELANDIC.search(seen[WESTERN]):
        return TURKISH
    return WESTERN
