"""Eleven made-up companies watched for eight periods, sound and with a fault of their data.

    invopt bench watch [--seeds N ...] [--names NAME ...] [--tell]

A sound company has news of its own (a promotion, a new customer, a season, rounded price rises, an
opening, a planned closure) that must not page nor be taken for a fault. Its sick twin has one
fault from the third period on, that must be named with its place, and that nothing may learn from.
"""

import argparse
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from benchmarks._replay import situation
from invopt.baselines import Baseline
from invopt.cleaning import clean, whole_of
from invopt.config import (
    CleaningConfig,
    GovernorConfig,
    InventoryConfig,
    ModelConfig,
    MonitoringConfig,
)
from invopt.inventory import terms_of
from invopt.monitoring.evidence import Evidence, Reports, gather_evidence
from invopt.monitoring.performance import Scoring
from invopt.monitoring.retraining_decision import PAGE, PROMOTED, RETRAIN
from invopt.monitoring.signals import DATA, SERVING, Signal
from invopt.monitoring.subject import Subject
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.timeline import Timeline
from invopt.types import Float32Array, FloatArray
from serving.stores.governor_store import GovernorStore

REVIEWS, _SICK_FROM = 8, 2  # monitoring periods played, and the one of them a fault begins with
_HEAD = (
    "| company | sound: pages | false faults | retrainings | sick: periods named | first in "
    "| wrong cause first | retrainings on bad data |"
)
_Change = Callable[["Made", np.random.Generator], None]


@dataclass(kw_only=True)
class Made:
    """A company's records before they are a panel.

    Attributes:
        y: (series, period) units.
        price: The same, in money.
        planned: The same, 1 on promotion.
        blank: No line came although the product is on sale.
        unborn: Not on sale yet.
        product: Of each series.
        place: Of each series.
        freq: Of periods.
        first: Period that a fault begins with.
        span: Periods of a monitoring period.
        shut: Days that the calendar closes, by place.
    """

    y: FloatArray
    price: FloatArray
    planned: FloatArray
    blank: FloatArray
    unborn: FloatArray
    product: np.ndarray
    place: np.ndarray
    freq: str
    first: int
    span: int
    shut: pd.DataFrame | None = None

    def of(self, product: str = "", place: str = "") -> np.ndarray:
        """Return the rows of a product, a place, or both."""
        found = np.ones(len(self.y), bool)
        if product:
            found &= self.product == product
        if place:
            found &= self.place == place
        return np.flatnonzero(found)


@dataclass(frozen=True, kw_only=True)
class Company:
    """How a company's records come about, and what happens to it.

    Attributes:
        freq: Of its records.
        places: Number of locations.
        products: Sold at each.
        level: Median units of a period and series.
        decimals: Of quantities.
        zeros: Share of periods without a sale, whatever the level.
        length: Periods of history.
        news: What happens to the sound company and its sick twin.
        fault: What happens to the sick one's data.
        right: Signals that name the fault.
        where: What the finding has to contain: the place or the product.
    """

    freq: str
    places: int
    products: int
    level: float = 12.0
    decimals: int = 0
    zeros: float = 0.0
    length: int = 400
    news: _Change
    fault: _Change
    right: tuple[str, ...]
    where: str


def main(rest: list[str]) -> None:
    """Print a line for each company, and the sums."""
    parser = argparse.ArgumentParser(prog="invopt bench watch")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--names", nargs="+", choices=COMPANIES, default=list(COMPANIES))
    parser.add_argument("--tell", action="store_true", help="print what each period says")
    parser.add_argument("--workers", type=int, default=2)
    parsed = parser.parse_args(rest)
    print(_HEAD)
    print("|---|---|---|---|---|---|---|---|", flush=True)
    jobs = [(name, seed) for name in parsed.names for seed in parsed.seeds]
    sums = np.zeros(6)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(parsed.workers, mp_context=context) as pool:
        for played in pool.map(_played, jobs):
            sums += played.numbers
            print(played.line, flush=True)
            if parsed.tell:
                print("\n".join(played.told), flush=True)
    sick = len(jobs) * (REVIEWS - _SICK_FROM)
    pages, false, trained, named, wrong, bad = (f"{value:.0f}" for value in sums)
    print(
        f"| all {len(jobs)} | {pages} of {len(jobs) * REVIEWS} | {false} | {trained} "
        f"| {named} of {sick} | | {wrong} | {bad} |"
    )


@dataclass(frozen=True)
class _Played:
    line: str
    numbers: FloatArray
    told: list[str]


def _played(job: tuple[str, int]) -> _Played:
    """Return what a company and its sick twin came to."""
    name, seed = job
    company = COMPANIES[name]
    sound, sick = (_diary(company, seed, ill=ill) for ill in (False, True))
    pages = sum(action == PAGE for action, *_ in sound)
    false = sum(any(_is_fault(s) for s in e.signals) for _, e, _ in sound)
    trained = sum(action == RETRAIN for action, *_ in sound)
    late = sick[_SICK_FROM:]
    named = [_names(company, e) for _, e, _ in late]
    wrong = sum(bool(e.findings) and e.findings[0].name not in company.right for _, e, _ in late)
    bad = sum(action == RETRAIN for action, *_ in late)
    first = f"period {named.index(True) + 1}" if any(named) else "never"
    line = (
        f"| {name}, {seed} | {pages} | {false} | {trained} | {sum(named)} of {len(named)} "
        f"| {first} | {wrong} | {bad} |"
    )
    told = [
        f"  {what} {e.start} {action} {paged}: {[f.text for f in e.findings][:3]}"
        for what, diary in (("sound", sound), ("sick", sick))
        for action, e, paged in diary
    ]
    return _Played(line, np.array([pages, false, trained, sum(named), wrong, bad]), told)


def _is_fault(signal: Signal) -> bool:
    return signal.fires and signal.kind in (DATA, SERVING)


def _names(company: Company, found: Evidence) -> bool:
    return any(f.name in company.right and company.where in f.text for f in found.findings)


def _diary(company: Company, seed: int, *, ill: bool) -> list[tuple[str, Evidence, list[str]]]:
    """Return action, evidence and what somebody was woken for, of each period."""
    panel, shut, span = made_panel(company, seed, ill=ill)
    store, known = GovernorStore("sqlite://"), None
    trained = panel.num_periods - (REVIEWS + 4) * span
    found: list[tuple[str, Evidence, list[str]]] = []
    for review in range(REVIEWS):
        end = panel.num_periods - (REVIEWS - 1 - review) * span
        past = panel.truncate(end)
        past = clean(past, CleaningConfig(), whole_of([past], shut))[0]
        config = MonitoringConfig(num_bootstrap=100, period=span, min_rows=10, history=20)
        evidence = gather_evidence(
            _subject(past, span, trained), past, config, Reports(known=known, calendar=shut)
        )
        known = evidence.records
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=review * _DAYS[company.freq[0]])
        governor = GovernorConfig(min_new_periods=1)
        decision, claim = store.decide(situation(evidence), governor, now, str(review))
        if claim is not None:
            store.begin(claim, "run", governor, now)
            store.finish(claim, PROMOTED, now)
            trained = end
        found.append((decision.action, evidence, list(decision.paged)))
    store.close()
    return found


_DAYS = {"D": 7, "W": 7, "M": 30}


def _subject(panel: Panel, span: int, trained: int) -> Subject:
    """Return a seasonal mean as champion."""
    season, window, first = (7, 28, 55) if panel.timeline.freq == "D" else (1, 8, 9)
    forecaster = Baseline(2 * span, season, ModelConfig(), window)
    price = panel.channels["price"].until(panel.num_periods)[:, -1].astype(np.float64)
    terms = terms_of(panel.series, price, InventoryConfig(lead_time=1, review_period=span))
    is_count = panel.is_count

    def features(part: Panel, cutoffs: list[int]) -> tuple[tuple[str, ...], Float32Array]:
        prices = part.channel_by_series("price")
        blocks = [np.log(prices[:, max(0, c - span + 1) : c + 1].mean(axis=1)) for c in cutoffs]
        return ("price",), np.stack(blocks)[:, :, None].astype(np.float32)

    return Subject(forecaster, features, Scoring(span, terms, is_count), (), first, trained)


def made_panel(company: Company, seed: int, *, ill: bool) -> tuple[Panel, pd.DataFrame | None, int]:
    """Return the panel of a company, its calendar, and the periods of a monitoring period."""
    rng = np.random.default_rng(seed)
    made = _made(company, rng)
    company.news(made, rng)
    if ill:
        company.fault(made, rng)
    ids = [f"{p}_{s}" for p, s in zip(made.product, made.place, strict=True)]
    order = np.argsort(ids)
    series = pd.DataFrame({"unique_id": np.array(ids)[order], "product": made.product[order],
                           "location": made.place[order]})  # fmt: skip
    y = made.y[order]
    flags = np.where(made.blank[order] > 0, np.uint8(Flag.FILLED), np.uint8(0))
    flags = np.where(made.unborn[order] > 0, np.uint8(Flag.BEFORE_LAUNCH), flags).astype(np.uint8)
    y = np.where((made.blank[order] > 0) | (made.unborn[order] > 0), 0, y)
    whole = bool((y == np.rint(y)).all())
    line = Timeline(pd.Timestamp("2024-01-01"), company.freq, company.length)
    groups = tuple(str(i) for i in series["unique_id"])
    panel = Panel(line, series, y.astype(np.int32 if whole else np.float32), flags)
    return panel.with_channels([
        Channel("price", "market", SERIES_LEVEL, groups, True,
                made.price[order].astype(np.float32), "forward"),
        Channel("promotion", "promotions", SERIES_LEVEL, groups, True,
                made.planned[order].astype(np.float32), "zero"),
    ]), made.shut, made.span  # fmt: skip


def _made(company: Company, rng: np.random.Generator) -> Made:
    """Return the ordinary records of a company: levels, weekdays, customers, weights, prices."""
    num, length = company.places * company.products, company.length
    span = 7 if company.freq == "D" else 1
    product = np.repeat([f"P{i:02d}" for i in range(company.products)], company.places)
    place = np.tile([f"S{i}" for i in range(company.places)], company.products)
    level = company.level * np.repeat(rng.lognormal(0, 0.6, company.products), company.places)
    level = level * rng.lognormal(0, 0.3, num)
    at = np.arange(length)
    season = 1 + (0.3 * np.sin(2 * np.pi * at / 7) if company.freq == "D" else 0.0 * at)
    noise = np.exp(rng.normal(0, 0.05, length) - 0.00125)
    mean = level[:, None] * season * noise
    sold = rng.poisson(mean) * (rng.random(mean.shape) >= company.zeros)
    y = sold.astype(np.float64)
    if company.decimals:
        y = np.round(y * rng.uniform(0.15, 0.35, y.shape), company.decimals)
    asked = np.round(rng.uniform(1, 30, company.products)) - 0.01
    price = np.repeat(np.repeat(asked, company.places)[:, None], length, axis=1)
    return Made(
        y=y, price=price, planned=np.zeros(y.shape), blank=np.zeros(y.shape),
        unborn=np.zeros(y.shape), product=product, place=place, freq=company.freq,
        first=length - (REVIEWS - _SICK_FROM) * span, span=span,
    )  # fmt: skip


def _scaled(made: Made, rows: np.ndarray, times: float, digits: int | None = None) -> None:
    part = made.y[rows, made.first :] * times
    made.y[rows, made.first :] = part if digits is None else np.round(part, digits)


def _more(made: Made, rng: np.random.Generator, rows: np.ndarray, times: float) -> None:
    """Customers come `times` as often."""
    made.y[rows, made.first :] = rng.poisson(made.y[rows, made.first :] * times)


def _promotion(made: Made, rng: np.random.Generator) -> None:
    rows, days = made.of("P02"), slice(made.first + 7, made.first + 14)
    made.price[rows, days] = np.round(made.price[rows, days] * 0.6, 2)
    made.planned[rows, days] = 1
    made.y[rows, days] = rng.poisson(made.y[rows, days] * 4)


def _new_customer(made: Made, rng: np.random.Generator) -> None:
    """A wholesale customer buys a product by tens and hundreds."""
    rows = made.of("P01")
    made.y[rows, made.first :] += rng.choice([100, 150, 200], made.y[rows, made.first :].shape)


def _lumps(made: Made, rng: np.random.Generator) -> None:
    _new_customer(made, rng)
    lumpy = rng.random(made.y.shape) < 0.03
    made.y[lumpy] += rng.choice([50, 100, 200], int(lumpy.sum()))


def _season(made: Made, rng: np.random.Generator) -> None:
    """Warm weeks: more of everything, in as many decimals."""
    rise = rng.normal(1.5, 0.05, made.y[:, made.first :].shape)
    made.y[:, made.first :] = np.round(made.y[:, made.first :] * rise, 3)


def _replaced(made: Made, rng: np.random.Generator) -> None:
    """A product ends and another begins in its place."""
    del rng
    ends, begins = made.of("P03"), made.of("P04")
    made.y[begins, made.first :] = made.y[ends, made.first :]
    made.y[ends, made.first :] = 0
    made.unborn[begins, : made.first] = 1


def _dearer(made: Made, rng: np.random.Generator) -> None:
    """All places ask about 6 % more, rounded to what shops ask; customers buy 5 % less."""
    asked = np.maximum(np.rint(made.price[:, made.first :] * 1.06 * 10) / 10 - 0.01, 0.99)
    made.price[:, made.first :] = asked
    made.y[:, made.first :] = rng.binomial(made.y[:, made.first :].astype(int), 0.95)


def _sale(made: Made, rng: np.random.Generator) -> None:
    """One place takes a fifth off everything."""
    rows = made.of(place="S1")
    made.price[rows, made.first :] = np.round(made.price[rows, made.first :] * 0.8, 2)
    _more(made, rng, rows, 1.3)


def _flu(made: Made, rng: np.random.Generator) -> None:
    """One product sells eight times as much everywhere."""
    _more(made, rng, made.of("P02"), 8)


def _closed_and_opened(made: Made, rng: np.random.Generator) -> None:
    """A place is closed for a week by the calendar, another opens."""
    del rng
    dates = pd.date_range("2024-01-01", periods=made.y.shape[1], freq="D")
    days = slice(made.first + 7, made.first + 14)
    made.y[made.of(place="S1"), days] = 0
    made.blank[made.of(place="S1"), days] = 1
    made.shut = pd.DataFrame({"ds": dates[days], "open": False, "location": "S1"})
    made.unborn[made.of(place="S3"), : made.first - 21] = 1
    sundays = np.flatnonzero(dates.weekday == 6)
    made.y[:, sundays], made.blank[:, sundays] = 0, 1


def _growth(made: Made, rng: np.random.Generator) -> None:
    grown = np.linspace(1, 2, made.y.shape[1])
    made.y[:] = rng.poisson(made.y * grown)


def _quiet(made: Made, rng: np.random.Generator) -> None:
    del made, rng


def _twice(made: Made, rng: np.random.Generator) -> None:
    """Every line of a place came twice on two days of each week."""
    del rng
    rows = made.of(place="S1")
    for day in range(made.first, made.y.shape[1]):
        if (day - made.first) % 7 < 2:
            made.y[rows, day] *= 2


def _partly_twice(made: Made, rng: np.random.Generator) -> None:
    rows = made.of(place="S1")
    again = rng.random((len(rows), made.y.shape[1] - made.first)) < 0.5
    made.y[rows, made.first :] *= 1 + again


def _lost(made: Made, rng: np.random.Generator) -> None:
    rows = made.of(place="S2")
    gone = rng.random((len(rows), made.y.shape[1] - made.first)) < 0.33
    made.blank[rows, made.first :] = np.maximum(made.blank[rows, made.first :], gone)


def _money(place: str, factor: float) -> _Change:
    def change(made: Made, rng: np.random.Generator) -> None:
        del rng
        rows = made.of(place=place)
        made.price[rows, made.first :] = np.round(made.price[rows, made.first :] * factor, 2)

    return change


def _unit(
    product: str, times: float, place: str = "", digits: int | None = None, *, priced: bool = False
) -> _Change:
    def change(made: Made, rng: np.random.Generator) -> None:
        del rng
        rows = made.of(product, place)
        _scaled(made, rows, times, digits)
        if priced:
            made.price[rows, made.first :] = np.round(made.price[rows, made.first :] / times, 2)

    return change


COMPANIES: Mapping[str, Company] = {
    "grocer: cases become pieces": Company(
        freq="D",
        places=5,
        products=20,
        news=_promotion,
        fault=_unit("P05", 12),
        right=("product_unit_changed",),
        where="P05",
    ),
    "wholesaler, weekly: pieces become cases": Company(
        freq="W-MON",
        places=1,
        products=40,
        level=60,
        length=150,
        news=_lumps,
        fault=_unit("P05", 1 / 12, digits=4),
        right=("product_unit_changed",),
        where="P05",
    ),
    "butcher, kg: whole days twice": Company(
        freq="D",
        places=3,
        products=30,
        decimals=3,
        news=_season,
        fault=_twice,
        right=("doubled_feed",),
        where="S1",
    ),
    "deli, kg: half of the lines twice": Company(
        freq="D",
        places=3,
        products=30,
        decimals=3,
        news=_season,
        fault=_partly_twice,
        right=("lines_twice",),
        where="S1",
    ),
    "fashion, monthly: one product by tens": Company(
        freq="MS",
        places=6,
        products=12,
        level=40,
        length=60,
        news=_replaced,
        fault=_unit("P05", 10),
        right=("product_unit_changed",),
        where="P05",
    ),
    "border shops: a store in dollars": Company(
        freq="D",
        places=5,
        products=20,
        news=_dearer,
        fault=_money("S2", 0.9263),
        right=("price_unit_changed",),
        where="S2",
    ),
    "kiosks, weekly: a store in zlotys": Company(
        freq="W-MON",
        places=8,
        products=15,
        length=150,
        news=_sale,
        fault=_money("S2", 4.27),
        right=("price_unit_changed",),
        where="S2",
    ),
    "pharmacy, slow: one store by packs of ten": Company(
        freq="D",
        places=2,
        products=60,
        level=2,
        zeros=0.4,
        news=_flu,
        fault=_unit("P05", 10, "S1"),
        right=("product_unit_changed",),
        where="P05 at S1",
    ),
    "building market: a third of the lines lost": Company(
        freq="D",
        places=4,
        products=20,
        level=20,
        news=_closed_and_opened,
        fault=_lost,
        right=("lines_missing",),
        where="S2",
    ),
    "bakery: kilograms become grams": Company(
        freq="D",
        places=1,
        products=15,
        decimals=3,
        news=_quiet,
        fault=_unit("P05", 1000),
        right=("product_unit_changed",),
        where="P05",
    ),
    "parts, weekly: prices by the piece too": Company(
        freq="W-MON",
        places=3,
        products=30,
        level=3,
        zeros=0.3,
        length=150,
        news=_growth,
        fault=_unit("P05", 6, priced=True),
        right=("product_unit_changed",),
        where="P05",
    ),
}
