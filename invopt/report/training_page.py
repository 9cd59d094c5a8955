"""The page of a training run: what was decided, and everything it rests on."""

from pathlib import Path
from typing import Any

import pandas as pd

from invopt.fallback import decided, tried
from invopt.files import read_json
from invopt.report import plots
from invopt.report.data import quality_values
from invopt.report.page import drawing, render, write_page
from invopt.types import Notify


def write_training_report(files: dict[str, str], name: str, out: str, notify: Notify) -> None:
    """Write the page.

    Args:
        files: Paths of model, quality, cleaning, sweep, assessment, explanation and verdict.
        name: Of the run.
        out: File to write.
        notify: Called with a line of progress.
    """
    with drawing(out, f"{name}: training", notify):
        page = _page(files, name)
        write_page(out, page)
        notify(f"report written: {out} ({len(page) / 1e6:.1f} MB)")


def _page(files: dict[str, str], name: str) -> str:
    explanation = read_json(files["explanation"])
    verdict = read_json(files["verdict"])
    assessment = decided(read_json(Path(files["assessment"]) / "metrics.json"), verdict)
    quality = read_json(files["quality"])
    training = read_json(Path(files["model"]) / "training.json")
    judged = training["config"]["evaluation"]
    fans = pd.read_parquet(Path(files["assessment"]) / "fans.parquet")
    candidates = assessment["judged"]
    currency = training["config"].get("inventory", {}).get("currency", "")
    return render(
        "training.html.j2",
        title=f"{name}: training",
        verdict=verdict,
        **quality_values(quality, read_json(files["cleaning"])),
        candidates=candidates,
        changes=[c.get("stability", {}).get("forecast_change") for c in candidates.values()],
        currency=currency,
        references=assessment["references"],
        network=assessment.get("network"),
        own=candidates["challenger"],
        incumbent=candidates[assessment["incumbent"]],
        validation=_validation(assessment["cross_validation"]),
        gate_periods=int(judged["gate_periods"]),
        unjudged_periods=int(judged.get("unjudged_periods", 0)),
        fitted=training.get("fitted", []),
        labels=assessment.get("baselines", {}),
        scale=assessment.get("scale", ""),
        groups=_groups(assessment),
        parts=verdict.get("parts"),
        tried=_not_confirmed(assessment),
        effects=explanation.get("effects", []),
        cutoff=_last_day_seen(fans),
        additivity=f"{explanation['additivity_error']:.1e} of the scale",
        training_line=_training_line(training),
        footer="invopt",
        plots={
            **_judged_plots(assessment, currency),
            **_learned_plots(explanation, read_json(files["sweep"])["trials"]),
            "fans": plots.fans(fans),
            "volume": plots.volume(quality["profile"]),
            "losses": plots.losses(training["history"]),
        },
    )


def _not_confirmed(assessment: dict[str, Any]) -> list[str]:
    """Return what the first half of the cutoffs chose and the second did not confirm."""
    return [
        tried(found, main)
        for main, found in assessment.get("fallback", {}).items()
        if not found["is_confirmed"]
    ]


def _last_day_seen(fans: pd.DataFrame) -> str:
    """Return the day before the first that is forecast."""
    first = fans.loc[fans["mean"].notna(), "ds"].min()
    return f"{first - pd.Timedelta(days=1):%d %B %Y}"


def _judged_plots(assessment: dict[str, Any], currency: str) -> dict[str, str]:
    """Return what the candidates cost, by segment and fold, and how well ranges held."""
    candidates = assessment["judged"]
    own = candidates["challenger"]
    return {
        "money": plots.money(candidates, f"Cost of decisions, {currency}".rstrip(", ")),
        "segments": plots.segments(assessment["cost"]),
        "folds": plots.folds(candidates, _fold_labels(candidates)),
        "calibration": plots.calibration(own["quantiles"], own["levels"]),
    }


def _learned_plots(explanation: dict[str, Any], trials: list[dict[str, Any]]) -> dict[str, str]:
    """Return what the model looks at, and what the sweep tried."""
    return {
        "importance": plots.importance(explanation["importance"]),
        "waterfall": plots.waterfall(*_example(explanation)),
        "sweep": plots.sweep_history(trials),
        "parallel": plots.parallel_coordinates(trials),
    }


def _validation(found: dict[str, Any]) -> dict[str, Any]:
    """Return cross-validation with its table's rows: a fold each, then mean and spread."""
    if not found:
        return {}
    folds = [{"name": f["start"]} | f["points"] | f["hierarchy"] for f in found["folds"]]
    last = [{"name": name} | found[name] for name in ("spread", "mean")]
    return found | {"rows": folds + last}


def _groups(assessment: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row per group of series: accuracy of challenger and incumbent, change of cost."""
    rows = []
    losses = {loss["group"]: loss for loss in assessment.get("group_losses", [])}
    for name, found in assessment.get("groups", {}).items():
        own, other = found["challenger"], found[assessment["incumbent"]]
        held = next((v for k, v in own.items() if k.startswith("coverage_")), None)
        cost = assessment["cost"]["segments"].get(name, {})
        rows.append(
            {
                "name": name, "series": own["series"], "wape": own["wape"],
                "other_wape": other["wape"], "bias": own["bias"], "held": held,
                "change": cost.get("change"), "low": cost.get("low"), "high": cost.get("high"),
                "loss": losses.get(name, {}).get("change"),
                "better": losses.get(name, {}).get("better", ""),
            }
        )  # fmt: skip
    return rows


def _fold_labels(candidates: dict[str, Any]) -> dict[str, str]:
    cutoffs = list(next(iter(candidates.values()))["folds"])
    return {cutoff: str(number + 1) for number, cutoff in enumerate(cutoffs)}


def _example(explanation: dict[str, Any]) -> tuple[str, float, float, list[str], list[float]]:
    """Return the series in the middle of the explained forecasts."""
    series = explanation["series"]
    order = sorted(series, key=lambda name: series[name]["forecast"])
    name = order[2 * len(order) // 3]
    found = series[name]
    return (
        name, explanation["base"], found["forecast"], explanation["features"], found["values"]
    )  # fmt: skip


def _training_line(training: dict[str, Any]) -> str:
    config = training["config"]["training"]
    return (
        f"{config['num_members']} network{'' if config['num_members'] == 1 else 's'}, "
        f"at most {config['max_minutes']:g} minutes; "
        f"ONNX graph of {training['onnx_bytes'] / 1e6:.2f} MB, equal to torch within "
        f"{training['onnx_difference']:.1e}."
    )
