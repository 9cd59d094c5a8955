"""Words that came back most although plain English has others; a reader abroad stumbles on them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Pattern to what to say instead.
PLAIN = {
    r"\bmend(s|ed|ing)?\b": "fix, correct or repair",
    r"\bdear(er|est)?\b": "expensive",
    r"\bfeasts?\b": "public holiday (Feast, the feature store, has a capital)",
    r"\bcame true\b": "actuals",
    r"\bholds? the future\b": "leaks the future",
    r"\bstands? still\b": "is stuck at one value",
    r"\bbrakes?\b.*\bholds?\b": "the safeguard is blocking",
    r"\bevery check holds\b": "all checks passed",
    r"\bdwells?\b": "gives more weight to",
    r"\bhangs? on\b": "depends on",
    r"\bwakes? nobody\b": "causes no page",
    r"\blies? on your desk\b": "is there",
    r"\bstays? over\b": "is left over",
    r"\bin vain\b": "without a result",
    r"\blost its presumption\b": "the benefit of the doubt goes to the challenger",
    r"\bnothing is known of\b": "was not found",
    r"\bone's own\b": "your own",
    r"\bto tell\b how": "to show",
    r"\w{3,}\((s|es)\)": "the plural by count",
}
# Logs of what was measured, and decisions as they were taken.
LOGS = ("docs/benchmarks.md", "docs/adr", "CHANGELOG.md")


def pages() -> list[Path]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
    found += [ROOT / "k8s" / "README.md", *(ROOT / "docs").rglob("*.md")]
    found += (ROOT / "invopt" / "report" / "templates").glob("*.j2")
    found += (ROOT / "invopt" / "report" / "web" / "src").glob("*.js")
    return sorted(p for p in found if not str(p.relative_to(ROOT)).startswith(LOGS))


def sources() -> list[Path]:
    rooms = ("invopt", "serving", "components", "pipelines")
    return sorted(p for room in rooms for p in (ROOT / room).rglob("*.py"))


def strange(text: str) -> list[str]:
    text = re.sub(r"`[^`]*`", "", text)
    return [
        f"{found[0]!r}: say {better}"
        for pattern, better in PLAIN.items()
        for found in re.finditer(pattern, text)
    ]


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_is_in_plain_english(page):
    assert strange(page.read_text()) == []


def test_messages_and_docstrings_are_in_plain_english():
    found = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            words = strange(node.value) if is_text and " " in node.value else []
            if words:
                found[f"{path.relative_to(ROOT)}:{node.lineno}"] = words
    assert found == {}


def test_the_checker_knows_a_strange_sentence_from_a_plain_one():
    assert strange("Mend it, or mend the feast (2 period(s)).") == [
        "'mend': say fix, correct or repair",
        "'feast': say public holiday (Feast, the feature store, has a capital)",
        "'period(s)': say the plural by count",
    ]
    assert strange("Fix the data, then rerun. Feast and `feast apply` are names.") == []
