"""A challenger beside champion and baselines, and what its forecasts come from."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from invopt.assessment import CHALLENGER, Assessment, assess
from invopt.attribution import NUM_EXPLAINED
from invopt.challenger import write_candidates
from invopt.config import Config
from invopt.effects import effects_of
from invopt.evaluation import Window, ranges_of
from invopt.explain import explain
from invopt.fallback import told, tried
from invopt.features.leaks import find_leaks
from invopt.files import read_json, replacing_folder, write_json
from invopt.history import fit_config
from invopt.judged import NetworkPlayed
from invopt.model import Forecaster
from invopt.model_files import BASELINES, JUDGED, is_older, label_of
from invopt.panel import Panel, load_panel, spread_rows
from invopt.runtime import Forecasting, OnnxForecaster, load_forecaster
from invopt.sources.terms import read_terms
from invopt.steps.compose import NETWORK_PART, rules_folder
from invopt.types import Clock, Json, Notify

NUM_FANS = 8
FAN_HISTORY = 120


@dataclass(frozen=True, kw_only=True)
class Contenders:
    """Folders of the models that are compared.

    Attributes:
        challenger: Of the model that was trained.
        champion: Of the one that orders today; None where there is none.
    """

    challenger: Path
    champion: Path | None


def assess_model(
    contenders: Contenders,
    source: str,
    config: Config,
    out: str,
    *,
    clock: Clock,
    notify: Notify,
    snapshot: Path | None = None,
) -> dict[str, float]:
    """Write the assessment of a challenger and return its point metrics and cost.

    Args:
        contenders: What is compared.
        source: The panel.
        config: Of the run.
        out: Folder to write.
        clock: Seconds.
        notify: Called with lines of progress.
        snapshot: Holds the tables of planning, where the data have any.
    """
    panel = load_panel(Path(source))
    run, _ = fit_config(config, panel.timeline)
    ranges = ranges_of(panel.num_periods, run.evaluation)
    challenger = OnnxForecaster(contenders.challenger)
    incumbent = _incumbent(contenders.champion, notify)
    with replacing_folder(Path(out)) as folder:
        folders = write_candidates(
            panel, run, ranges.train_stop, folder / BASELINES, clock=clock, notify=notify
        )
        notify("forecasting the gate's weeks with every candidate")
        found = assess(
            challenger,
            incumbent,
            panel,
            run,
            is_count=challenger.spec.is_count,
            baselines={name: OnnxForecaster(path) for name, path in folders.items()},
            tables=None if snapshot is None else read_terms(snapshot),
        )
        own = found.judged[CHALLENGER]
        folds = _cross_validated(panel, run, folder / "folds", clock, notify)
        baselines = {
            name: {"label": label_of(path), "folder": path.name} for name, path in folders.items()
        }
        leaks = [asdict(leak) for leak in find_leaks(panel, challenger.spec)]
        more = {"baselines": baselines, "leaks": leaks, "cross_validation": folds}
        write_json(folder / "metrics.json", _content(found) | _composed(found) | more)
        _save_rules(found, baselines, folder)
        _fans(panel, own.windows[0]).to_parquet(folder / "fans.parquet", index=False)
    if found.network is not None:
        notify(network_words(found.network))
    for main, composed in found.fallback.items():
        notify(tried(told(composed, main), main))
    notify(
        f"WAPE {own.points['wape']:.3f}, order cost {found.cost.change:+.1%} "
        f"compared with {found.incumbent}"
    )
    return own.points | {"cost": own.money["cost"], "cost_change": found.cost.change}


def _incumbent(champion: Path | None, notify: Notify) -> Forecasting | None:
    """Return the champion as it was judged; None where there is none to compare with."""
    if champion is None:
        return None
    if is_older(champion):
        # Nobody reads it any more, and an upgrade must not end all training.
        notify("the champion is of an older format: the challenger is judged against baselines")
        return None
    judged = champion / JUDGED
    return load_forecaster(judged if judged.is_dir() else champion)


def _content(found: Assessment) -> Json:
    return {
        "ranges": asdict(found.ranges),
        "judged": {name: judged.metrics() for name, judged in found.judged.items()},
        "incumbent": found.incumbent,
        "cost": asdict(found.cost),
        "best_baseline": found.best_baseline,
        "baseline_cost": asdict(found.baseline_cost),
        "rival_cost": asdict(found.rival_cost),
        "sold": found.sold,
        "shortages": found.shortages,
        "scale": found.scale,
        "foresight": found.foresight,
        "not_replayed": found.not_replayed,
        "network": None if found.network is None else asdict(found.network),
        "groups": found.groups,
        "group_losses": [asdict(loss) for loss in found.group_losses],
        "references": found.references,
    }


def _composed(found: Assessment) -> Json:
    """Return what is written of models of parts, with the challenger's own on the later weeks."""
    later = None if found.later is None else _content(found.later)
    fallback = {main: told(own, main) for main, own in found.fallback.items()}
    return {"fallback": fallback, "later": later}


def _save_rules(found: Assessment, baselines: Json, folder: Path) -> None:
    """Write the rules of each model of parts, candidates named by their folders."""
    names = {CHALLENGER: NETWORK_PART} | {n: b["folder"] for n, b in baselines.items()}
    for main, own in found.fallback.items():
        place = rules_folder(folder, main)
        place.mkdir(parents=True)
        own.parts.renamed(names).save(place)


def network_words(played: NetworkPlayed) -> str:
    """Return what was replayed as a network."""
    many = played.places
    places = ", ".join(many[:3]) + (f" and {len(many) - 3:,} more" if len(many) > 3 else "")
    return (
        f"a network was replayed: {places} supplied {played.replayed:,} of its {played.series:,} "
        "series, and could run out"
    )


def stand_in_model(
    assessment: str, source: str, config: Config, name: str, out: str, notify: Notify
) -> str:
    """Write the model folder of a candidate that is to order, and return its label.

    Fitted once more on every period where networks are, as it was judged otherwise; see
    refit_model.
    """
    found = read_json(Path(assessment) / "metrics.json")["baselines"][name]
    judged = Path(assessment) / BASELINES / found["folder"]
    with replacing_folder(Path(out)) as folder:
        if not config.training.refit:
            shutil.copytree(judged, folder, dirs_exist_ok=True)
            return label_of(folder)
        panel = load_panel(Path(source))
        run, _ = fit_config(config, panel.timeline)
        [made] = write_candidates(
            panel, run, panel.num_periods, folder / BASELINES, names=[name], notify=notify
        ).values()
        shutil.copytree(made, folder, dirs_exist_ok=True)
        shutil.rmtree(folder / BASELINES)
        shutil.copytree(judged, folder / JUDGED)
        return label_of(folder)


def _cross_validated(
    panel: Panel, config: Config, scratch: Path, clock: Clock, notify: Notify
) -> Json:
    if not config.evaluation.num_folds:
        return {}
    from invopt.crossvalidation import cross_validate  # noqa: PLC0415  (imports Lightning: 6 s)

    found = cross_validate(panel, config, scratch, clock=clock, notify=notify)
    shutil.rmtree(scratch)
    return found


def explain_model(model: str, source: str, config: Config, out: str, notify: Notify) -> None:
    """Write importance by feature, the attributions of some series, and what plans do to them."""
    panel = load_panel(Path(source))
    run, _ = fit_config(config, panel.timeline)
    cutoff = ranges_of(panel.num_periods, run.evaluation).gate[0]
    rows = spread_rows(panel, NUM_EXPLAINED)
    forecaster = Forecaster.load(Path(model))
    found = explain(forecaster, panel, rows, cutoff)
    effects = effects_of(forecaster, panel.select(rows), cutoff)
    write_json(
        out,
        {
            "effects": [asdict(effect) for effect in effects],
            "importance": found.importance(),
            "additivity_error": found.additivity_error,
            "base": found.base,
            "features": found.features,
            "series": {
                unique_id: {"forecast": float(forecast), "values": values.tolist()}
                for unique_id, forecast, values in zip(
                    found.unique_ids, found.forecast, found.values, strict=True
                )
            },
        },
    )
    notify(f"attributions add up within {found.additivity_error:.1e}")


def explain_stand_in(model: str, source: str, config: Config, out: str) -> None:
    """Write what plans do to the forecasts of a candidate that orders in a network's place."""
    panel = load_panel(Path(source))
    run, _ = fit_config(config, panel.timeline)
    cutoff = ranges_of(panel.num_periods, run.evaluation).gate[0]
    sample = panel.select(spread_rows(panel, NUM_EXPLAINED))
    effects = effects_of(load_forecaster(Path(model)), sample, cutoff)
    write_json(out, {"effects": [asdict(effect) for effect in effects]})


def _fans(panel: Panel, window: Window) -> pd.DataFrame:
    """Return history, forecast and actuals for a few series, best sellers to slow ones."""
    volume = np.asarray(panel.y[:, : window.cutoff], np.float64)[:, -90:].sum(axis=1)
    order = np.argsort(-volume, kind="stable")
    sold = order[: max(1, int((volume > 0).sum()))]
    picks = sold[np.linspace(0, 0.9 * (len(sold) - 1), min(NUM_FANS, len(sold))).astype(int)]
    demand = panel.demand()
    horizon, told = window.forecast.mean.shape[1], window.forecast.quantiles
    parts = []
    for row in dict.fromkeys(picks.tolist()):
        first = max(0, window.cutoff + 1 - FAN_HISTORY)
        stop = min(panel.num_periods, window.cutoff + 1 + horizon)
        dates = panel.timeline.dates(first, window.cutoff + 1 + horizon)
        part = pd.DataFrame({"unique_id": panel.unique_ids[row], "ds": dates})
        part.loc[: stop - first - 1, "y"] = demand[row, first:stop]
        ahead = slice(window.cutoff + 1 - first, None)
        part.loc[part.index[ahead], "mean"] = window.forecast.mean[row]
        for number, level in enumerate(window.forecast.quantile_levels):
            part.loc[part.index[ahead], f"q{level:g}"] = told[row, :, number]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
