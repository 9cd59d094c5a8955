"""What others order in the same situations, from the same files."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import nbinom, norm, poisson

from benchmarks._planner_files import history, promoted_days
from benchmarks._situations import HOLDING, LEAD_TIME, REVIEW, STOCKOUT, Case, Line

_RECENT_DAYS, _RECENT_WEEKS = 91, 13
_COVER_DAYS, _COVER_WEEKS = 21, 3
_FAULTY = 30  # times the mean from which on a quantity is none
_WORKER = Path(__file__).with_name("_stockcast.py")
STOCKCAST = "stockcast==0.2.0"


class Facts:
    """What a planner's spreadsheet knows of a line: terms, stock, and the latest sales."""

    def __init__(self, line: Line, suppliers: dict[str, Any]) -> None:
        terms = {**suppliers.get(str(line.terms.get("supplier")), {}), **line.terms}
        weekly = line.week is None
        self.line, self.is_weekly = line, weekly
        self.lead_time = int(terms.get("lead_time", 1 if weekly else LEAD_TIME))
        self.review = int(terms.get("review_period", 1 if weekly else REVIEW))
        holding = float(terms.get("holding_cost", HOLDING * (7 if weekly else 1)))
        stockout = float(terms.get("stockout_cost", STOCKOUT))
        ratio = stockout / (stockout + holding * self.review)
        self.service = float(terms.get("service_level", ratio))
        self.pack = float(terms.get("pack_size", 1)) or 1.0
        self.least = float(terms.get("min_order", 0))
        self.most = float(terms.get("max_order", np.inf))
        self.max_stock = float(terms.get("max_stock", np.inf))
        num = _RECENT_WEEKS if weekly else _RECENT_DAYS
        sold = history(line)[-num:] if line.has_history else np.zeros(num)
        self.mean, self.deviation = float(np.mean(sold)), float(np.std(sold, ddof=1))
        self.stock = (line.on_hand or 0) - line.backorders
        self.orders = [(due, ordered - got) for due, ordered, got in line.orders]
        self.on_order = line.on_order

    def rounded(self, need: float, position: float) -> float:
        """Return a need in whole packs, at least the minimum, within what the line may have."""
        if need <= 0 or self.line.on_hand is None:
            return 0.0
        packs = np.ceil(max(need, self.least) / self.pack - 1e-9) * self.pack
        room = min(self.most, self.max_stock - position)
        return float(max(min(packs, np.floor(room / self.pack) * self.pack), 0.0))


def facts_of(case: Case) -> list[Facts]:
    """Return what is known of the lines of a case."""
    suppliers = {str(row["supplier"]): dict(row) for row in case.shared.get("suppliers", ())}
    return [Facts(line, suppliers) for line in case.lines]


def textbook(facts: Facts) -> float:
    """Return the order of base stock: mean and z deviations over lead time and review.

    The position counts what is on hand, less who waits, and what is due in that time.
    """
    periods = facts.lead_time + facts.review
    level = facts.mean * periods + norm.ppf(facts.service) * facts.deviation * np.sqrt(periods)
    due = sum(units for period, units in facts.orders if period <= periods)
    position = facts.stock + due + facts.on_order
    return facts.rounded(float(np.ceil(level)) - position, position)


def three_weeks(facts: Facts) -> float:
    """Return the order that makes the position three weeks of average sales."""
    cover = _COVER_WEEKS if facts.is_weekly else _COVER_DAYS
    position = facts.stock + sum(units for _, units in facts.orders) + facts.on_order
    return facts.rounded(float(np.ceil(facts.mean * cover)) - position, position)


def rate_factor(line: Line) -> float:
    """Return the rate of the history over that of the law; a faulty quantity is left out."""
    if not line.has_history:
        return 1.0
    sold = history(line)
    usual = ~promoted_days(line, len(sold)) & (sold <= _FAULTY * max(line.mean, 1))
    return max(float(sold[usual].mean()) / line.mean, 1e-3)


def python_with_stockcast(given: Path | None, folder: Path) -> Path | None:
    """Return an interpreter that has stockcast: the given one, or a new environment's.

    None, with a line of why, where it cannot be installed.
    """
    if given is not None:
        return given
    python = folder / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", STOCKCAST],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            print(f"{STOCKCAST} is left out: it cannot be installed ({' '.join(last)}).")
            return None
    return python


def stockcast_orders(python: Path, facts: list[Facts]) -> list[float]:
    """Return what stockcast 0.2 orders.

    Its targets are the critical ratio's quantile of a Poisson or negative binomial law with mean
    and variance of the latest sales, over lead time and review; its rules are packs, minimum,
    maximum and shelf. Open orders count whatever their date, as its position has it; it refuses
    those due in the past, so that they are given as due tomorrow.
    """
    rows = [
        {
            "id": f"{n}", "lead_time": f.lead_time, "review": f.review,
            "service": min(max(f.service, 0.001), 0.999), "target": _target(f),
            "on_hand": max(f.stock, 0), "backorders": max(-f.stock, 0),
            "orders": [(max(d, 1), u) for d, u in f.orders] + [(1, f.on_order)] * bool(f.on_order),
            "pack": f.pack, "least": f.least, "most": _finite(f.most),
            "max_stock": _finite(f.max_stock),
            "lost": not f.line.games or f.line.games[0].lost,
        }
        for n, f in enumerate(facts)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="invopt-stockcast-") as folder:
        given, out = Path(folder) / "in.json", Path(folder) / "out.json"
        given.write_text(json.dumps(rows))
        subprocess.run([str(python), str(_WORKER), str(given), str(out)], check=True)
        found = json.loads(out.read_text())
    return [0.0 if f.line.on_hand is None else float(found[f"{n}"]) for n, f in enumerate(facts)]


def _finite(value: float) -> float | None:
    return None if np.isinf(value) else value


def _target(facts: Facts) -> float:
    periods = facts.lead_time + facts.review
    mean, variance = facts.mean * periods, facts.deviation**2 * periods
    if mean <= 0:
        return 0.0
    if variance <= mean * 1.01:
        return float(poisson.ppf(facts.service, mean))
    return float(nbinom.ppf(facts.service, mean**2 / (variance - mean), mean / variance))
