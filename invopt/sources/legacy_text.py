"""Which older encoding a text that is no UTF-8 has, by the letters that it would make."""

import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from invopt.sources.vocabulary import by_word

WESTERN, CENTRAL, TURKISH = "cp1252", "cp1250", "cp1254"
# Of old Macs (Excel's "CSV (Macintosh)") and of DOS, whose letters are signs in cp1252.
OLDER = ("mac_roman", "cp850")
OTHERS = ("cp932", "euc_kr", "gb18030", "big5", "cp1251", "cp1253", "cp1255", "cp1256", "cp874")
# What Turkish letters look like in cp1252, and letters that only Icelandic has beside them.
_TURKISH = re.compile("[ğşıİĞŞ]")
_ICELANDIC = re.compile("[áíúæÁÍÚÆ]")
_IN_WORD = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])")
_MOSTLY, _IN_RUNS = 0.9, 0.7
_RUN = re.compile(rb"[\x80-\xff]+")
_LEAST = 4  # signs that are no ASCII, below which nothing can be told
# The most frequent letters of scripts that write one byte a letter.
_FREQUENT = {
    "cp1251": "оеаинтсрлвкмпдуяыьйчОЕАИНТСРКДМПВЧ",
    "cp1253": "αοιετσςνρκηπόίάήέλμΑΟΙΕΤΣΚΗΠ",
    "cp1255": "אבגדהוזחטיכךלמםנןסעפףצץקרשת",
    "cp1256": "اليمنترةوبدعفسحج",
    "cp874": "านรอกเงยมลวดทสต่้ัิี",
}


def legacy_encoding(sample: bytes) -> str:
    """Return the encoding in which the signs inside words are letters, cp1252 where several are.

    Args:
        sample: Of a text that is no UTF-8.
    """
    if (found := _of_asia(sample) or _of_runs(sample)) is not None:
        return found
    seen = {name: sample.decode(name, "replace") for name in (WESTERN, CENTRAL, TURKISH)}
    if any(not sign.isalpha() for sign in _IN_WORD.findall(seen[WESTERN])):
        if (older := _of_older(sample)) is not None:
            return older
        odd = [sign for sign in _IN_WORD.findall(seen[CENTRAL]) if not sign.isalpha()]
        return WESTERN if odd else CENTRAL
    known = {name: _num_known(text) for name, text in seen.items()}
    if known[CENTRAL] > max(known[WESTERN], known[TURKISH]):
        return CENTRAL
    if _TURKISH.search(seen[TURKISH]) and not _ICELANDIC.search(seen[WESTERN]):
        return TURKISH
    return WESTERN


def _of_older(sample: bytes) -> str | None:
    """Return the older western encoding that alone makes a known name of a column, if any does."""
    names = {name: sample.decode(name, "replace") for name in (WESTERN, CENTRAL, *OLDER)}
    known = {name: _num_known(text) for name, text in names.items()}
    best = max(OLDER, key=lambda name: known[name])
    return best if known[best] > max(known[WESTERN], known[CENTRAL]) else None


def _num_known(text: str) -> int:
    """Return how many names of the first line are known words of columns."""
    names = re.split(r"[;,\t|]", text.lstrip().split("\n")[0])
    return sum(any(by_word([name], role) for role in ("product", "location", "y", "date"))
               for name in names)  # fmt: skip


def _of_asia(sample: bytes) -> str | None:
    """Return the encoding of two bytes a sign in which all signs are frequent ones."""
    tests: dict[str, Callable[[bytes], bool]] = {
        "cp932": lambda pair: pair[0] in (0x81, 0x82, 0x83) or 0x88 <= pair[0] <= 0x98,
        "euc_kr": lambda pair: 0xB0 <= pair[0] <= 0xC8 and pair[1] >= 0xA1,
        "gb18030": lambda pair: 0xA1 <= pair[0] <= 0xD7 and pair[1] >= 0xA1,
        "big5": lambda pair: 0xA1 <= pair[0] <= 0xC6,
    }
    for encoding, is_frequent in tests.items():
        if encoding in ("euc_kr", "gb18030") and _has_odd_runs(sample):
            continue  # both bytes of a sign are high
        signs = _signs(sample, encoding)
        if signs is None or len(signs) < _LEAST:
            continue
        usual = sum(len(sign) == 2 and is_frequent(sign) for sign in signs)
        if usual < _MOSTLY * len(signs):
            continue
        kana = sum(sign[0] in (0x82, 0x83) for sign in signs)
        if encoding != "cp932" or kana or _has_days(sample.decode(encoding, "ignore")):
            return encoding
    return None


def _signs(sample: bytes, encoding: str) -> list[bytes] | None:
    """Return the signs that are no ASCII, each as its bytes; None where some bytes are none."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError as err:
        if err.start < len(sample) - 4:  # a sample may end within a sign
            return None
        text = sample[: err.start].decode(encoding)
    return [sign.encode(encoding) for sign in text if not sign.isascii()]


def _has_odd_runs(sample: bytes) -> bool:
    """Return whether some runs of high bytes have an odd length; one that is cut off counts not."""
    runs = [found for found in _RUN.finditer(sample) if found.end() < len(sample)]
    return any((found.end() - found.start()) % 2 for found in runs)


def _has_days(text: str) -> bool:
    return re.search(r"\d年\d|日付|数量|商品", text) is not None


def _of_runs(sample: bytes) -> str | None:
    """Return the encoding of a script other than Latin, whose words are runs of high bytes."""
    runs = sorted(set(_RUN.findall(sample)))  # each word once: a name in every row says no more
    total = sum(map(len, runs))
    long = sum(len(run) for run in runs if len(run) > 2)
    if total < _LEAST or long < _IN_RUNS * total:
        return None
    counts = Counter(b"".join(runs))
    scores = {}
    for encoding, letters in _FREQUENT.items():
        known = {byte for letter in letters for byte in letter.encode(encoding, "ignore")}
        text = b"".join(runs).decode(encoding, "replace")
        strange = sum(not (sign.isalpha() or sign in "่้๊์ิีึืุูั ") for sign in text)
        odd_case = sum(a.islower() and b.isupper() for run in runs for a, b in pairwise(
            run.decode(encoding, "replace")))  # fmt: skip
        scores[encoding] = sum(counts[byte] for byte in known) - 2 * strange - 2 * odd_case
    best = max(scores, key=lambda encoding: scores[encoding])
    return best if scores[best] > total / 2 else None
