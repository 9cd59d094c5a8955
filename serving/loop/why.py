"""`invopt why`: why the governor decided as it did, or how a served request came to its orders."""

import functools
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from invopt.errors import InvalidInputError
from invopt.monitoring.decision import Brake
from invopt.monitoring.signals import present_name
from serving.answers.loaded_model import Champion, load_champion
from serving.answers.replay import differences
from serving.api.contract import Step
from serving.deployment import Deployment
from serving.stores.feature_store import ARRIVALS
from serving.stores.governor_store import AuditRow
from serving.stores.prediction_log import PRICED, find_request
from serving.stores.registry import Registry

Tell = Callable[[str], None]
Row = dict[str, Any]
# Periods of a forecast that are told one by one.
_SHOWN = 14


def tell_why(deployment: Deployment, what: str, tell: Tell) -> None:
    """Tell all that is known by a name: decisions of the governor, and a served request.

    A name that a run and a request share is told of both.

    Args:
        deployment: Whose decisions, prediction log and registry they are.
        what: Monitoring run, a date (YYYY-MM-DD) inside a period judged, or a request's id.
        tell: Called with each line.

    Raises:
        InvalidInputError: If nothing is known by that name.
    """
    settings = deployment.settings
    with deployment.governor() as store:
        decisions, latest = store.find(what), [row.run for row in store.audit(limit=3)]
    rows = find_request(settings.prediction_log, what)
    if not decisions and not len(rows):
        raise InvalidInputError(
            f"{what} was not found: give a monitoring run (latest: "
            f"{', '.join(latest) or 'none yet'}), a date as YYYY-MM-DD inside a period judged, or "
            f"the id of a request that the log in {settings.prediction_log} holds (a request is "
            "written within a minute, if it belongs to the sample)."
        )
    for row in decisions:
        _tell_decision(row, tell)
    if len(rows):
        _tell_request(deployment.registry, rows, tell)


def _tell_decision(row: AuditRow, tell: Tell) -> None:
    decision, at = row.content["decision"], f"{row.at:%Y-%m-%d %H:%M} UTC"
    tell(f"{row.run}, {row.start} to {row.last_day}: {row.action} (decided {at})")
    for reason in decision["reasons"]:
        tell(f"  reason: {reason}")
    for signal in row.content["situation"]["signals"]:
        if signal["fires"]:
            lasted = decision["streaks"].get(signal["cause"], 1)
            name = present_name(signal["name"])
            tell(f"  signal {name}, {_counted(lasted, 'period')}: {signal['text']}")
    for brake in map(Brake.from_dict, decision["brakes"]):
        state = "blocking" if brake.blocks else "clear"
        tell(f"  safeguard {brake.name}: {state}; {brake.rule}: "
             f"found {brake.value}, limit {brake.limit}")  # fmt: skip
    if not decision["brakes"]:
        tell("  retraining was not considered: no performance signal fired long enough")


def _tell_request(registry: Registry, rows: pa.Table, tell: Tell) -> None:
    first = rows["served_at"][0].as_py()
    tell(
        f"request {rows['request_id'][0]}, answered {first:%Y-%m-%d %H:%M:%S} UTC: "
        f"{_counted(len(rows), 'decision')}"
    )

    @functools.cache
    def load(name: str, version: str) -> Champion:
        return load_champion(registry.version_path(name, version), name, version)

    for number, row in enumerate(rows.to_pylist()):
        tell(f"{row['unique_id']}: order {_text(row['order_quantity'])}")
        for line in (
            _asked(row), _forecast(row), _stock(row), _terms(row), _answered(row),
            _again(registry, rows.slice(number, 1), row, load),
        ):  # fmt: skip
            tell(f"  {line}")


def _asked(row: Row) -> str:
    if row["what_if"]:
        return "asked with stock or features of the caller's own"
    return "asked by name: stock and features are the store's"


def _forecast(row: Row) -> str:
    periods = row["lead_time"] + row["review_period"]
    means = [f"{mean:.2f}" for mean in row["mean"][: min(periods, _SHOWN)]]
    more = " ..." if periods > _SHOWN else ""
    return (
        f"forecast of {row['model_version']} ({row['step']}), sales known to {row['cutoff']}: "
        f"{' '.join(means)}{more}, together {_text(row['expected_demand'])} over {periods} periods"
    )


def _stock(row: Row) -> str:
    due = [f"{_text(u)} due in period {k}" for k, u in enumerate(row[ARRIVALS] or [], 1) if u]
    return (
        f"stock {_text(row['on_hand'])} on hand, {_text(row['on_order'])} on order"
        f"{' (' + ', '.join(due) + ')' if due else ''}, {_text(row['backorders'])} waiting"
    )


def _terms(row: Row) -> str:
    own = [f"{n.replace('_', ' ')} {_text(row[n])}" for n in PRICED if row[n] is not None]
    return (
        f"policy {row['policy_version']}: lead time {row['lead_time']}, review period "
        f"{row['review_period']}, critical ratio {_text(row['critical_ratio'])}; "
        f"{', '.join(own) or 'no prices or packs'} (all else as the model's configuration says)"
    )


def _answered(row: Row) -> str:
    return (
        f"answered: order {_text(row['order_quantity'])}, up to {_text(row['order_up_to_level'])}, "
        f"reorder point {_text(row['reorder_point'])}, safety stock {_text(row['safety_stock'])}; "
        f"expected cost {_text(row['expected_holding_cost'])} of holding and "
        f"{_text(row['expected_stockout_cost'])} of stock-outs"
    )


def _again(
    registry: Registry, one: pa.Table, row: Row, load: Callable[[str, str], Champion]
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
