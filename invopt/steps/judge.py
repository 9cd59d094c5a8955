"""The gate's verdict on an assessment."""

from dataclasses import replace
from pathlib import Path

from invopt.assessment import CHALLENGER, CHAMPION, NAIVE
from invopt.config import GateConfig
from invopt.fallback import sentence
from invopt.files import read_json, write_json
from invopt.gate import KEEP, PROMOTE, CostComparison, GroupLoss, Orders, Verdict, judge, with_rival
from invopt.types import Json, Notify


def judge_model(
    assessment: str,
    quality: str,
    gate: GateConfig,
    out: str,
    notify: Notify,
    champion_version: str = "",
) -> str:
    """Write the gate's verdict and return its word.

    Args:
        assessment: Folder of it.
        quality: Of the data, a file of checks.
        gate: Its limits.
        out: File to write: the verdict, with the champion's version.
        notify: Called with what was decided and why.
        champion_version: Registered version that was assessed beside the challenger, "" for none:
            the verdict holds as long as that one is champion.
    """
    found = read_json(Path(assessment) / "metrics.json")
    suspect = [
        f"{check['name']} of {check['about']}"
        for check in read_json(quality)["checks"]
        if not check["passed"]
    ]
    verdict, is_composed = _challenger(found, suspect, gate)
    if verdict.decision == KEEP and verdict.incumbent == CHAMPION and "rival_cost" in found:
        rival = _judged_rival(found, suspect, gate)
        verdict = with_rival(verdict, rival, found["best_baseline"])
    label = found.get("baselines", {}).get(verdict.orders_by, {}).get("label", "")
    parts = found.get("fallback", {}).get(verdict.orders_by)
    if not is_composed and (verdict.decision == PROMOTE or not (parts or {}).get("is_confirmed")):
        parts = None
    elif parts and not is_composed:
        reasons = [*verdict.reasons, sentence(parts, verdict.orders_by)]
        verdict = replace(verdict, reasons=reasons)
    told = {"label": label, "champion_version": champion_version, "parts": parts}
    write_json(out, verdict.as_dict() | told)
    notify(f"verdict: {verdict.decision}; {verdict.reasons[0]}")
    if verdict.decision == "keep":
        notify(verdict.reasons[-1])
    return verdict.decision


def _challenger(found: Json, suspect: list[str], gate: GateConfig) -> tuple[Verdict, bool]:
    """Return the verdict on the challenger, and whether it is on its model of parts.

    A model of parts that holds on the later weeks is judged on them, as they chose nothing of it.
    Where it does not pass, the challenger alone is judged on all weeks.
    """
    later = found.get("later")
    if later:
        own = found | later
        verdict = _judged(own, suspect, gate)
        if verdict.decision == PROMOTE:
            words = sentence(found["fallback"][CHALLENGER], CHALLENGER)
            return replace(verdict, reasons=[*verdict.reasons, words]), True
    return _judged(found, suspect, gate), False


def _judged(found: Json, suspect: list[str], gate: GateConfig) -> Verdict:
    """Return the verdict on the challenger of an assessment."""
    judged, incumbent = found["judged"], found["incumbent"]
    own = judged[CHALLENGER]
    orders = None
    if "best_baseline" in found:
        orders = Orders(
            found["sold"],
            _ordered(own["money"]),
            _ordered(judged[incumbent]["money"]),
            found["best_baseline"],
            _comparison(found["baseline_cost"]),
            shortages=found.get("shortages"),
        )
    return judge(
        _numbers(own["points"]),
        _numbers(judged[NAIVE]["points"]),
        _numbers(own["coverage"]),
        _comparison(found["cost"]),
        gate,
        incumbent=incumbent,
        leaks=[leak["feature"] for leak in found["leaks"]]
        + [f"the forecast of {found['foresight']} series"] * (found["foresight"] > 0),
        suspect=suspect,
        orders=orders,
        groups=[GroupLoss(**_numbers(loss)) for loss in found.get("group_losses", ())],
        stability=_numbers(own.get("stability", {})),
    )


def _ordered(money: Json) -> float:
    """Return units ordered for the periods counted: in them, or before and received in them."""
    return float(money["ordered"] or 0.0) + float(money.get("received") or 0.0)


def _judged_rival(found: Json, suspect: list[str], gate: GateConfig) -> Verdict:
    """Return the verdict on the best candidate besides, compared with the champion."""
    own = found["judged"][found["best_baseline"]]
    return judge(
        _numbers(own["points"]),
        _numbers(found["judged"][NAIVE]["points"]),
        _numbers(own["coverage"]),
        _comparison(found["rival_cost"]),
        gate.for_rivals(),
        incumbent=CHAMPION,
        suspect=suspect,
        stability=_numbers(own.get("stability", {})),
    )


def _comparison(content: Json) -> CostComparison:
    """Return a comparison of costs from what was written of it."""
    numbers = dict(content)
    segments = {name: _comparison(part) for name, part in numbers.pop("segments", {}).items()}
    return CostComparison(**_numbers(numbers), segments=segments)


def _numbers(values: Json) -> Json:
    """Return values with null read as not a number."""
    return {name: float("nan") if v is None else v for name, v in values.items()}
