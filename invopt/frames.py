"""From data frames to orders: the library in four calls, for a person with a notebook.

`read_frames` checks and cleans the frames, `train` learns, `forecast` and `plan` answer with
frames. A frame goes the way of a file: through the same mapping, checks, account and cleaning.
"""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from invopt import contracts
from invopt.cleaning import clean
from invopt.config import CleaningConfig, Config, InventoryConfig, explain_validation
from invopt.contracts import StockRecords
from invopt.errors import ConfigError, ContractError, InvalidInputError
from invopt.features import derived_channels, own_channels
from invopt.inventory.decision import ReviewRules
from invopt.inventory.review import Review, plan_review
from invopt.panel import Panel, load_panel
from invopt.sources.dataset import DatasetReport, read_dataset, read_position
from invopt.sources.first_config import Extent, first_config
from invopt.sources.mapping import DOMAINS, TERMS, Mapping
from invopt.sources.terms import read_terms
from invopt.types import Clock, Notify

if TYPE_CHECKING:
    from invopt.model.forecaster import Forecaster

KEYS = ("unique_id", "ds")
SALES_COLUMNS = ("y", "price", "discount", "is_observed")
TABLES = ("products", "stock", "promotions", "position", "open_orders", *TERMS)
_MAX_FAULTY = 0.01
_STEPS = 400


@dataclass(frozen=True)
class DataSet:
    """Data frames, read: what `train`, `forecast` and `plan` work on.

    Attributes:
        panel: Cleaned, series by period.
        report: Rows used and set aside, sizes, and what a person should know (`report.notes`).
        cleaned: Periods that each rule of cleaning touched (see invopt.cleaning.RULES).
        quarantine: Rows set aside, each with its reason.
        position: Stock now; None when it was not given.
        open_orders: Orders under way; None when they were not given.
        terms: Suppliers, price breaks, receipts, calendar, overrides.
    """

    panel: Panel = field(repr=False)
    report: DatasetReport = field(repr=False)
    cleaned: dict[str, int] = field(repr=False)
    quarantine: pd.DataFrame = field(repr=False)
    position: pd.DataFrame | None = field(repr=False)
    open_orders: pd.DataFrame | None = field(repr=False)
    terms: contracts.TermsTables = field(repr=False)


@dataclass(frozen=True)
class Model:
    """A trained forecaster with the configuration it was trained by.

    Attributes:
        forecaster: Network and preprocessing.
        config: Of its training, and the defaults of `plan`.
    """

    forecaster: "Forecaster" = field(repr=False)
    config: Config = field(repr=False)


def read_frames(
    sales: pd.DataFrame,
    freq: str,
    *,
    max_faulty_share: float = _MAX_FAULTY,
    **tables: pd.DataFrame,
) -> DataSet:
    """Return sales and what else is known, checked, cleaned and lined up by series and period.

    A row that cannot be used is set aside with its reason and counted; nothing is lost silently.

    Args:
        sales: unique_id, ds, y (units sold) and optionally price, discount, is_observed (False
            where a stock-out limited the sales). A period without a row counts as no sale.
        freq: D, W-MON to W-SUN (weeks starting that day) or MS (months).
        max_faulty_share: Share of faulty rows above which the data are refused.
        tables: Further frames by name: products (one row per series: product, location, category,
            unit_cost, pack_size, lead_time ...), stock and promotions (unique_id, ds and numbers;
            those of promotions are planned and may be looked at ahead), position (on_hand,
            on_order, backorders), open_orders (quantity and due or due_in), suppliers,
            price_breaks, receipts, calendar, overrides: columns as docs/your-data.md lists them.

    Raises:
        InvalidInputError: If a column is missing, nothing is usable or too much is faulty.
    """
    unknown = sorted(set(tables) - set(TABLES))
    if unknown:
        raise InvalidInputError(
            f"read_frames knows no table {', '.join(unknown)}; it takes {', '.join(TABLES)}."
        )
    frames = {"sales": sales, **tables}
    mapping = _mapping_of(frames, freq)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, frame in frames.items():
            _of_one_kind(frame).to_parquet(folder / f"{name}.parquet", index=False)
        out = folder / "read"
        report = read_dataset(mapping, folder, out, max_bad_share=max_faulty_share)
        raw = load_panel(out)
        panel, cleaned = clean(_in_memory(raw), CleaningConfig())
        return DataSet(
            panel,
            report,
            cleaned,
            pd.read_parquet(out / "quarantine.parquet"),
            *read_position(out),
            terms=read_terms(out),
        )


def train(
    data: DataSet,
    *,
    steps: int = _STEPS,
    clock: Clock | None = None,
    notify: Notify = lambda _: None,
    **sections: dict[str, Any],
) -> Model:
    """Return a model trained on every period: means and quantiles per period and of sums.

    Lags, windows and horizon fit the frequency and the length of the data, as in the
    configuration that `invopt init-mapping` writes, but for its steps and their rate. Equal data,
    steps and seed give an equal model.

    Args:
        data: What to learn from.
        steps: Optimiser steps; 400 are seconds for tens of series and minutes for thousands.
        clock: Returns seconds, such as time.monotonic; with it training also ends after
            training.max_minutes. None leaves it to the steps.
        notify: Called with lines of progress.
        sections: Fields of the configuration by section, over what fits the data:
            features={"horizon": 14}, inventory={"lead_time": 2}, training={"seed": 1}.

    Raises:
        ConfigError: If a field does not exist or a value is refused; every fault is named.
        InvalidInputError: If torch is not installed or there is nothing to learn from.
    """
    try:
        from invopt.training import fit  # noqa: PLC0415  (torch only where it is used)
    except ModuleNotFoundError as err:
        raise InvalidInputError(
            f"training needs {err.name}, which is not installed: pip install 'invopt[training]'."
        ) from err
    config = _config_of(data, steps, sections)
    panel = _with_derived(data, config)
    with tempfile.TemporaryDirectory() as scratch:
        forecaster = fit(
            panel, config, panel.num_periods, Path(scratch) / "training",
            clock=clock or (lambda: 0.0), notify=notify,
        )  # fmt: skip
    return Model(forecaster, config)


def forecast(model: Model, data: DataSet) -> pd.DataFrame:
    """Return unique_id, cutoff, ds, mean and a quantile per column (q0.05 ...), in units.

    One row per series and period of the horizon, from the last period of the data on. Quantiles
    are whole units where sales are.
    """
    from invopt.forecasts import forecast_frame  # noqa: PLC0415

    panel = _with_derived(data, model.config)
    found = model.forecaster.predict(panel)
    frame = forecast_frame(panel, panel.num_periods - 1, found)
    return frame.astype(dict.fromkeys(frame.select_dtypes("float32").columns, np.float64))


def plan(model: Model, data: DataSet, **costs: Any) -> Review:
    """Return what to order today: `orders`, `purchase_orders` and `exceptions`, as frames.

    Args:
        model: Of these series.
        data: With the stock `position`; without it levels are told and nothing is ordered.
        costs: Fields of the section inventory (lead_time, review_period, holding_rate,
            stockout_margin ...) over those of the training; columns of products go before both.

    Raises:
        ConfigError: If a field does not exist or a value is refused.
    """
    config = model.config.inventory
    if costs:
        config = _validated(InventoryConfig, config.model_dump() | costs, "inventory")
    panel = _with_derived(data, model.config)
    found = model.forecaster.predict(panel)
    is_count = model.forecaster.spec.is_count
    rules = ReviewRules(config=config, model_version="frames", is_count=is_count)
    recorded = StockRecords(data.position, data.open_orders)
    return plan_review(panel, found, recorded, data.terms, rules)


def _mapping_of(frames: dict[str, pd.DataFrame], freq: str) -> Mapping:
    """Return the mapping of frames that bear the names of the contracts."""
    parts: dict[str, Any] = {
        "name": "frames",
        "frequency": freq,
        "unique_id": "unique_id",
        "sources": {name: f"{name}.parquet" for name in frames},
    }
    for name, frame in frames.items():
        _refuse_without(name, frame, ["unique_id"] if name not in TERMS else [])
        parts[name] = {"from": name} | _columns_of(name, frame)
    return _validated(Mapping, parts, "frames")


def _columns_of(name: str, frame: pd.DataFrame) -> dict[str, Any]:
    """Return the part of a mapping that says which columns a frame has."""
    named = {str(c): f'"{c}"' for c in frame.columns if str(c) not in KEYS}
    if name == "sales":
        _refuse_without(name, frame, ["ds", "y"])
        return {"ds": "ds", "columns": {c: named[c] for c in SALES_COLUMNS if c in named}}
    if name in DOMAINS:
        _refuse_without(name, frame, ["ds"])
        planned = {"known": True, "fill": "zero"} if name == "promotions" else {}
        return {"level": "unique_id", "key": "unique_id", "ds": "ds", "columns": named} | planned
    if name == "products":
        numbers = set(frame.select_dtypes("number").columns) - set(contracts.PRODUCT_NUMBERS)
        return {
            "unique_id": "unique_id",
            "columns": {
                c: {"expr": text, "type": "number"} if c in numbers else text
                for c, text in named.items()
            },
        }
    if name in TERMS and "ds" in frame:
        named["ds"] = "ds"
    own = {"unique_id": "unique_id"} if "unique_id" in frame else {}
    dated = {"ds": "ds"} if name == "position" and "ds" in frame else {}
    return {"columns": named} | own | dated


def _refuse_without(name: str, frame: pd.DataFrame, columns: list[str]) -> None:
    for column in columns:
        if column not in frame.columns:
            raise ContractError(
                name, column, "be a column of the frame",
                advice=f"It has {', '.join(map(str, frame.columns))}.",
            )  # fmt: skip


def _in_memory(panel: Panel) -> Panel:
    """Return the panel with its arrays off the disk."""
    channels = [replace(c, values=np.array(c.values)) for c in panel.channels.values()]
    loaded = replace(panel, y=np.array(panel.y), flags=np.array(panel.flags))
    return loaded.with_channels(channels)


def _of_one_kind(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns of several kinds, such as dates and text, are text."""
    mixed = {
        str(name): column.map(str, na_action="ignore")
        for name, column in frame.items()
        if column.dtype == object and column.dropna().map(type).nunique() > 1
    }
    return frame.assign(**mixed)


def _with_derived(data: DataSet, config: Config) -> Panel:
    panel = data.panel
    derived = derived_channels([panel], config.features)
    return panel.with_channels([*derived, *own_channels(panel, config.features)])


def _config_of(data: DataSet, steps: int, sections: dict[str, dict[str, Any]]) -> Config:
    """Return the configuration that fits the data, with what the caller wants otherwise."""
    panel = data.panel
    leads: list[float] = (
        panel.series["lead_time"].dropna().tolist() if "lead_time" in panel.series else []
    )
    extent = Extent(
        panel.timeline.freq,
        panel.num_periods,
        int(max(leads)) if len(leads) else None,
        has_location=panel.series["location"].nunique() > 1,
        has_category="category" in panel.series,
        num_series=panel.num_series,
    )
    content, _ = first_config("frames", "frames.yaml", extent, ())
    content["training"]["max_steps"] = steps
    # The rate is for the steps that the file names, and was not tried with others.
    content["training"].pop("learning_rate", None)
    content["training"].pop("num_members", None)
    for section, fields in sections.items():
        content[section] = content.get(section, {}) | fields
    return _validated(Config, content, "configuration")


def _validated(model: type[Any], content: dict[str, Any], what: str) -> Any:
    try:
        return model.model_validate(content)
    except ValidationError as err:
        raise ConfigError(f"{what}: {explain_validation(err, model)}.") from err
