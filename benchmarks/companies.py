"""Made-up sets of companies of other kinds, played by three commands without an edit.

`init-mapping`, training and replenishment, as somebody would who has only files: what orders, how
far off it is, and how far an untuned LightGBM is, which learns from lags and known plans alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

_SMALL = ("training.max_steps=300", "training.max_minutes=5")
_WEEK = 7  # days
# How fast a server starts beside other work is not what is measured here.
_PATIENT = ("deployment.ready_minutes=60",)


@dataclass(frozen=True)
class Company:
    """How sales of a company come about.

    Attributes:
        freq: Of its records.
        series: Products times places.
        periods: Of history.
        level: Median of mean sales a period.
        zeros: Share of periods with no sale whatever the level.
        season: Periods after which its season comes again; 0 for none.
        planned: True where promotions are known ahead (two weeks beyond the last sale).
        places: Locations.
        odd_places: Locations at which a promotion sells `odd_factor` times as much.
        odd_factor: There; 1.38 elsewhere.
    """

    freq: str
    series: int
    periods: int
    level: float = 8.0
    zeros: float = 0.0
    season: int = 0
    planned: bool = False
    places: int = 1
    odd_places: int = 0
    odd_factor: float = 1.38


COMPANIES: Mapping[str, Company] = {
    "weekly26": Company("W-MON", 40, 26),
    "monthly": Company("MS", 60, 48, season=12),
    "sparse": Company("MS", 300, 60, level=4.0, zeros=0.9),
    "plans": Company("D", 40, 240, season=7, planned=True, places=4),
    "hourly": Company("h", 12, 24 * 30, season=24),
    "twostores": Company("D", 2, 200, season=7, places=2),
    "oddshop": Company("D", 96, 420, season=7, planned=True, places=6, odd_places=1, odd_factor=4),
    "alike": Company("D", 96, 420, season=7, planned=True, places=6),
}


def main(rest: list[str]) -> None:
    """Play companies and print a line for each."""
    parser = argparse.ArgumentParser(prog="invopt bench companies")
    parser.add_argument("--names", nargs="+", choices=COMPANIES, default=list(COMPANIES))
    parser.add_argument("--keep", type=Path, help="folder to leave everything in")
    parser.add_argument("--whole", action="store_true", help="train as long as the files ask for")
    parsed = parser.parse_args(rest)
    print(
        "| set | series x periods | orders | units | WAPE of what orders | untuned LightGBM | "
        "minutes |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="invopt-companies-") as scratch:
        for name in parsed.names:
            folder = (parsed.keep or Path(scratch)) / name
            try:
                line = _line(name, play(name, folder, whole=parsed.whole))
            except RuntimeError as failure:  # the others can still be played
                line = f"| {name} | failed: {' '.join(str(failure).split())[-600:]} |"
            print(line, flush=True)


def write_company(company: Company, out: Path, seed: int = 0) -> pd.DataFrame:
    """Write the files of a company and return its sales: product, store, date, quantity.

    Args:
        company: How they come about.
        out: Folder of the files.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    num, periods = company.series, company.periods
    ahead = 14 if company.planned else 0
    dates = pd.date_range("2024-01-01", periods=periods + ahead, freq=company.freq)
    mean = np.tile(company.level * rng.lognormal(0, 0.6, (num, 1)), (1, periods + ahead))
    if company.season:
        place = np.arange(periods + ahead) / company.season
        mean = mean * (1 + 0.4 * np.sin(2 * np.pi * place))
    planned = rng.random((num, periods + ahead)) < (0.1 if company.planned else 0)
    is_odd = np.arange(num)[:, None] % company.places < company.odd_places
    mean = np.where(planned, np.where(is_odd, company.odd_factor, 1.38) * mean, mean)
    y = rng.poisson(mean) * (rng.random(mean.shape) >= company.zeros)
    product = [f"A{row // company.places:04d}" for row in range(num)]
    store = [f"S{row % company.places:02d}" for row in range(num)]
    long = pd.DataFrame(
        {
            "product": np.repeat(product, periods + ahead),
            "store": np.repeat(store, periods + ahead),
            "date": np.tile(
                dates.strftime("%Y-%m-%d %H:%M" if company.freq == "h" else "%Y-%m-%d"), num
            ),
            "quantity": y.ravel(),
            "promotion": planned.ravel().astype(int),
            "known": np.tile(np.arange(periods + ahead) < periods, num),
        }
    )
    out.mkdir(parents=True, exist_ok=True)
    sales = long.loc[long.pop("known"), ["product", "store", "date", "quantity"]]
    sales.to_csv(out / "sales.csv", index=False)
    if company.planned:
        long.loc[long["promotion"] > 0, ["product", "store", "date", "promotion"]].to_csv(
            out / "promotions.csv", index=False
        )
    pd.DataFrame({"product": product, "store": store, "on_hand": y[:, -4:].sum(axis=1)}).to_csv(
        out / "stock.csv", index=False
    )
    return sales.reset_index(drop=True)


def play(name: str, folder: Path, *, whole: bool = False) -> dict[str, Any]:
    """Play a company from its files to its orders and return what came of it.

    Args:
        name: Of COMPANIES.
        folder: Gets everything.
        whole: Train as long as the written configuration asks for.

    Raises:
        RuntimeError: If a command fails; the message is what it said.
    """
    company, data = COMPANIES[name], folder / "data"
    write_company(company, data)
    began, config, workspace = time.monotonic(), folder / "config.yaml", folder / "ws"
    common = ["--config", config, "--data", data, "--workspace", workspace]
    settings = (*_PATIENT, *(() if whole else _SMALL))
    few = [part for setting in settings for part in ("--set", setting)]
    orders = folder / "orders.csv"
    for command in (
        ["init-mapping", data, "--out", folder / f"{name}.yaml"],
        ["run", "training", *common, *few],
        ["run", "replenishment", *common, "--out", orders],
    ):
        _run(command)
    [run] = (workspace / "runs").glob("training-*")
    plan = pd.read_csv(orders)
    metrics = json.loads((run / "metrics.json").read_text())
    verdict = json.loads((run / "verdict.json").read_text())
    by = verdict["orders_by"]
    return {
        "by": verdict.get("label") or ("network" if by == "challenger" else by),
        "wape": metrics["judged"][by]["points"]["wape"],
        "untuned": untuned_wape(data, company, metrics["ranges"], _horizon(config)),
        "units": float(plan["order_quantity"].sum()),
        "unknown": int(plan["order_quantity"].isna().sum()),
        "minutes": (time.monotonic() - began) / 60,
    }


def _run(command: list[Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, command)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"invopt {command[0]} {command[1]}: {done.stdout[-800:]}{done.stderr}")


def _horizon(config: Path) -> int:
    return int(yaml.safe_load(config.read_text())["features"]["horizon"])


def untuned_wape(data: Path, company: Company, ranges: Mapping[str, Any], horizon: int) -> float:
    """Return the WAPE of LightGBM with its defaults on the gate's periods.

    One model for all series and periods ahead: the sales a season ago, or as many as the horizon
    allows, means of late, the number of the period ahead, its plan, its place in the season.

    Args:
        data: Files of the company.
        company: Whose they are.
        ranges: Of the assessment: the gate's cutoffs, and where training ends.
        horizon: Periods of a forecast.
    """
    import lightgbm as lgb  # noqa: PLC0415  (not part of every installation)

    sales = pd.read_csv(data / "sales.csv")
    if company.freq == "h":  # counted by day, as init-mapping does
        day = pd.to_datetime(sales["date"]).dt.strftime("%Y-%m-%d")
        keys = ["product", "store", "date"]
        sales = sales.assign(date=day).groupby(keys, as_index=False)["quantity"].sum()
        company = replace(company, freq="D", season=_WEEK)
    y = sales.pivot(index=["product", "store"], columns="date", values="quantity").to_numpy(float)
    plan = np.zeros((len(y), y.shape[1] + 14))
    if company.planned:
        marks = pd.read_csv(data / "promotions.csv")
        names = sales[["product", "store"]].drop_duplicates().sort_values(["product", "store"])
        row = {key: n for n, key in enumerate(names.itertuples(index=False, name=None))}
        first = pd.Timestamp(sales["date"].min())
        at = (pd.to_datetime(marks["date"]) - first).dt.days.to_numpy()
        rows = [row[key] for key in marks[["product", "store"]].itertuples(index=False, name=None)]
        plan[rows, at] = 1
    stop = int(ranges["train_stop"])
    model = lgb.LGBMRegressor(verbose=-1, n_jobs=1)
    first_cutoff = min(max(4, horizon), stop - horizon - 2)
    known = [_table(y, plan, company, c, horizon) for c in range(first_cutoff, stop - horizon)]
    model.fit(np.concatenate([t[0] for t in known]), np.concatenate([t[1] for t in known]))
    error = total = 0.0
    for cutoff in ranges["gate"]:
        features, actual = _table(y, plan, company, cutoff, min(horizon, y.shape[1] - cutoff - 1))
        error += np.abs(np.maximum(model.predict(features), 0) - actual).sum()
        total += actual.sum()
    return float(error / total)


def _table(
    y: np.ndarray, plan: np.ndarray, company: Company, cutoff: int, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return features and sales of every series and period ahead of a cutoff."""
    past = y[:, : cutoff + 1]
    means = [past[:, -n:].mean(axis=1) for n in (1, 4, 13, 52)]
    parts = []
    season = company.season or 1
    for step in range(1, horizon + 1):
        back = cutoff + step - season * int(np.ceil(step / season))
        parts.append(np.stack(
            [*means, y[:, max(0, back)], np.full(len(y), step), plan[:, cutoff + step],
             np.full(len(y), (cutoff + step) % season)], axis=1,
        ))  # fmt: skip
    return np.concatenate(parts), y[:, cutoff + 1 : cutoff + 1 + horizon].T.ravel()


def _line(name: str, found: Mapping[str, Any]) -> str:
    company = COMPANIES[name]
    return (
        f"| {name} | {company.series} x {company.periods} {company.freq} | {found['by']} | "
        f"{found['units']:,.0f} | {found['wape']:.3f} | {found['untuned']:.3f} | "
        f"{found['minutes']:.1f} |"
    )
