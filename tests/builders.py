"""Small real things for tests: plain functions with defaults for what does not matter."""

from pathlib import Path

import numpy as np
import pandas as pd

from invopt.config import Config, FeaturesConfig, load_config
from invopt.features import FeatureEncoder, derived_channels, own_channels
from invopt.model.forecaster import Forecaster
from invopt.model.network import DemandNetwork, NetworkSizes
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.timeline import Timeline

# Every kind of feature, small.
SMALL_FEATURES = FeaturesConfig(
    horizon=14,
    context_steps=4,
    windows=(7, 14, 28),
    aggregates=(("location", "category"),),
    event_channels=("event=*",),
    event_leads=(1, -1),
    monthly_sales=2,
    month_of_year=True,
)
CONFIGS = Path(__file__).parent.parent / "pipelines" / "configs"


def make_panel(
    num_series: int = 6,
    num_periods: int = 120,
    seed: int = 0,
    *,
    freq: str = "D",
    start: str = "2024-01-01",
    future: int = 14,
    late: int = 0,
) -> Panel:
    """Return a panel with weekly seasons, prices, a promotion and a region channel.

    Args:
        late: Periods before the launch of the last series.
    """
    rng = np.random.default_rng(seed)
    level = rng.lognormal(1.0, 0.7, num_series)
    season = 1 + 0.5 * np.sin(2 * np.pi * np.arange(num_periods) / 7)
    y = rng.poisson(level[:, None] * season).astype(np.int16)
    flags = np.zeros(y.shape, np.uint8)
    if late:
        y[-1, :late] = 0
        flags[-1, :late] = Flag.BEFORE_LAUNCH
    ids = [f"p{i % 3}_s{i // 3}" for i in range(num_series)]
    series = pd.DataFrame(
        {
            "unique_id": ids,
            "product": [f"p{i % 3}" for i in range(num_series)],
            "location": [f"s{i // 3}" for i in range(num_series)],
            "category": ["dry" if i % 3 else "fresh" for i in range(num_series)],
            "region": ["north" if i // 3 % 2 else "south" for i in range(num_series)],
            "list_price": rng.uniform(1, 9, num_series),
        }
    )
    order = np.argsort(ids)
    series, y, flags = series.iloc[order].reset_index(drop=True), y[order], flags[order]
    own = tuple(series["unique_id"])
    total = num_periods + future
    price = series["list_price"].to_numpy()[:, None] * rng.choice([0.8, 1.0], (num_series, total))
    promotion = (rng.random((num_series, total)) < 0.1).astype(np.float32)
    warm = rng.normal(10, 5, (2, num_periods)).astype(np.float32)
    holiday = (np.arange(total) % 50 == 10).astype(np.float32)[None]
    panel = Panel(Timeline(pd.Timestamp(start), freq, num_periods), series, y, flags)
    return panel.with_channels(
        [
            Channel(
                "price", "market", SERIES_LEVEL, own, True, price.astype(np.float32), "forward"
            ),
            Channel("promotion", "promotions", SERIES_LEVEL, own, True, promotion, "zero"),
            Channel("temperature", "external", "region", ("north", "south"), False, warm),
            Channel("event=holiday", "external", "all", ("",), True, holiday, "zero"),
        ]
    )


def make_config(**sections: dict[str, object]) -> Config:
    """Return a configuration small enough for a test; sections update its own."""
    base = load_config(CONFIGS / "demo.yaml").model_dump(mode="json")
    small: dict[str, dict[str, object]] = {
        "features": {
            "horizon": 14,
            "context_steps": 4,
            "windows": [7, 14, 28],
            "aggregates": [["location", "category"]],
            "monthly_sales": 2,
            "month_of_year": True,
        },
        "model": {"hidden_size": 8, "decoder_size": 8},
        "training": {"max_steps": 12, "batch_size": 8, "fork_after": 1, "max_minutes": 5},
        "tuning": {"num_trials": 0},
        "evaluation": {"gate_periods": 14, "selection_periods": 14},
        "inventory": {"lead_time": 2, "review_period": 7},
    }
    for name, values in small.items():
        base[name] |= values
    for name, values in sections.items():
        base[name] |= values
    return Config.model_validate(base)


def with_derived(panel: Panel, config: Config) -> Panel:
    """Return the panel with the channels the configuration derives."""
    features = config.features
    return panel.with_channels(
        [*derived_channels([panel], features), *own_channels(panel, features)]
    )


def make_forecaster(panel: Panel, config: Config, seed: int = 0) -> Forecaster:
    """Return an untrained forecaster whose weights are not all at their start."""
    import torch

    spec = FeatureEncoder.fit(panel, config.features, panel.num_periods).spec
    torch.manual_seed(seed)
    network = DemandNetwork(NetworkSizes.of(spec), config.model)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return Forecaster(spec, config.model, [network.eval()])


def write_files(folder: Path, **files: str) -> Path:
    """Write text files named NAME_csv or NAME_yaml and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text)
    return folder
