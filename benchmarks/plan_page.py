"""The planner's page in Chromium: how soon it shows, how soon it can be used, how it scrolls."""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from invopt.config import Config
from invopt.errors import InvalidInputError
from invopt.files import write_json
from invopt.panel import Panel
from invopt.report.plan import PlanFiles, write_plan_page
from invopt.steps.replenish import ReviewFiles, plan_all_orders
from invopt.timeline import Timeline

PERIODS, HORIZON = 120, 28
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_SLOW = 300_000  # milliseconds
_FRAMES = 60  # of a scroll through the whole table
# A browser that has painted what it was given to scroll to, once a frame.
_SCROLL = """async (frames) => {
  const frame = document.querySelector('#orders .frame');
  const step = (frame.scrollHeight - frame.clientHeight) / frames;
  const times = [];
  for (let at = 0; at < frames; at++) {
    const began = performance.now();
    frame.scrollTop = step * (at + 1);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - began);
  }
  return times;
}"""
# The page may be usable before its paint is told.
_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  const [paint] = list.getEntriesByName('first-contentful-paint');
  if (paint) done(paint.startTime);
}).observe({ type: 'paint', buffered: true }))"""
_SEARCH = """async () => {
  const box = document.querySelector('#orders input[type=search]');
  const began = performance.now();
  box.value = 'jam 7';
  box.dispatchEvent(new Event('input', { bubbles: true }));
  await new Promise((done) => setTimeout(done, 90));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began - 90;
}"""


def main(rest: list[str]) -> None:
    """Print page sizes and times for some numbers of series."""
    parser = argparse.ArgumentParser(prog="invopt bench plan-page")
    parser.add_argument("--series", type=int, nargs="+", default=[500, 30_000])
    parser.add_argument("--times", type=int, default=5, help="openings; their median is told")
    parser.add_argument("--keep", type=Path, help="folder to leave the pages in")
    parsed = parser.parse_args(rest)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise InvalidInputError("no Chromium is installed: it is what is measured.")
    print("series   MB page  limit MB  first paint s  usable s  frame ms (p95)  search ms")
    for series in parsed.series:
        with tempfile.TemporaryDirectory() as scratch:
            folder = parsed.keep or Path(scratch)
            page = folder / f"plan-{series}.html"
            if not page.is_file():
                _write(folder / f"review-{series}", series, page)
            runs = [_opened(browser, page) for _ in range(parsed.times)]
        size, limit = runs[0]["bytes"] / 1e6, (3e6 + 300 * series) / 1e6
        told = {name: median(run[name] for run in runs) for name in runs[0]}
        print(
            f"{series:6,}  {size:7.2f}  {limit:8.1f}  {told['paint'] / 1000:13.2f}"
            f"  {told['usable'] / 1000:8.2f}  {told['frame']:6.0f} ({told['slow']:.0f})"
            f"  {told['search']:12.0f}"
        )


def _opened(browser: str, page: Path) -> dict[str, float]:
    """Return what one opening in a fresh browser took."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (of the tests)

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=browser, args=arguments, timeout=_SLOW)
        shown = program.new_page(viewport={"width": 1400, "height": 900})
        shown.set_default_timeout(_SLOW)
        shown.goto(page.as_uri(), wait_until="commit")
        # Mutations are seen in the page itself: asking from outside would add the way there.
        usable = shown.evaluate(_USABLE)
        paint = shown.evaluate(_PAINT)
        shown.get_by_role("tab", name="All orders").click()
        times = shown.evaluate(_SCROLL, _FRAMES)
        search = shown.evaluate(_SEARCH)
        program.close()
    return {
        "bytes": float(page.stat().st_size), "paint": paint, "usable": usable,
        "frame": median(times), "slow": float(np.quantile(times, 0.95)), "search": search,
    }  # fmt: skip


_USABLE = """() => new Promise((done) => {
  const root = document.documentElement;
  const ready = () => root.dataset.ready !== undefined;
  const tell = () => done(performance.now());
  if (ready()) tell();
  else new MutationObserver((_, watch) => ready() && (watch.disconnect(), tell()))
    .observe(root, { attributes: true });
})"""


def _write(folder: Path, num_series: int, page: Path) -> None:
    """Plan a made-up review and write its page."""
    folder.mkdir(parents=True, exist_ok=True)
    config = Config.of({
        "name": "bench", "data": {"mapping": "none"},
        "features": {"horizon": HORIZON},
        "inventory": {"lead_time": 5, "review_period": 7, "holding_cost": 0.02,
                      "stockout_cost": 1.0, "currency": "EUR", "policy": "order_up_to"},
    })  # fmt: skip
    _write_review(folder, num_series)
    out = {n: str(folder / f"{n}.csv") for n in ("orders", "purchase_orders", "exceptions")}
    files = ReviewFiles(
        source=folder / "derived", forecast=folder / "forecast", snapshot=folder / "snapshot"
    )
    plan_all_orders(files, config.inventory, "bench-1", out, _quiet)
    last = folder / "last.csv"
    pd.read_csv(out["orders"]).assign(review_date="2024-04-22").to_csv(last, index=False)
    shown = PlanFiles(
        files.source, files.forecast, Path(out["orders"]), Path(out["exceptions"]),
        files.snapshot, last=last, past=_past(folder, Path(out["orders"])),
    )  # fmt: skip
    write_plan_page(shown, config, str(page), _quiet)


def _past(folder: Path, orders: Path) -> list[tuple[str, Path, Path]]:
    """Write the forecasts of three earlier reviews, and return them with a plan."""
    panel = Panel.load(folder / "derived" / "part-0000")
    found = []
    for weeks in (3, 4, 5):
        seen = PERIODS - 1 - 7 * weeks
        mean = np.asarray(panel.y[:, seen - 27 : seen + 1]).mean(axis=1, keepdims=True)
        file = folder / f"means-{weeks}.npz"
        np.savez(
            file, unique_id=panel.unique_ids.astype(str), mean=np.repeat(mean, HORIZON, axis=1)
        )
        found.append((f"{panel.timeline.date(seen):%Y-%m-%d}", orders, file))
    return found


def _write_review(folder: Path, num_series: int) -> None:
    rng = np.random.default_rng(0)
    level = rng.lognormal(1.0, 1.0, (num_series, 1))
    y = rng.poisson(level, (num_series, PERIODS)).astype(np.int16)
    number = np.arange(num_series)
    words = rng.choice(["jam", "oat drink", "espresso beans", "dish soap", "socks"], num_series)
    series = pd.DataFrame({
        "unique_id": [f"P{i:06d}_S{i % 40:02d}" for i in number],
        "product": [f"P{i // 40:05d}" for i in number],
        "product_name": [f"{word} {i // 40}" for word, i in zip(words, number, strict=True)],
        "location": [f"S{i % 40:02d}" for i in number],
        "category": rng.choice(["dry", "fresh", "frozen", "home"], num_series),
        "supplier": [f"Supplier {i % 120}" for i in number],
        "pack_size": rng.choice([1.0, 6.0, 12.0], num_series),
        "unit_cost": rng.lognormal(1, 0.6, num_series).round(2),
    })  # fmt: skip
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", PERIODS)
    Panel(timeline, series, y, np.zeros(y.shape, np.uint8)).save(folder / "derived" / "part-0000")
    week = 1 + 0.3 * np.sin(2 * np.pi * np.arange(HORIZON) / 7)
    mean = (level * week).astype(np.float32)
    total, knots = mean.cumsum(axis=1), norm.ppf(np.array(LEVELS)).astype(np.float32)
    (folder / "forecast").mkdir(exist_ok=True)
    arrays: dict[str, Any] = {"mean": mean}
    for name, around in (("smooth_quantiles", mean), ("smooth_levels", total)):
        arrays[name] = np.maximum(around[:, :, None] + np.sqrt(around)[:, :, None] * knots, 0)
    np.savez(folder / "forecast" / "part-0000.npz", **arrays)
    head = {"quantile_levels": LEVELS, "level_quantiles": LEVELS, "is_count": True}
    write_json(folder / "forecast" / "forecast.json", head)
    (folder / "snapshot").mkdir(exist_ok=True)
    ids = series["unique_id"]
    stock = rng.poisson(level[:, 0] * rng.choice([0, 2, 8, 20], num_series)).astype(float)
    position = pd.DataFrame({"unique_id": ids, "on_hand": stock})
    position.to_parquet(folder / "snapshot" / "position.parquet", index=False)
    under_way = pd.DataFrame(
        {"unique_id": ids, "due_in": rng.integers(-1, 20, num_series), "quantity": 12.0}
    )
    under_way.to_parquet(folder / "snapshot" / "open_orders.parquet", index=False)


def _quiet(_: str) -> None:
    """Say nothing: only figures are printed."""
