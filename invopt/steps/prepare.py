"""From a snapshot to a panel with features."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from invopt.cleaning import clean, whole_of
from invopt.config import CleaningConfig, EvaluationConfig, FeaturesConfig
from invopt.evaluation import ranges_of
from invopt.features import FeatureEncoder, derived_channels, own_channels
from invopt.files import replacing_folder, write_json
from invopt.history import fit_sections, told
from invopt.panel import Panel, partitions, sample_panel
from invopt.sources.terms import read_terms
from invopt.types import Notify

MAX_FIT_SERIES = 40_000  # series that scales are learned from


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How a snapshot is prepared.

    Attributes:
        cleaning: Section of the configuration.
        features: Section of the configuration.
        evaluation: Section of the configuration; it says where the training range ends.
    """

    cleaning: CleaningConfig
    features: FeaturesConfig
    evaluation: EvaluationConfig


def prepare(source: Path, how: Preparation, out: str, counts: str, notify: Notify) -> None:
    """Clean a snapshot and write its panel with features, and what cleaning did.

    The cleaned panel lives beside the result until that is written.
    """
    folder = Path(out).parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cleaned-", dir=folder) as scratch:
        cleaned = str(Path(scratch) / "panel")
        clean_partitions(source, how.cleaning, cleaned, counts, notify)
        build_feature_panel(cleaned, how.features, how.evaluation, out, notify)


def clean_partitions(
    source: Path, config: CleaningConfig, out: str, counts: str, notify: Notify
) -> None:
    """Clean every partition of a snapshot into a folder of partitions."""
    total: dict[str, int] = {}
    parts = partitions(source)
    whole = whole_of([Panel.load(part) for part in parts], read_terms(source).calendar)
    with replacing_folder(Path(out)) as folder:
        for part in parts:
            panel, found = clean(Panel.load(part), config, whole)
            panel.save(folder / part.name if len(parts) > 1 else folder / "part-0000")
            total = {rule: total.get(rule, 0) + n for rule, n in found.items()}
            notify(f"cleaned {part.name} of {len(parts)} partitions")
    write_json(counts, total)


def build_feature_panel(
    source: str, features: FeaturesConfig, evaluation: EvaluationConfig, out: str, notify: Notify
) -> None:
    """Add derived channels to every partition and fit the feature spec on the training range.

    What the length of the history does not allow is shrunk, or refused, here: before any training.
    """
    parts = partitions(Path(source))
    fitted = fit_sections(features, evaluation, Panel.load(parts[0]).timeline)
    config = fitted.features
    if fitted.notes:
        notify(told(fitted.notes))
    derived = derived_channels((Panel.load(p) for p in parts), config)
    with replacing_folder(Path(out)) as folder:
        for part in parts:
            panel = Panel.load(part)
            panel.with_channels([*derived, *own_channels(panel, config)]).save(folder / part.name)
        panel, series = sample_panel(folder, MAX_FIT_SERIES)
        ranges = ranges_of(panel.num_periods, fitted.evaluation)
        spec = FeatureEncoder.fit(panel, config, ranges.train_stop, series).spec
        spec.save(folder / "features.json")
    notify(f"features of {len(series):,} series over {panel.num_periods:,} periods")
