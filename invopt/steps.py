"""What each pipeline step does, between the files it reads and the files it writes."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.cleaning import clean, whole_of
from invopt.config import CleaningConfig, Config, EvaluationConfig, FeaturesConfig
from invopt.evaluation import ranges_of
from invopt.features import FeatureEncoder, derived_channels, model_inputs, own_channels
from invopt.files import (
    read_csv,
    read_json,
    replacing_file,
    replacing_folder,
    write_csv,
    write_json,
)
from invopt.history import fit_config, fit_sections, refuse_unusable, told
from invopt.model_files import is_older
from invopt.panel import Panel, iter_panels, load_panel, partitions, sample_panel

if TYPE_CHECKING:
    from invopt.contracts import TermsTables
    from invopt.forecasts import ForecastArrays
    from invopt.gate import CostComparison
    from invopt.monitoring.earlier import Seen
    from invopt.monitoring.evidence import Evidence

Notify = Callable[[str], None]
Clock = Callable[[], float]
Json = dict[str, Any]

NUM_FANS = 8
NUM_EXPLAINED = 64
FAN_HISTORY = 120
# Where a refitted model keeps the one that was judged in its place, and an assessment the baselines
# that were.
JUDGED, BASELINES = "judged", "baselines"
MAX_FIT_SERIES = 40_000  # series that scales are learned from


def clean_partitions(source: Path, cleaning: Json, out: str, counts: str, notify: Notify) -> None:
    """Clean every partition of a snapshot into a folder of partitions."""
    config = CleaningConfig.model_validate(cleaning)
    total: dict[str, int] = {}
    parts = partitions(source)
    whole = whole_of([Panel.load(part) for part in parts])
    with replacing_folder(Path(out)) as folder:
        for part in parts:
            panel, found = clean(Panel.load(part), config, whole)
            panel.save(folder / part.name if len(parts) > 1 else folder / "part-0000")
            total = {rule: total.get(rule, 0) + n for rule, n in found.items()}
            notify(f"cleaned {part.name} of {len(parts)} partitions")
    write_json(counts, total)


def build_feature_panel(
    source: str, features: Json, evaluation: Json, out: str, notify: Notify
) -> None:
    """Add derived channels to every partition and fit the feature spec on the training range.

    What the length of the history does not allow is shrunk, or refused, here: before any training.
    """
    parts = partitions(Path(source))
    fitted = fit_sections(
        FeaturesConfig.model_validate(features),
        EvaluationConfig.model_validate(evaluation),
        Panel.load(parts[0]).timeline,
    )
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


def train_model(
    source: str, config: Json, out: str, clock: Clock, notify: Notify, **place: Any
) -> None:
    """Train on everything before the gate's weeks and write the model, ONNX graph included.

    `place` is as in fit_and_save.
    """
    panel = load_panel(Path(source))
    run, notes = fit_config(Config.model_validate(config), panel.timeline)
    refuse_unusable(panel, run.evaluation)
    ranges = ranges_of(panel.num_periods, run.evaluation)
    fit_and_save(
        panel,
        run,
        ranges.train_stop,
        out=Path(out),
        clock=clock,
        notify=notify,
        notes=notes,
        **place,
    )


def refit_model(
    model: str, source: str, config: Json, out: str, clock: Clock, notify: Notify, **place: Any
) -> None:
    """Write the model to serve: trained once more on every period, or the judged one as it is.

    The judged model proved the recipe on weeks it had not seen; the one that serves learns from
    these weeks too. The judged one goes with it: when the next challenger is judged on weeks
    that the refitted champion has learned from, it stands in for it. `place` is as in
    fit_and_save.
    """
    run = Config.model_validate(config)
    if not run.training.refit:
        with replacing_folder(Path(out)) as folder:
            shutil.copytree(model, folder, dirs_exist_ok=True)
        return
    panel = load_panel(Path(source))
    run, notes = fit_config(run.for_refit(), panel.timeline)
    fit_and_save(
        panel,
        run,
        panel.num_periods,
        out=Path(out),
        clock=clock,
        notify=notify,
        notes=notes,
        **place,
    )
    shutil.copytree(model, Path(out) / JUDGED)


def fit_and_save(
    panel: Panel,
    config: Config,
    num_periods: int,
    out: Path,
    clock: Clock,
    notify: Notify,
    *,
    notes: Sequence[str] = (),
    memory: int | None = None,
    scratch: Path | None = None,
    train_members: Any = None,
) -> None:
    """Train on the first num_periods of a panel and write the model folder.

    The training lives in `scratch`, by default beside the model; `notes` tell what of the
    configuration did not fit the history; `train_members` trains on other machines and `memory`
    limits what it may take here (see invopt.training.fit).
    """
    from invopt.attribution import save_reference  # noqa: PLC0415
    from invopt.model import export_onnx  # noqa: PLC0415  (torch only where it is used)
    from invopt.training import fit, read_history  # noqa: PLC0415

    scratch = scratch or out.with_name(f"{out.name}-training")
    forecaster = fit(
        panel, config, num_periods, scratch,
        clock=clock, notify=notify, memory=memory, train_members=train_members,
    )  # fmt: skip
    forecaster.save(out)
    rows = _spread_rows(panel, NUM_EXPLAINED)
    encoded = FeatureEncoder(forecaster.spec).encode(panel.truncate(num_periods))
    ends = np.full(len(rows), num_periods - 1)
    inputs = model_inputs(forecaster.spec, encoded, rows, ends)
    difference = export_onnx(forecaster, out / "model.onnx", inputs)
    save_reference(out / "reference.npz", inputs)
    history = [read_history(scratch, n) for n in range(config.training.num_members)]
    write_json(
        out / "training.json",
        {
            "onnx_difference": difference,
            "onnx_bytes": (out / "model.onnx").stat().st_size,
            "num_periods": num_periods,
            "history": history,
            "fitted": list(notes),
            "config": config.model_dump(mode="json"),
        },
    )
    notify(f"exported to ONNX, equal to torch within {difference:.1e}")


def assess_model(
    model: str,
    champion: Path | None,
    source: str,
    config: Json,
    out: str,
    clock: Clock,
    notify: Notify,
) -> dict[str, float]:
    """Write the assessment of a challenger and return its point metrics and cost."""
    from invopt.assessment import CHALLENGER, assess  # noqa: PLC0415
    from invopt.challenger import write_candidates  # noqa: PLC0415  (torch)
    from invopt.features.leaks import find_leaks  # noqa: PLC0415
    from invopt.runtime import OnnxForecaster  # noqa: PLC0415

    panel = load_panel(Path(source))
    run, _ = fit_config(Config.model_validate(config), panel.timeline)
    ranges = ranges_of(panel.num_periods, run.evaluation)
    challenger = OnnxForecaster(Path(model))
    if champion is not None and is_older(champion):
        # Nobody reads it any more, and an upgrade must not end all training.
        notify("the champion is of an older format: the challenger is judged against baselines")
        champion = None
    if champion is not None and (champion / JUDGED).is_dir():
        champion = champion / JUDGED
    incumbent = OnnxForecaster(champion) if champion is not None else None
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
        )
        own = found.judged[CHALLENGER]
        folds = _cross_validated(panel, run, folder / "folds", clock, notify)
        write_json(
            folder / "metrics.json",
            {
                "ranges": asdict(found.ranges),
                "judged": {name: judged.metrics() for name, judged in found.judged.items()},
                "incumbent": found.incumbent,
                "cost": asdict(found.cost),
                "best_baseline": found.best_baseline,
                "baseline_cost": asdict(found.baseline_cost),
                "rival_cost": asdict(found.rival_cost),
                "baselines": {
                    name: {"label": label_of(path), "folder": path.name}
                    for name, path in folders.items()
                },
                "sold": found.sold,
                "scale": found.scale,
                "leaks": [asdict(leak) for leak in find_leaks(panel, challenger.spec)],
                "foresight": found.foresight,
                "groups": found.groups,
                "references": found.references,
                "cross_validation": folds,
            },
        )
        _fans(panel, own.windows[0]).to_parquet(folder / "fans.parquet", index=False)
    notify(
        f"WAPE {own.points['wape']:.3f}, order cost {found.cost.change:+.1%} "
        f"compared with {found.incumbent}"
    )
    return own.points | {"cost": own.money["cost"], "cost_change": found.cost.change}


def label_of(model: Path) -> str:
    """Return what people call a model that is a baseline, "" for a network."""
    return str(read_json(model / "model.json").get("label", ""))


def stand_in_model(
    assessment: str, source: str, config: Json, name: str, out: str, clock: Clock, notify: Notify
) -> str:
    """Write the model folder of a candidate that is to order, and return its label.

    Fitted once more on every period where networks are, as it was judged otherwise; see
    refit_model.
    """
    from invopt.challenger import write_candidates  # noqa: PLC0415  (torch)

    found = read_json(Path(assessment) / "metrics.json")["baselines"][name]
    judged = Path(assessment) / BASELINES / found["folder"]
    with replacing_folder(Path(out)) as folder:
        run = Config.model_validate(config)
        if not run.training.refit:
            shutil.copytree(judged, folder, dirs_exist_ok=True)
            return label_of(folder)
        panel = load_panel(Path(source))
        run, _ = fit_config(run, panel.timeline)
        [made] = write_candidates(
            panel, run, panel.num_periods, folder / BASELINES,
            clock=clock, names=[name], notify=notify,
        ).values()  # fmt: skip
        shutil.copytree(made, folder, dirs_exist_ok=True)
        shutil.rmtree(folder / BASELINES)
        shutil.copytree(judged, folder / JUDGED)
        return label_of(folder)


def _cross_validated(
    panel: Panel, config: Config, scratch: Path, clock: Clock, notify: Notify
) -> Json:
    if not config.evaluation.num_folds:
        return {}
    from invopt.crossvalidation import cross_validate  # noqa: PLC0415  (torch)

    found = cross_validate(panel, config, scratch, clock=clock, notify=notify)
    shutil.rmtree(scratch)
    return found


def explain_model(model: str, source: str, config: Json, out: str, notify: Notify) -> None:
    """Write importance by feature and the attributions of some series."""
    from invopt.explain import explain  # noqa: PLC0415
    from invopt.model import Forecaster  # noqa: PLC0415

    panel = load_panel(Path(source))
    run, _ = fit_config(Config.model_validate(config), panel.timeline)
    cutoff = ranges_of(panel.num_periods, run.evaluation).gate[0]
    rows = _spread_rows(panel, NUM_EXPLAINED)
    found = explain(Forecaster.load(Path(model)), panel, rows, cutoff)
    write_json(
        out,
        {
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


def judge_model(assessment: str, quality: str, config: Json, out: str, notify: Notify) -> str:
    """Write the gate's verdict and return its word."""
    from invopt.assessment import CHALLENGER, CHAMPION, NAIVE  # noqa: PLC0415
    from invopt.gate import KEEP, Orders, judge, with_rival  # noqa: PLC0415

    run = Config.model_validate(config)
    found = read_json(Path(assessment) / "metrics.json")
    judged = found["judged"]
    own, incumbent = judged[CHALLENGER], found["incumbent"]
    orders = None
    if "best_baseline" in found:
        orders = Orders(
            found["sold"],
            own["money"]["ordered"],
            judged[incumbent]["money"]["ordered"],
            found["best_baseline"],
            _comparison(found["baseline_cost"]),
        )
    suspect = [
        f"{check['name']} of {check['about']}"
        for check in read_json(quality)["checks"]
        if not check["passed"]
    ]
    verdict = judge(
        _numbers(own["points"]),
        _numbers(judged[NAIVE]["points"]),
        _numbers(own["coverage"]),
        _comparison(found["cost"]),
        run.gate,
        incumbent=incumbent,
        leaks=[leak["feature"] for leak in found["leaks"]]
        + [f"the forecast of {found['foresight']} series"] * (found["foresight"] > 0),
        suspect=suspect,
        orders=orders,
    )
    best = found.get("best_baseline", "")
    if incumbent == CHAMPION and verdict.decision == KEEP and "rival_cost" in found:
        rival = judge(
            _numbers(judged[best]["points"]),
            _numbers(judged[NAIVE]["points"]),
            _numbers(judged[best]["coverage"]),
            _comparison(found["rival_cost"]),
            run.gate.for_rivals(),
            incumbent=incumbent,
            suspect=suspect,
        )
        verdict = with_rival(verdict, rival, best)
    label = found.get("baselines", {}).get(verdict.orders_by, {}).get("label", "")
    write_json(out, verdict.as_dict() | {"label": label})
    notify(f"verdict: {verdict.decision}; {verdict.reasons[0]}")
    if verdict.decision == "keep":
        notify(verdict.reasons[-1])
    return verdict.decision


def _comparison(content: Json) -> "CostComparison":
    """Return a comparison of costs from what was written of it."""
    from invopt.gate import CostComparison  # noqa: PLC0415

    numbers = dict(content)
    segments = {name: _comparison(part) for name, part in numbers.pop("segments", {}).items()}
    return CostComparison(**_numbers(numbers), segments=segments)


def forecast_series(model: Path, source: str, out: str, notify: Notify) -> None:
    """Forecast every series from its last period; write arrays and the Forecast table."""
    from invopt.forecasts import forecast_frame  # noqa: PLC0415
    from invopt.runtime import NETWORK, OnnxForecaster  # noqa: PLC0415

    forecaster = OnnxForecaster(model)
    frames, done = [], 0
    with replacing_folder(Path(out)) as folder:
        for number, panel in enumerate(iter_panels(Path(source))):
            forecast = forecaster.predict(panel)
            np.savez(
                folder / f"part-{number:04d}.npz",
                mean=forecast.mean,
                quantiles=forecast.quantiles,
                levels=forecast.levels,
            )
            frames.append(forecast_frame(panel, panel.num_periods - 1, forecast))
            done += panel.num_series
            notify(f"forecast {done:,} series")
        pd.concat(frames, ignore_index=True).to_parquet(folder / "forecast.parquet", index=False)
        write_json(
            folder / "forecast.json",
            {
                "quantile_levels": forecaster.config.quantile_levels,
                "level_quantiles": forecaster.config.level_quantiles,
                "is_count": forecaster.spec.is_count,
                "model": label_of(model) or NETWORK,
            },
        )


def review_date(source: str) -> str:
    """Return the last period of a panel, YYYY-MM-DD: the date of the review that sees it."""
    return f"{next(iter_panels(Path(source))).timeline.last:%Y-%m-%d}"


def plan_all_orders(
    source: str,
    forecast: str,
    snapshot: Path,
    last: Path | None,
    model_version: str,
    config: Json,
    out: dict[str, str],
    notify: Notify,
    overrides: pd.DataFrame | None = None,
) -> None:
    """Write one order row per series, the purchase orders and the exceptions, each as CSV.

    Args:
        source: Panel with derived channels; its last period is the review date.
        forecast: Of its series, from its last period.
        snapshot: Holds the stock position, the open orders and the tables of planning.
        last: Plan of the review before, None for a first one.
        model_version: Put on every row.
        config: The whole configuration.
        out: Files to write: orders, purchase_orders, exceptions.
        notify: Told what came out.
        overrides: What planners said on their page, beside those of the data; None for none.
    """
    from invopt.inventory import segments_of  # noqa: PLC0415
    from invopt.inventory.ahead import lone_successors  # noqa: PLC0415
    from invopt.inventory.exceptions import recent_sales  # noqa: PLC0415
    from invopt.inventory.planning import as_csv  # noqa: PLC0415
    from invopt.inventory.review import plan_review  # noqa: PLC0415
    from invopt.inventory.segments import SalesStatistics  # noqa: PLC0415
    from invopt.sources import read_position  # noqa: PLC0415
    from invopt.sources.terms import read_terms  # noqa: PLC0415

    run = Config.model_validate(config)
    head = read_json(Path(forecast) / "forecast.json")
    position, open_orders = read_position(snapshot)
    tables = read_terms(snapshot).with_overrides(overrides)
    last_levels = _last_levels(last, notify)
    reviews, statistics, alone = [], [], 0
    for number, panel in enumerate(iter_panels(Path(source))):
        alone += lone_successors(panel.series)
        made = _read_forecast(Path(forecast), number, head)
        reviews.append(
            plan_review(
                panel,
                made,
                position,
                open_orders=open_orders,
                tables=tables,
                config=run.inventory,
                model_version=model_version,
                is_count=head["is_count"],
                last_levels=last_levels,
            )
        )
        statistics.append(recent_sales(panel))
    plan = pd.concat([r.orders for r in reviews], ignore_index=True)
    prices = np.concatenate([r.stockout_cost for r in reviews])
    plan["model"] = head.get("model", "")
    plan["segment"] = segments_of(SalesStatistics.concatenate(statistics), prices)
    frames = {
        "orders": as_csv(plan, is_count=head["is_count"]),
        "purchase_orders": pd.concat([r.purchase_orders for r in reviews], ignore_index=True),
        "exceptions": pd.concat([r.exceptions for r in reviews], ignore_index=True),
    }
    for name, frame in frames.items():
        write_csv(out[name], frame)
    for sentence in _partly(len(reviews), alone, tables):
        notify(sentence)
    notify(_summary(plan))


def _partly(num_partitions: int, alone: int, tables: "TermsTables") -> list[str]:
    """Return what holds within a partition of series only, and not over all of them."""
    if num_partitions == 1:
        return []
    found = []
    if alone:
        found.append(f"{alone:,} successors have no predecessor in their partition of series, and "
                     "are planned by their own sales")  # fmt: skip
    limits = [c for c in ("min_value", "min_units", "budget", "order_cost")
              if tables.suppliers is not None and tables.suppliers.get(c) is not None]  # fmt: skip
    if limits:
        found.append(f"{', '.join(limits)} of suppliers hold within each of the {num_partitions} "
                     "partitions of series, not over all of them")  # fmt: skip
    return found


def _read_forecast(folder: Path, number: int, head: Json) -> "ForecastArrays":
    """Return a part of what forecast_series wrote."""
    from invopt.forecasts import ForecastArrays  # noqa: PLC0415

    with np.load(folder / f"part-{number:04d}.npz", allow_pickle=False) as arrays:
        return ForecastArrays(
            **arrays,
            quantile_levels=tuple(head["quantile_levels"]),
            level_quantiles=tuple(head["level_quantiles"]),
        )


def _last_levels(plan: Path | None, notify: Notify) -> "pd.Series[float] | None":
    """Return the order-up-to level of each series in a plan; None where it cannot be read."""
    if plan is None:
        return None
    columns = ["unique_id", "order_up_to_level"]
    try:
        found = read_csv(plan, usecols=columns, dtype={"unique_id": str})
        return found.set_index("unique_id")["order_up_to_level"].astype(float)
    except (OSError, ValueError) as err:  # pandas' own errors are kinds of ValueError
        notify(f"{plan} cannot be read ({err}): planned as where there was no review before")
        return None


def _summary(plan: pd.DataFrame) -> str:
    ordered = plan["order_quantity"].fillna(0)
    unknown = int(plan["order_quantity"].isna().sum())
    flagged = int((plan["exception"] != "").sum())
    return (
        f"{int((ordered > 0).sum()):,} orders for {ordered.sum():,.0f} units"
        + (f"; {unknown:,} series without an order (see reason)" if unknown else "")
        + (f"; {flagged:,} exceptions to review" if flagged else "")
    )


def monitor(
    model: Path, source: str, quality: str, version: str, config: Json, out: str, notify: Notify,
    *, predictions: Path, kept: Path, seen: "Seen | None" = None,
) -> None:  # fmt: skip
    """Write the evidence of the latest period: evidence.json, evidently.html and its numbers.

    Where data of a newer one are overdue, it is that one's, as far as it is known.

    Args:
        model: The champion's folder.
        source: Panel with derived channels.
        quality: What ingest found, a JSON file.
        version: Of the champion, NAME-N.
        config: The whole configuration.
        out: Folder to write.
        notify: Called with a line of progress.
        predictions: Log of served decisions; may not exist.
        kept: Folder that holds from run to run: records of earlier periods, Evidently's workspace.
        seen: How far the data reached when they were read before.
    """
    from invopt.monitoring.champion import champion_subject  # noqa: PLC0415
    from invopt.monitoring.evidence import gather_evidence  # noqa: PLC0415
    from invopt.monitoring.serving_health import read_served  # noqa: PLC0415

    run = Config.model_validate(config)
    panel = load_panel(Path(source))
    subject = champion_subject(model, panel, run)
    # Of the model, not of its version: a new champion is measured against what those before it
    # made of weeks they had not seen.
    records = _records_file(kept, run.name)
    known = _known_records(records, notify)
    served = read_served(predictions, panel, subject.forecasts, version, run.monitoring.period)
    found = gather_evidence(
        subject, panel, run.monitoring, quality=read_json(quality), served=served, known=known,
        seen=seen, notify=notify,
    )  # fmt: skip
    _write_evidence(found, version, run.name, kept, out)
    if len(found.records):
        with replacing_file(records) as partial:
            found.records.to_parquet(partial, index=False)
    firing = [s for s in found.signals if s.fires]
    notify(f"{len(firing)} of {len(found.signals)} signals of {found.start} to {found.end} fire")


def monitor_unreadable(
    quality: str, period: tuple[str, str, str], version: str, name: str, out: str, *, kept: Path
) -> None:
    """Write the evidence of a period whose data cannot be read, in the form of monitor.

    Args:
        quality: Why ingest could read nothing, a JSON file.
        period: Its first day, the first day of its last period, its last day; ISO.
        version: Of the champion, NAME-N.
        name: Of the model.
        out: Folder to write.
        kept: Folder that holds from run to run; read for the trend, left as it is.
    """
    from invopt.monitoring.unreadable import unreadable_evidence  # noqa: PLC0415

    records = _records_file(kept, name)
    known = _known_records(records, lambda _: None)
    found = unreadable_evidence(read_json(quality)["unreadable"], period, known)
    _write_evidence(found, version, name, kept, out)


def _records_file(kept: Path, name: str) -> Path:
    return kept / "records" / f"{name}.parquet"


def _known_records(records: Path, notify: Notify) -> pd.DataFrame | None:
    """Return what earlier runs kept, None where there is none or it was damaged."""
    if not records.is_file():
        return None
    try:
        return pd.read_parquet(records)
    except (OSError, ValueError) as err:  # pyarrow's own errors are kinds of ValueError
        notify(f"{records} cannot be read ({err}): the records of earlier periods begin anew")
        return None


def _write_evidence(found: "Evidence", version: str, name: str, kept: Path, out: str) -> None:
    from invopt.monitoring.evidently_report import Shelf, write_evidently  # noqa: PLC0415

    shelf = Shelf(kept / "evidently", name, found.start, found.last_day, version)
    with replacing_folder(Path(out)) as folder:
        write_evidently(found.drift, folder / "evidently.html", folder / "evidently.json", shelf)
        write_json(folder / "evidence.json", found.as_dict() | {"version": version})


def _spread_rows(panel: Panel, num: int) -> npt.NDArray[np.int64]:
    """Return series spread over the range of recent volume, ascending."""
    volume = np.asarray(panel.y[:, -4 * panel.timeline.season_length :], np.float64).sum(axis=1)
    order = np.argsort(volume, kind="stable")
    picks = np.linspace(0, len(order) - 1, min(num, len(order))).round().astype(int)
    return np.sort(order[picks])


def _fans(panel: Panel, window: Any) -> pd.DataFrame:
    """Return history, forecast and actuals for a few series, best sellers to slow ones."""
    volume = np.asarray(panel.y[:, : window.cutoff], np.float64)[:, -90:].sum(axis=1)
    order = np.argsort(-volume, kind="stable")
    sold = order[: max(1, int((volume > 0).sum()))]
    picks = sold[np.linspace(0, 0.9 * (len(sold) - 1), min(NUM_FANS, len(sold))).astype(int)]
    demand = panel.demand()
    horizon = window.forecast.mean.shape[1]
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
            values = window.forecast.quantiles[row, :, number].clip(min=0)
            part.loc[part.index[ahead], f"q{level:g}"] = values
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _numbers(values: Json) -> dict[str, float]:
    """Return values with null read as not a number."""
    return {name: float("nan") if v is None else v for name, v in values.items()}
