"""`invopt why`: why the governor decided as it did, or how a served request came to its orders."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from invopt.errors import InvalidInputError
from invopt.inventory.exceptions import ADVICE
from invopt.monitoring.acknowledgement import Acknowledgement, told
from invopt.monitoring.retraining_decision import Brake
from invopt.monitoring.signals import present_name
from invopt.types import Notify
from serving.answers.loaded_model import LoadedChampion, load_champion
from serving.answers.recompute import differences
from serving.api.contract import Step
from serving.deployment import Deployment
from serving.stores.deployment_record import effects_of_version
from serving.stores.feature_store import ARRIVALS
from serving.stores.governor_store import AuditRow
from serving.stores.order_plans import plans_of
from serving.stores.prediction_log import PRICED, find_request, latest_of
from serving.stores.registry import Registry

Tell = Notify
LogRow = dict[str, Any]
_PLANNED = (
    "on_hand", "on_order", "backorders", "expected_demand", "lead_time", "order_up_to_level",
    "reorder_point", "safety_stock", "days_of_cover", "stockout_date",
    "unavoidable_stockout_units", "expected_holding_cost", "expected_stockout_cost",
)  # fmt: skip
# Periods of a forecast that are told one by one.
_SHOWN = 14
# Effects that are told, and the share of the forecast that is told.
_MOST_EFFECTS, _TOLD = 12, 0.01


def tell_why(deployment: Deployment, what: str, tell: Tell) -> None:
    """Tell all that is known by a name: decisions of the governor, a served request, a series.

    A name that several share is told of all.

    Args:
        deployment: Whose decisions, plans, prediction log and registry they are.
        what: Monitoring run, a date (YYYY-MM-DD) inside a period judged, a request's id, or a
            series.
        tell: Called with each line.

    Raises:
        InvalidInputError: If nothing is known by that name.
    """
    settings = deployment.settings
    decisions, audit, words = _governed(deployment, what)
    rows = find_request(settings.prediction_log, what)
    planned = plans_of(settings.plans, what)
    served = latest_of(settings.prediction_log, what)
    if not (decisions or planned or len(rows) or len(served)):
        log = settings.workspace / "runs" / Path(what).name / "run.log"
        if log.is_file():
            raise InvalidInputError(
                f"run {what} has decided nothing: it is still under way, was ended before its "
                f"decision, or is no monitoring run. {log} says how far it came."
            )
        latest = ", ".join(row.run for row in audit[:3])
        raise InvalidInputError(
            f'"{what}" is not known: give a monitoring run (latest: {latest or "none yet"}), a '
            "date as YYYY-MM-DD inside a period judged, the id of a request that the log in "
            f"{settings.prediction_log} holds (a request is written within a minute, if it belongs "
            "to the sample), or a series that was planned or served."
        )
    for row in decisions:
        before = [r for r in audit if r.model == row.model and r.number < row.number]
        _tell_decision(row, before[0] if before else None, tell)
        for word in words[row.run]:
            if word.run == row.run or (word.at < row.at and word.in_force(row.run, row.at)):
                tell(f"  {told(word.as_dict(row.run, row.at))}")
    if len(rows):
        _tell_request(deployment.registry, rows, tell)
    if planned:
        _tell_plans(what, planned, tell)
        _tell_shared(deployment.registry, planned[0][2].get("model_version") or "", tell)
    if len(served):
        tell(f"{what} was last answered by an endpoint:")
        _tell_request(deployment.registry, served, tell)


def _governed(
    deployment: Deployment, what: str
) -> tuple[list[AuditRow], list[AuditRow], dict[str, list[Acknowledgement]]]:
    """Return the decisions of a name, all decisions, and what was said of the runs among them.

    Who only asks leaves nothing behind: a store that was never written is not made.
    """
    file = sa.make_url(deployment.settings.governor_store)
    if file.drivername.startswith("sqlite") and not Path(file.database or "").is_file():
        return [], [], {}
    with deployment.governor() as store:
        decisions, audit = store.find(what), store.audit()
        return decisions, audit, {r.run: store.acknowledgements(r.model) for r in decisions}


def _tell_decision(row: AuditRow, before: AuditRow | None, tell: Tell) -> None:
    decision, at = row.content["decision"], f"{row.at:%Y-%m-%d %H:%M} UTC"
    tell(f"{row.run}, {row.start} to {row.last_day}: {row.action} (decided {at})")
    for reason in decision["reasons"]:
        tell(f"  reason: {reason}")
    signals = row.content["situation"]["signals"]
    for signal in sorted(signals, key=lambda s: not s["fires"]):
        state = "quiet"
        if signal["fires"]:
            state = f"fires, {_counted(decision['streaks'].get(signal['cause'], 1), 'period')}"
        name = present_name(signal["name"])
        tell(f"  signal {name} ({state}): {_measured(signal)}: {signal['text']}")
    for brake in map(Brake.from_dict, row.content.get("brakes") or decision["brakes"]):
        state = "blocking" if brake.blocks else "clear"
        tell(f"  safeguard {brake.name}: {state}; {brake.rule}: "
             f"found {brake.value}, limit {brake.limit}")  # fmt: skip
    if not decision["brakes"]:
        tell("  retraining was not considered: no performance signal fired long enough")
    if before is not None:
        tell(f"  against {before.run} ({before.action}): {_changed(row, before)}")


def _measured(signal: dict[str, Any]) -> str:
    """Return a signal's numbers; a rule has no chance, and what was not found no value."""
    numbers = ("value", "expected", "limit", "p_value")
    found = [f"{name.replace('_value', '')} {_short(signal[name])}" for name in numbers]
    return ", ".join(found) + (", estimated" if signal.get("estimated") else "")


def _short(number: float | None) -> str:
    return "-" if number is None or number != number else f"{number:.4g}"


def _changed(row: AuditRow, before: AuditRow) -> str:
    """Return which signals began and ended since the decision before."""
    now, then = (
        {s["cause"] for s in r.content["situation"]["signals"] if s["fires"]} for r in (row, before)
    )
    began, ended = sorted(now - then), sorted(then - now)
    parts = [f"new {', '.join(began)}"] if began else []
    parts += [f"over {', '.join(ended)}"] if ended else []
    return "; ".join(parts) or "the same signals fire"


def _tell_plans(series: str, plans: list[tuple[str, str, dict[str, str]]], tell: Tell) -> None:
    """Tell the latest order planned for a series, and what changed since the one before."""
    model, day, row = plans[0]
    tell(f"{series} in the plan of {model}, review of {day}: {_order(row)}")
    tell(f"  because {row.get('reason')}")
    tell("  " + ", ".join(
        f"{name.replace('_', ' ')} {row[name]}" for name in _PLANNED if row.get(name)
    ))  # fmt: skip
    for word in filter(None, (row.get("exception") or "").split(";")):
        tell(f"  exception {word}: {ADVICE.get(word, 'see exceptions.csv')}")
    if len(plans) > 1:
        _, earlier, old = plans[1]
        changes = [
            f"{name.replace('_', ' ')} {old.get(name) or 'unknown'} to {row.get(name) or 'unknown'}"
            for name in ("order_quantity", *_PLANNED, "exception", "model_version")
            if old.get(name) != row.get(name)
        ]
        tell(f"  against the review of {earlier}: {'; '.join(changes) or 'nothing changed'}")


def _order(row: dict[str, str]) -> str:
    """Return what a row of a plan orders; where nothing can be said of the order, that."""
    if not row.get("order_quantity"):
        return "no order can be said"
    worth = f" (worth {row['order_value']})" if row.get("order_value") else ""
    arrives = f", to arrive {row['arrival_date']}" if row.get("arrival_date") else ""
    return f"order {row['order_quantity']}{worth}{arrives}"


def _tell_shared(registry: Registry, version: str, tell: Tell) -> None:
    """Tell what all series share: what plans, price, days and months do to the forecasts."""
    name, _, number = version.rpartition("-")
    if (name, number) not in registry.registered_versions():
        return
    effects = effects_of_version(registry.evidence_path(name, number))
    told = sorted((e for e in effects if abs(e["share"]) >= _TOLD), key=lambda e: -abs(e["share"]))
    if told:
        tell(f"  what all series share, by {version} (the same series forecast with and without):")
    for e in told[:_MOST_EFFECTS]:
        tell(
            f"    {e['name']}: {e['share']:+.0%}, {e['units']:+.3g} units a period "
            f"(against {e['without']}; eight of ten series {e['low']:+.0%} to {e['high']:+.0%})"
        )


def _tell_request(registry: Registry, rows: pa.Table, tell: Tell) -> None:
    first = rows["served_at"][0].as_py()
    tell(
        f"request {rows['request_id'][0]}, answered {first:%Y-%m-%d %H:%M:%S} UTC: "
        f"{_counted(len(rows), 'decision')}"
    )

    @functools.cache
    def load(name: str, version: str) -> LoadedChampion:
        return load_champion(registry.version_path(name, version), name, version)

    for number, row in enumerate(rows.to_pylist()):
        tell(f"{row['unique_id']}: order {_text(row['order_quantity'])}")
        for line in (
            _asked(row), _forecast(row), _stock(row), _terms(row), _answered(row),
            _again(registry, rows.slice(number, 1), row, load),
        ):  # fmt: skip
            tell(f"  {line}")


def _asked(row: LogRow) -> str:
    if row["what_if"]:
        return "asked with stock or features of the caller's own"
    return "asked by name: stock and features are the store's"


def _forecast(row: LogRow) -> str:
    periods = row["lead_time"] + row["review_period"]
    means = [f"{mean:.2f}" for mean in row["mean"][: min(periods, _SHOWN)]]
    more = " ..." if periods > _SHOWN else ""
    return (
        f"forecast of {row['model_version']} ({row['step']}), sales known to {row['cutoff']}: "
        f"{' '.join(means)}{more}, together {_text(row['expected_demand'])} over {periods} periods"
    )


def _stock(row: LogRow) -> str:
    due = [f"{_text(u)} due in period {k}" for k, u in enumerate(row[ARRIVALS] or [], 1) if u]
    return (
        f"stock {_text(row['on_hand'])} on hand, {_text(row['on_order'])} on order"
        f"{' (' + ', '.join(due) + ')' if due else ''}, {_text(row['backorders'])} waiting"
    )


def _terms(row: LogRow) -> str:
    own = [f"{n.replace('_', ' ')} {_text(row[n])}" for n in PRICED if row[n] is not None]
    return (
        f"policy {row['policy_version']}: lead time {row['lead_time']}, review period "
        f"{row['review_period']}, critical ratio {_text(row['critical_ratio'])}; "
        f"{', '.join(own) or 'no prices or packs'} (all else as the model's configuration says)"
    )


def _answered(row: LogRow) -> str:
    return (
        f"answered: order {_text(row['order_quantity'])}, up to {_text(row['order_up_to_level'])}, "
        f"reorder point {_text(row['reorder_point'])}, safety stock {_text(row['safety_stock'])}; "
        f"expected cost {_text(row['expected_holding_cost'])} of holding and "
        f"{_text(row['expected_stockout_cost'])} of stock-outs"
    )


def _again(
    registry: Registry, one: pa.Table, row: LogRow, load: Callable[[str, str], LoadedChampion]
) -> str:
    """Return whether the decision comes out the same by the model that took it."""
    named, _, number = row["model_version"].rpartition("-")
    # Who made an older forecast does not tell who ordered by it: the policy does.
    is_older = row["step"] in (Step.LAST_FORECAST, Step.SEASONAL_NAIVE)
    reason = ""
    for name, version in registry.registered_versions() if is_older else [(named, number)]:
        try:
            found = differences(one, load(name, version))
        except InvalidInputError as err:
            reason = str(err)
            continue
        return f"computed again by {name}-{version}: {'; '.join(found) or 'the same'}"
    if is_older:
        reason = f"no registered version orders by {row['policy_version']}."
    return f"cannot be computed again: {reason}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _text(number: float | None) -> str:
    return "unknown" if number is None else f"{round(number, 4):,.10g}"
