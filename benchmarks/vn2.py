"""VN2's six rounds on weeks before the competition: our orders beside the references'.

Each window trains on the weeks before it only, then plays six rounds by VN2's rules; the cost of
weeks 3 to 8 counts, as in the competition. Windows start where the official benchmark policy,
with three weeks of cover, left the stock after half a year.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.data import data_folder, read_panel
from invopt.config import Config, load_config
from invopt.inventory import Opening, Terms, order_up_to, simulate, terms_of
from invopt.inventory.backtest import forecast_rule
from invopt.inventory.references import (
    History,
    reference_rules,
    season_places,
    seasonal_average,
)
from invopt.panel import Panel
from invopt.training import fit
from invopt.types import FloatArray, IntArray

CONFIG = Path(__file__).resolve().parent.parent / "pipelines" / "configs" / "vn2.yaml"
# Cutoffs of windows whose scored weeks do not overlap; 104 ends a year before the competition.
CUTOFFS = (148, 142, 136, 130, 124, 118, 112, 104)
ROUNDS, WEEKS, WARMUP, SETTLE = 6, 8, 2, 26
OURS, OFFICIAL = "invopt", "official benchmark"


@dataclass(frozen=True)
class Game:
    """VN2's data as far as they were known before the competition.

    Attributes:
        panel: Cleaned, with derived channels.
        sales: (series, weeks) units, what the competition's simulator takes for demand.
        terms: Of the competition.
        season: Week of the year of each week, reaching past the last.
    """

    panel: Panel
    sales: FloatArray
    terms: Terms
    season: IntArray

    def history(self, first: int) -> History:
        """Return what references look back on when week `first` ends the known ones."""
        stop = first + WEEKS + 1
        observed = self.panel.is_observed[:, :stop]
        demand = np.where(observed, self.sales[:, :stop], np.nan)
        return History(demand, self.season, first, recent=13)


def main(rest: list[str]) -> None:
    """Print the cost of every policy in every window, with mean and spread."""
    parser = argparse.ArgumentParser(prog="invopt bench vn2")
    parser.add_argument("--data", type=Path, help="folder of the VN2 files")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--cutoffs", type=int, nargs="+", default=CUTOFFS)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parsed = parser.parse_args(rest)
    config = load_config(parsed.config, parsed.overrides)
    game = load_game(parsed.data or data_folder("vn2"), config)
    costs = {}
    for cutoff in parsed.cutoffs:
        started = time.monotonic()
        costs[cutoff] = play_window(game, config, cutoff)
        told = ", ".join(f"{name} {cost:,.0f}" for name, cost in costs[cutoff].items())
        print(f"after week {cutoff} ({time.monotonic() - started:.0f} s): {told}", flush=True)
    print(report(pd.DataFrame(costs).T))


def load_game(folder: Path, config: Config) -> Game:
    """Read the data set as the training pipeline does."""
    panel = read_panel(folder, config)
    return Game(
        panel,
        np.asarray(panel.y, np.float64),
        terms_of(panel.series, None, config.inventory),
        season_places(panel.timeline, panel.num_periods + 2 * WEEKS),
    )


def play_window(game: Game, config: Config, cutoff: int) -> dict[str, float]:
    """Return the cost of weeks 3 to 8 after a cutoff by policy, our own trained before it."""
    history = game.history(cutoff)
    opening = opening_state(game, cutoff)
    demand = game.sales[:, cutoff : cutoff + WEEKS + 1].copy()
    demand[:, 0] = 0  # the week that ends with the first order is over
    rules = reference_rules(history, game.terms)
    four = np.full(len(demand), 4)
    official = np.stack([seasonal_average(history, t, four) for t in history.reviews], axis=1)
    rules[OFFICIAL] = order_up_to(official, game.terms)
    with tempfile.TemporaryDirectory() as scratch:
        forecaster = fit(
            game.panel, config, cutoff + 1, Path(scratch) / "training", clock=time.monotonic
        )
    forecasts = {k: forecaster.predict(game.panel, cutoff + k) for k in range(ROUNDS)}
    rules[OURS] = forecast_rule(forecasts, game.terms, WEEKS + 1, config.inventory, is_count=True)
    return {
        name: float(simulate(demand, rule, game.terms, opening, warmup=WARMUP + 1).cost.sum())
        for name, rule in rules.items()
    }


def opening_state(game: Game, cutoff: int) -> Opening:
    """Return the stock and the two orders under way at the end of a week, after a settled half
    year of the seasonal average with three weeks of cover."""
    history = game.history(cutoff)
    cover = np.full(len(game.sales), 3)
    weeks = range(cutoff - SETTLE, cutoff)
    stock = seasonal_average(history, weeks[0], cover)
    placed: list[FloatArray] = [np.zeros_like(stock)] * 2
    for week in weeks:
        level = seasonal_average(history, week, cover)
        placed.append(np.maximum(level - stock - placed[-1] - placed[-2], 0))
        stock = np.maximum(stock + placed[-3] - game.sales[:, week + 1], 0)
    return Opening(stock, np.stack([np.zeros_like(stock), placed[-2], placed[-1]], axis=1))


def report(costs: pd.DataFrame) -> str:
    """Return costs by window and policy as text, with mean, spread and our distance to each."""
    ours = costs[OURS]
    lines = [costs.round(0).astype(int).to_string(), ""]
    for name in costs:
        change = ours / costs[name] - 1
        lines.append(
            f"{name:25s} mean {costs[name].mean():7,.0f}  spread {costs[name].std():6,.0f}"
            f"  invopt {ours.sum() / costs[name].sum() - 1:+6.1%}"
            f"  ({change.min():+.1%} to {change.max():+.1%} by window)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main([])
