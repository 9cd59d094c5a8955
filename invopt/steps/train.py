"""From a panel to the folder of a trained model."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from invopt.attribution import NUM_EXPLAINED, save_reference
from invopt.config import Config
from invopt.evaluation import ranges_of
from invopt.features import FeatureEncoder, model_inputs
from invopt.files import replacing_folder, write_json
from invopt.history import fit_config, refuse_unusable
from invopt.inventory.costs import refuse_unorderable
from invopt.model import Forecaster, export_onnx
from invopt.model_files import JUDGED
from invopt.panel import Panel, load_panel, spread_rows
from invopt.training import TrainMembers, fit, read_history
from invopt.types import Clock, Notify


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a training takes place.

    Attributes:
        clock: Returns seconds, from any start: those that the training may take are counted by it.
        memory: Bytes it may take here; None leaves it unchecked.
        scratch: Folder it lives in; None for one beside the model.
        train_members: Trains on other machines, which share that folder; None trains here.
    """

    clock: Clock
    memory: int | None = None
    scratch: Path | None = None
    train_members: TrainMembers | None = None


def train_model(source: str, config: Config, out: str, place: Placement, notify: Notify) -> None:
    """Train on everything before the gate's weeks and write the model, ONNX graph included."""
    panel = load_panel(Path(source))
    run, notes = fit_config(config, panel.timeline)
    refuse_unusable(panel, run.evaluation)
    refuse_unorderable(panel, run.inventory, run.features.horizon)
    seen = panel.truncate(ranges_of(panel.num_periods, run.evaluation).train_stop)
    _fit_and_save(seen, (run, notes), Path(out), place, notify)


def refit_model(
    judged: str, source: str, config: Config, out: str, place: Placement, notify: Notify
) -> None:
    """Write the model to serve: trained once more on every period, or the judged one as it is.

    The judged model proved the recipe on weeks it had not seen; the one that serves learns from
    these weeks too. The judged one goes with it: when the next challenger is judged on weeks
    that the refitted champion has learned from, it stands in for it.
    """
    if not config.training.refit:
        with replacing_folder(Path(out)) as folder:
            shutil.copytree(judged, folder, dirs_exist_ok=True)
        return
    panel = load_panel(Path(source))
    fitted = fit_config(config.for_refit(), panel.timeline)
    _fit_and_save(panel, fitted, Path(out), place, notify)
    shutil.copytree(judged, Path(out) / JUDGED)


def _fit_and_save(
    seen: Panel,
    fitted: tuple[Config, Sequence[str]],
    out: Path,
    place: Placement,
    notify: Notify,
) -> None:
    """Train on every period of a panel and write the model folder.

    Args:
        seen: What may be learned from.
        fitted: The configuration, and what of it did not fit the history.
        out: Folder to write.
        place: Of the training.
        notify: Called with lines of progress.
    """
    config, notes = fitted
    scratch = place.scratch or out.with_name(f"{out.name}-training")
    forecaster = fit(
        seen, config, seen.num_periods, scratch,
        clock=place.clock, notify=notify, memory=place.memory,
        train_members=place.train_members,
    )  # fmt: skip
    forecaster.save(out)
    difference = _export(forecaster, seen, out)
    history = [read_history(scratch, n) for n in range(config.training.num_members)]
    write_json(
        out / "training.json",
        {
            "onnx_difference": difference,
            "onnx_bytes": (out / "model.onnx").stat().st_size,
            "num_periods": seen.num_periods,
            "history": history,
            "fitted": list(notes),
            "config": config.model_dump(mode="json"),
        },
    )
    notify(f"exported to ONNX, equal to torch within {difference:.1e}")


def _export(forecaster: Forecaster, seen: Panel, out: Path) -> float:
    """Write the ONNX graph and the inputs it was compared on; returns the largest difference."""
    rows = spread_rows(seen, NUM_EXPLAINED)
    encoded = FeatureEncoder(forecaster.spec).encode(seen)
    ends = np.full(len(rows), seen.num_periods - 1)
    inputs = model_inputs(forecaster.spec, encoded, rows, ends)
    difference = export_onnx(forecaster, out / "model.onnx", inputs)
    save_reference(out / "reference.npz", inputs)
    return difference
