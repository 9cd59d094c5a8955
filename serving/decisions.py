"""From series names to decisions, down a ladder of ever older knowledge.

fresh: the model on windows as new as the configuration asks for; stale: the model on older ones;
last_forecast: what replenishment left in the online store, or what this process answered last;
seasonal_naive: the season before. Whatever is not fresh says so and why.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from invopt.attribution import TOLERANCE, attribute
from serving import metrics
from serving.answers import AnswerWriter
from serving.champion import Champion
from serving.contract import ErrorCode, Instance, Step
from serving.failures import NetworkUnavailableError, RequestFailedError, StoreUnavailableError
from serving.forecasting import Forecasting
from serving.memory import Memory
from serving.network import Inputs
from serving.online import OnlineFeatures
from serving.plans import Sheet, plan_rows
from serving.prediction_log import PredictionLog
from serving.scenarios import InstanceFailedError, put_position, scenarios_of

_MEMORY = 5_000
STORE_DOWN = "the feature store does not answer"
Answers = list[dict[str, Any] | None]


@dataclass(frozen=True)
class _Request:
    """What the parts of one request share."""

    instances: Sequence[Instance]
    answers: Answers
    now: float
    request_id: str
    is_logged: bool
    is_counted: bool


class Decider:
    """Answers with decisions for series.

    Args:
        champion: Model to ask.
        features: Online features.
        clock: Returns seconds since 1970.
        log: Where sampled decisions go.
    """

    def __init__(
        self,
        champion: Champion,
        features: OnlineFeatures,
        clock: Callable[[], float] = time.time,
        log: PredictionLog | None = None,
    ) -> None:
        self.features, self.clock, self.log = features, clock, log
        self._memory = Memory(_MEMORY)
        self.model = Forecasting(champion, features)

    def take(self, champion: Champion) -> None:
        """Answer with this model from now on; requests under way end with theirs."""
        self.model = Forecasting(champion, self.features)

    def warm_up(self) -> None:
        """Read the store and run the whole path once, so that the first caller does not wait.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        self.features.check()
        self.decide([Instance(unique_id=self.features.example())], is_counted=False)
        champion = self.model.champion
        if champion.reference is not None:
            champion.network.run(champion.reference)

    def recent(self, number: int) -> list[str]:
        """Return the series answered last."""
        return self._memory.latest(number)

    def decide(
        self,
        instances: Sequence[Instance],
        request_id: str | None = None,
        *,
        is_counted: bool = True,
    ) -> list[dict[str, Any]]:
        """Return a decision, or an error, for every instance in order.

        Args:
            instances: What is asked.
            request_id: Told in the answers; made up by default.
            is_counted: False for a call of our own, which no metric, memory or log is to hold.

        Raises:
            RequestFailedError: If nothing at all could be answered.
        """
        model = self.model
        is_logged = is_counted and self.log is not None and self.log.keeps()
        answers: Answers = [None] * len(instances)
        request = _Request(
            instances, answers, self.clock(), request_id or uuid.uuid4().hex, is_logged, is_counted
        )
        names = list(dict.fromkeys(i.unique_id for i in instances))
        try:
            with metrics.STAGE_SECONDS.labels("read").time():
                found = self.features.read(names)
                newest = self.features.newest
                scenarios, failures = scenarios_of(
                    instances, found, model.layout, model.horizon, newest
                )
                versions = [self.features.groups_version(s.windows) for s in scenarios]
        except StoreUnavailableError:
            return self._from_memory(model, request)
        for number, failure in failures.items():
            self._fail(request, number, failure)
        for scenario, version in zip(scenarios, versions, strict=True):
            sheet, inputs = model.sheet(scenario, version, request.now)
            self._answer(model, request, scenario.instances, scenario.is_what_if, sheet, inputs)
        return [a for a in answers if a is not None]

    def _answer(
        self,
        model: Forecasting,
        request: _Request,
        numbers: list[int],
        is_what_if: list[bool],
        sheet: Sheet,
        inputs: Inputs | None,
    ) -> None:
        """Fill in the answers of the instances whose rows a sheet holds; see Scenario."""
        champion = model.champion
        base = [k for k, assumed in enumerate(is_what_if) if not assumed]
        own_row = {number: k for k, number in enumerate(numbers) if is_what_if[k]}
        with metrics.STAGE_SECONDS.labels("decide").time():
            config, is_count = champion.config.inventory, champion.spec.is_count
            plans = plan_rows(sheet, base, [None] * len(base), config, is_count=is_count)
        with metrics.STAGE_SECONDS.labels("answer").time():
            writer = AnswerWriter(sheet, champion.policy_version, request.now, request.request_id)
            done: list[tuple[int, Instance]] = []
            for k, plan in zip(base, plans, strict=True):
                number = numbers[k]
                instance = request.instances[number]
                if isinstance(plan, InstanceFailedError):
                    self._fail(request, number, plan)
                    continue
                answer = writer.decision(instance.unique_id, k, plan)
                if instance.what_if is not None:
                    row = own_row.get(number, k)
                    answer["what_if"] = self._assumed(model, writer, row, instance, row != k)
                if instance.explain and inputs is not None:
                    answer["attributions"] = self._explain(model, sheet, inputs, k)
                request.answers[number] = answer
                done.append((k, instance))
        if request.is_counted:
            self._record(request, writer, numbers, done)

    def _record(
        self,
        request: _Request,
        writer: AnswerWriter,
        numbers: list[int],
        done: list[tuple[int, Instance]],
    ) -> None:
        """Count, remember and log what was answered."""
        sheet = writer.sheet
        for step, count in Counter(sheet.steps[k] for k, _ in done).items():
            metrics.DECISIONS.labels(step.value).inc(count)
        metrics.FEATURE_AGE.observe(writer.feature_age_s)
        plain = [(i.unique_id, k) for k, i in done if i.features is None]
        self._memory.keep(sheet, plain)
        if self.log is not None and request.is_logged:
            rows = [
                writer.log_row(
                    request.answers[numbers[k]] or {},
                    k,
                    what_if=instance.features is not None or instance.position is not None,
                )
                for k, instance in done
            ]
            self.log.offer(rows)

    def _assumed(
        self,
        model: Forecasting,
        writer: AnswerWriter,
        row: int,
        instance: Instance,
        is_planned: bool,
    ) -> dict[str, Any]:
        """Return a WhatIfPlan, or why there is none."""
        sheet = writer.sheet
        if is_planned and sheet.steps[row] not in (Step.FRESH, Step.STALE):
            return InstanceFailedError(
                ErrorCode.UNAVAILABLE, f"a planned price needs the model: {sheet.reasons[row]}."
            ).body
        config, is_count = model.champion.config.inventory, model.champion.spec.is_count
        [plan] = plan_rows(sheet, [row], [instance.what_if], config, is_count=is_count)
        if isinstance(plan, InstanceFailedError):
            return plan.body
        return writer.assumed(row, plan)

    def _explain(
        self, model: Forecasting, sheet: Sheet, inputs: Inputs, row: int
    ) -> dict[str, Any] | None:
        """Return Attributions; None where the model was not asked or the parts do not add up."""
        champion = model.champion
        if champion.reference is None or sheet.steps[row] not in (Step.FRESH, Step.STALE):
            return None
        window = tuple(a[row : row + 1] for a in inputs)
        with metrics.STAGE_SECONDS.labels("explain").time():
            try:
                found = attribute(model.total, window, champion.reference, champion.spec)
            except NetworkUnavailableError:
                return None
        if not found.additivity_error <= TOLERANCE:
            metrics.WITHHELD.inc()
            return None
        return {
            "base": round(found.base, 4),
            "forecast": round(found.forecast, 4),
            "parts": {name: round(value, 4) for name, value in found.parts.items()},
            "additivity_error": found.additivity_error,
        }

    def _from_memory(self, model: Forecasting, request: _Request) -> list[dict[str, Any]]:
        """Answer from what this process knew last: the store is out of reach."""
        missing = InstanceFailedError(ErrorCode.UNAVAILABLE, STORE_DOWN + ".")
        for number, instance in enumerate(request.instances):
            sheet = self._memory.find(instance.unique_id)
            if sheet is None or instance.features is not None:
                self._fail(request, number, missing)
                continue
            position = {name: values.copy() for name, values in sheet.position.items()}
            if instance.position is not None:
                put_position(position, 0, instance.position)
            sheet = sheet.degraded(Step.LAST_FORECAST, STORE_DOWN, position)
            self._answer(model, request, [number], [False], sheet, None)
        if all("error" in (a or {}) for a in request.answers):
            raise RequestFailedError(ErrorCode.UNAVAILABLE, f"{STORE_DOWN}; try again shortly.")
        return [a for a in request.answers if a is not None]

    def _fail(self, request: _Request, number: int, failure: InstanceFailedError) -> None:
        if request.is_counted:
            metrics.INSTANCE_ERRORS.labels(failure.code.value).inc()
        name = request.instances[number].unique_id
        request.answers[number] = {"unique_id": name, "error": failure.body}
