"""What was learned of the training range: everything that turns a panel into model inputs."""

import fnmatch
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from invopt.config import EXCEPT, FeaturesConfig
from invopt.errors import ContractError
from invopt.features.calendar import calendar_names
from invopt.features.first_level import LaunchModel
from invopt.types import Float32Array

SPEC_VERSION = 2
PRICE = "price"
CATEGORY_PRICE = "log_price@category"


@dataclass(frozen=True)
class ChannelScale:
    """How one channel is standardised: (value - mean) / scale, 0 where missing.

    Attributes:
        name: Of the channel.
        level: Of its groups.
        mean: Of what training saw.
        scale: Its deviation; 1 for a flag, which stays 0 or 1.
        lowest: Values below count as this one; None leaves them as they are.
        highest: Values above count as this one: what a discount of a size that nobody gave before
            does is not known, and a network that draws its line on would multiply sales by it.
    """

    name: str
    level: str
    mean: float
    scale: float
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """Everything needed to turn a panel into model inputs; plain data, saved as JSON.

    Attributes:
        version: Of this format.
        config: The features section it was fitted with.
        freq: Frequency of the panel.
        trained_until: Last period the fit saw.
        is_count: True when sales are whole numbers.
        unit: Units of y that the model counts as one (1 for whole-number sales).
        categories: Known values by static column; anything else is "unknown", index 0.
        static_numbers: Numeric columns of products with the mean and scale of log1p.
        past: Series channels seen up to the cutoff.
        shared_past: Group channels seen up to the cutoff.
        planned: Series channels known ahead (without price).
        calendar: Group channels known ahead, part of the calendar.
        has_price: True when the panel has prices by series.
        price_ahead: True when they are known ahead, False when they are known once charged.
        price_mean: Mean log price.
        price_scale: Standard deviation of log price.
        launch: Level of a series without history.
        silent: Channels that said nothing in the training range.
    """

    version: int
    config: FeaturesConfig
    freq: str
    trained_until: str
    is_count: bool
    unit: float
    categories: dict[str, tuple[str, ...]]
    static_numbers: tuple[ChannelScale, ...]
    past: tuple[ChannelScale, ...]
    shared_past: tuple[ChannelScale, ...]
    planned: tuple[ChannelScale, ...]
    calendar: tuple[ChannelScale, ...]
    has_price: bool
    price_ahead: bool = True
    price_mean: float = 0.0
    price_scale: float = 1.0
    launch: LaunchModel = field(default_factory=lambda: LaunchModel(0.0))
    silent: tuple[str, ...] = ()

    @property
    def calendar_columns(self) -> list[str]:
        """Names of the columns of EncodedPanel.calendar."""
        names = calendar_names(self.config, self.freq)
        names += [c.name for c in self.calendar]
        for c in self.calendar:
            if matches(c.name, self.config.event_channels):
                names += [f"{c.name}@{lead:+d}" for lead in self.config.event_leads]
        return names

    def save(self, path: Path) -> None:
        """Write the spec as JSON."""
        content = asdict(self) | {"config": self.config.model_dump(mode="json")}
        path.write_text(json.dumps(content, indent=1))

    @classmethod
    def load(cls, path: Path) -> "FeatureSpec":
        """Read a spec written by save.

        Raises:
            ContractError: If it is of another version.
        """
        content = json.loads(path.read_text())
        if content["version"] != SPEC_VERSION:
            is_newer = isinstance(content["version"], int) and content["version"] > SPEC_VERSION
            raise ContractError(
                "FeatureSpec", "version", f"be {SPEC_VERSION} in {path}",
                examples=[content["version"]],
                advice="A newer invopt made it: install that, or train again with this one."
                if is_newer else "An older invopt made it: train again.",
            )  # fmt: skip
        scales = {
            name: tuple(ChannelScale(**c) for c in content[name])
            for name in ("static_numbers", "past", "shared_past", "planned", "calendar")
        }
        categories = {name: tuple(values) for name, values in content["categories"].items()}
        config = FeaturesConfig.model_validate(content["config"])
        launch = LaunchModel(
            content["launch"]["log_mean"],
            tuple(tuple(effects) for effects in content["launch"]["categories"]),
            tuple(content["launch"]["numbers"]),
        )
        silent = tuple(content.get("silent", ()))  # versions before did not tell
        found = {"config": config, "categories": categories, "launch": launch, "silent": silent}
        return cls(**(content | scales | found))


def aggregate_names(config: FeaturesConfig) -> list[str]:
    """Return the names of the channels of total sales by group, one per configured aggregate."""
    return [f"sales@{'+'.join(columns)}" for columns in config.aggregates]


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a name fits one of some patterns, and none that begins with "!"."""
    if any(fnmatch.fnmatchcase(name, p[1:]) for p in patterns if p.startswith(EXCEPT)):
        return False
    return any(fnmatch.fnmatchcase(name, p) for p in patterns if not p.startswith(EXCEPT))


def standardise(values: npt.NDArray[Any], scale: ChannelScale) -> Float32Array:
    """Return values on a channel's scale, within its bounds, 0 where missing."""
    known = np.asarray(values, np.float32)
    if scale.lowest is not None and scale.highest is not None:
        known = np.clip(known, scale.lowest, scale.highest)
    return np.nan_to_num((known - scale.mean) / scale.scale)


def log_price_of(values: npt.NDArray[Any]) -> Float32Array:
    """Return natural logarithms, NaN where a price is not above 0."""
    price = np.asarray(values, np.float32)
    return np.log(np.where(price > 0, price, np.nan))
