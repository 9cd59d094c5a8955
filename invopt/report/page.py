"""Pages from templates: one HTML file that needs nothing else."""

import html
import math
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from invopt.files import replacing_file
from invopt.types import Notify

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """Return a page; text is escaped, plots (markupsafe) are not."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "money": as_money,
        "percent": percent,
        "short": short,
        "alike": alike,
        "chance": chance,
        "signed": signed,
        "sentence": sentence,
    }
    return environment.get_template(template).render(**values)


def write_page(path: Path | str, page: str) -> None:
    """Write a page aside and rename it."""
    with replacing_file(path) as partial:
        partial.write_text(page, encoding="utf-8")


@contextmanager
def drawing(path: Path | str, title: str, notify: Notify) -> Iterator[None]:
    """Leave a page that says why where it cannot be drawn: no page holds back what it is about."""
    try:
        yield
    except Exception as err:  # drawing has many ways to fail on names and numbers of others
        traceback.print_exc()
        why = f"{type(err).__name__}: {err}"
        notify(f"the page cannot be drawn ({why}); everything else of this run is complete")
        text = f"This page could not be drawn: {why}. Everything else of the run is complete."
        head = f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title>"
        write_page(path, f"{head}<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>\n")


def number(value: float | None) -> str:
    """Return a count or an amount with thousands separated."""
    return "–" if _unknown(value) else f"{value:z,.0f}"


def as_money(value: float | None, currency: str = "") -> str:
    """Return an amount with its currency, with cents below 100."""
    if value is None or _unknown(value):
        return "–"
    told = f"{value:z,.0f}" if abs(value) >= 100 else f"{value:z,.2f}"
    return f"{currency} {told}".strip()


def percent(value: float | None) -> str:
    """Return a share as percent with one decimal."""
    return "–" if _unknown(value) else f"{value:.1%}"


def short(value: float | None) -> str:
    """Return a number with three digits that matter, never in powers of ten."""
    if value is None or _unknown(value):
        return "–"
    if abs(value) >= 100:
        return f"{value:z,.0f}"
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


def alike(value: float | None, column: Iterable[float | None], digits: int = 3) -> str:
    """Return a number of a column with as many decimals as all of its numbers.

    Args:
        value: One of the column; None or not finite where it is not known.
        column: All of them.
        digits: That the largest one shows.
    """
    if value is None or _unknown(value):
        return "–"
    sizes = [abs(v) for v in column if v is not None and not _unknown(v) and v]
    decimals = digits - 1 - math.floor(math.log10(max(sizes))) if sizes else 0
    return f"{value:z,.{max(0, decimals)}f}"


def chance(value: float | None) -> str:
    """Return a probability; what is smaller than a reader can tell from none is said so."""
    if value is None or _unknown(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def signed(value: float | None) -> str:
    """Return a change as percent with its sign."""
    return "–" if _unknown(value) else f"{value:+.1%}"


def sentence(text: str) -> str:
    """Return text with a capital first letter and no full stop at the end.

    A name of a table, a column or a field (open_orders, position.on_hand) stays as it is written.
    """
    text = text.strip().rstrip(".")
    first = text.partition(" ")[0].rstrip(":,;")
    return text if re.search(r"[_.\[=/]", first) else text[:1].upper() + text[1:]


def _unknown(value: float | None) -> bool:
    return value is None or not math.isfinite(value)
