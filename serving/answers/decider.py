"""From series names to decisions, down a ladder of ever older knowledge.

Every request reads the store. Where its rows, the model and the day are those that a series was
answered from last, the same answer is given again.

fresh: the model on windows as new as the configuration asks for; stale: the model on older ones;
last_forecast: what replenishment left in the online store, or what this process answered last;
seasonal_naive: the season before. Whatever is not fresh says so and why.
"""

import functools
import time
import uuid
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.answers.forecasting import Forecasting
from serving.answers.last_answers import LastAnswer, LastAnswers, WrittenAnswer
from serving.answers.loaded_model import LoadedChampion
from serving.answers.plans import PlanRow, PlanSheet, plan_rows
from serving.answers.readers import Asked, explained
from serving.answers.scenarios import InstanceFailedError, put_position, scenarios_of
from serving.answers.writer import AnswerWriter, age_of, log_columns, logged_of
from serving.api import metrics
from serving.api.contract import ErrorCode, Instance, Step
from serving.api.failures import NetworkUnavailableError, RequestFailedError, StoreUnavailableError
from serving.settings import ServerSettings
from serving.stores.online_features import OnlineFeatures, OnlineWindows
from serving.stores.prediction_log import PredictionLog

STORE_DOWN = "the feature store does not answer"
_BY_THE_MODEL = (Step.FRESH, Step.STALE)
Answers = list[Mapping[str, Any] | None]


@dataclass(frozen=True)
class Ask:
    """What one caller asks.

    Attributes:
        instances: Series.
        request_id: Kept in the prediction log.
    """

    instances: Sequence[Instance]
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class _Work:
    """What the parts of one piece of work share: the asks of several callers, end to end."""

    instances: list[Instance]
    answers: Answers
    now: float
    request_ids: list[str | None]  # by instance; None where the log does not keep the request
    # Rows of a sheet and their instances.
    done: list[tuple[AnswerWriter, list[tuple[int, int]]]] = field(default_factory=list)
    again: dict[int, LastAnswer] = field(default_factory=dict)  # by instance
    sources: dict[str, Hashable] = field(default_factory=dict)  # by series, of answers to keep


@dataclass(frozen=True)
class _Asked:
    """Rows of a sheet, and who asks for them; see Scenario.

    Attributes:
        instances: By row.
        is_what_if: By row: True where it is an instance's what-if, beside its own row.
        sheet: What plans are computed from.
        asked: What each part of the model that answered was asked.
        warnings: Of a what-if's row.
    """

    instances: list[int]
    is_what_if: list[bool]
    sheet: PlanSheet
    asked: Sequence[Asked] = ()
    warnings: Mapping[int, str] = field(default_factory=dict)

    @functools.cached_property
    def what_if_rows(self) -> dict[int, int]:
        """The row of its own that the what-if of an instance has, by instance."""
        return {n: k for k, n in enumerate(self.instances) if self.is_what_if[k]}


class Decider:
    """Answers with decisions for series.

    Args:
        champion: Model to ask.
        features: Online features.
        clock: Returns seconds since 1970.
        log: Where sampled decisions go.
        memory_rows: Series whose last answer is kept, to be given again and for the time the
            store is out of reach; about 10 kB each.
    """

    def __init__(
        self,
        champion: LoadedChampion,
        features: OnlineFeatures,
        clock: Callable[[], float] = time.time,
        log: PredictionLog | None = None,
        memory_rows: int = ServerSettings.memory_rows,
    ) -> None:
        self.features, self.clock, self.log = features, clock, log
        self._memory = LastAnswers(memory_rows)
        self.model = Forecasting(champion, features)

    def take(self, champion: LoadedChampion) -> None:
        """Answer with this model from now on; requests under way end with theirs."""
        self.model = Forecasting(champion, self.features)

    def warm_up(self) -> None:
        """Read the store and run the whole path once, so that the first caller does not wait.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        self.features.check()
        self.decide([Instance(unique_id=self.features.example())], is_counted=False)
        for reader in self.model.readers.values():
            if reader.part.reference is not None:
                reader.part.network.run(reader.part.reference)

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
            request_id: Kept in the prediction log; made up by default.
            is_counted: False for a call of our own, which no metric, memory or log is to hold.

        Raises:
            RequestFailedError: If nothing at all could be answered.
        """
        ask = Ask(instances) if request_id is None else Ask(instances, request_id)
        return [dict(answer) for answer in self.answer(ask, is_counted=is_counted)]

    def answer(self, ask: Ask, *, is_counted: bool = True) -> list[Mapping[str, Any]]:
        """Return what `decide` returns; answers that are written already are not read again."""
        [found] = self._decide([ask], is_counted=is_counted)
        if isinstance(found, RequestFailedError):
            raise found
        return found

    def decide_together(self, asks: Sequence[Ask]) -> list[list[Mapping[str, Any]] | Exception]:
        """Return what `decide` returns or raises for each of several callers.

        They share one read of the store and one call of the model. Where that fails, each is
        answered by itself, so that nobody fails because of another's request.
        """
        try:
            return [*self._decide(asks)]
        except Exception as err:
            if len(asks) == 1:
                return [err]
            return [found for ask in asks for found in self.decide_together([ask])]

    def _decide(
        self, asks: Sequence[Ask], *, is_counted: bool = True
    ) -> list[list[Mapping[str, Any]] | RequestFailedError]:
        model = self.model
        instances = [instance for ask in asks for instance in ask.instances]
        keeps = is_counted and self.log is not None
        ids: list[str | None] = []
        for ask in asks:
            kept = ask.request_id if keeps and self.log is not None and self.log.keeps() else None
            ids += [kept] * len(ask.instances)
        work = _Work(instances, [None] * len(instances), self.clock(), ids)
        failures, is_memory = self._fill(model, work)
        for number, failure in failures.items():
            self._fail(work, number, failure, is_counted=is_counted)
        if is_counted:
            self._record(work)
        return _split(asks, [a for a in work.answers if a is not None], is_memory=is_memory)

    def _fill(self, model: Forecasting, work: _Work) -> tuple[dict[int, InstanceFailedError], bool]:
        """Fill in answers; returns what failed, and whether the store was out of reach."""
        try:
            with metrics.STAGE_SECONDS.labels("read").time():
                found = self._read(model, work)
                left = {n: i for n, i in enumerate(work.instances) if n not in work.again}
                newest = self.features.newest
                scenarios, failures = scenarios_of(left, found, model.layout, model.horizon, newest)
                versions = [self.features.groups_version(s.windows) for s in scenarios]
        except StoreUnavailableError:
            return self._from_memory(model, work), True
        for number, last in work.again.items():
            assert last.answer is not None
            work.answers[number] = last.answer.aged(age_of(last.sheet.known_at, work.now))
        for scenario, version in zip(scenarios, versions, strict=True):
            sheet, parts = model.sheet(scenario, version, work.now)
            asked = _Asked(
                scenario.instances, scenario.is_what_if, sheet, parts, model.warnings(scenario)
            )
            failures |= self._answer(model, work, asked)
        return failures, False

    def _read(self, model: Forecasting, work: _Work) -> list[OnlineWindows]:
        """Return the windows that are to be forecast; who is answered as last time is put aside.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        stored = self.features.rows_of(list(dict.fromkeys(i.unique_id for i in work.instances)))
        common = model.source(self.features.known_groups_version(), work.now)
        prints = zip(map(hash, stored.windows), map(hash, stored.positions), strict=True)
        work.sources.update(
            (name, (*common, *own)) for name, own in zip(stored.names, prints, strict=True)
        )
        last = self._memory.again(work.sources)
        for number, instance in enumerate(work.instances):
            if instance.unique_id in last and is_plain(instance):
                work.again[number] = last[instance.unique_id]
        left = {i.unique_id: None for n, i in enumerate(work.instances) if n not in work.again}
        return self.features.windows_of(stored.select(list(left))) if left else []

    def _answer(
        self, model: Forecasting, work: _Work, asked: _Asked
    ) -> dict[int, InstanceFailedError]:
        """Fill in the answers of the instances whose rows a sheet holds.

        Returns:
            What failed, by instance.
        """
        champion, sheet = model.champion, asked.sheet
        base = [k for k, assumed in enumerate(asked.is_what_if) if not assumed]
        with metrics.STAGE_SECONDS.labels("decide").time():
            config, is_count = champion.config.inventory, champion.spec.is_count
            plans = plan_rows(sheet, base, [None] * len(base), config, is_count=is_count)
            assumed = _assumed_plans(model, work, asked, base)
        failures: dict[int, InstanceFailedError] = {}
        with metrics.STAGE_SECONDS.labels("answer").time():
            writer = AnswerWriter(
                sheet, champion.policy_version, champion.label, work.now,
                champion.config.currency or None,
            )  # fmt: skip
            done: list[tuple[int, int]] = []
            for k, plan in zip(base, plans, strict=True):
                number = asked.instances[k]
                if isinstance(plan, InstanceFailedError):
                    failures[number] = plan
                    continue
                instance = work.instances[number]
                answer = writer.decision(instance.unique_id, k, plan)
                if k in assumed:
                    answer["what_if"] = _assumed(writer, asked, answer, row=k, plan=assumed[k])
                if instance.explain and asked.asked:
                    answer["attributions"] = self._explain(model, asked, k)
                work.answers[number] = answer
                done.append((k, number))
        work.done.append((writer, done))
        return failures

    def _record(self, work: _Work) -> None:
        """Count, remember and log what was answered."""
        for writer, done in work.done:
            sheet = writer.sheet
            _count(sheet, [k for k, _ in done])
            metrics.FEATURE_AGE.observe(writer.feature_age_s)
            self._keep(work, sheet, done)
            kept = [(k, number) for k, number in done if work.request_ids[number] is not None]
            if self.log is not None and kept:
                self.log.offer(len(kept), functools.partial(_logged, work, writer, kept))
        if work.again:
            self._record_again(work)

    def _keep(self, work: _Work, sheet: PlanSheet, done: list[tuple[int, int]]) -> None:
        """Remember rows of a sheet, and what of them may be answered so again."""
        rows: list[tuple[str, int]] = []
        answers: dict[str, tuple[Hashable, WrittenAnswer, dict[str, Any]]] = {}
        for k, number in done:
            instance, answer = work.instances[number], work.answers[number]
            name = instance.unique_id
            if instance.features is not None or answer is None:
                continue
            rows.append((name, k))
            if is_plain(instance) and name in work.sources and sheet.steps[k] in _BY_THE_MODEL:
                written = WrittenAnswer.of(answer)
                answers[name] = (work.sources[name], written, logged_of(answer))
        self._memory.keep(sheet, rows, answers)

    def _record_again(self, work: _Work) -> None:
        """Count and log what was answered as last time."""
        metrics.AGAIN.inc(len(work.again))
        by_sheet: dict[int, tuple[PlanSheet, list[int]]] = {}
        for last in work.again.values():
            by_sheet.setdefault(id(last.sheet), (last.sheet, []))[1].append(last.row)
        for sheet, rows in by_sheet.values():
            _count(sheet, rows)
        for known_at in {sheet.known_at for sheet, _ in by_sheet.values()}:
            metrics.FEATURE_AGE.observe(age_of(known_at, work.now))
        kept = [number for number in work.again if work.request_ids[number] is not None]
        if self.log is not None and kept:
            self.log.offer(len(kept), functools.partial(_logged_again, work, kept))

    def _explain(self, model: Forecasting, asked: _Asked, row: int) -> dict[str, Any] | None:
        """Return Attributions; None where the model was not asked or the parts do not add up."""
        if asked.sheet.steps[row] not in _BY_THE_MODEL:
            return None
        with metrics.STAGE_SECONDS.labels("explain").time():
            try:
                found = explained(asked.asked, row)
            except NetworkUnavailableError:
                return None
        if found is None:
            return None
        return {
            "explains": f"expected sales over the {model.horizon} periods of mean",
            "base": round(found.base, 4),
            "forecast": round(found.forecast, 4),
            "parts": {name: round(value, 4) for name, value in found.parts.items()},
            "additivity_error": found.additivity_error,
        }

    def _from_memory(self, model: Forecasting, work: _Work) -> dict[int, InstanceFailedError]:
        """Answer from what this process knew last: the store is out of reach."""
        failures: dict[int, InstanceFailedError] = {}
        kinds: dict[Hashable, tuple[list[int], list[PlanSheet]]] = {}
        for number, instance in enumerate(work.instances):
            sheet = self._memory.find(instance.unique_id)
            if sheet is None or instance.features is not None:
                failures[number] = InstanceFailedError(ErrorCode.UNAVAILABLE, STORE_DOWN + ".")
                continue
            if instance.position is not None:
                put_position(sheet.position, 0, instance.position)
            numbers, sheets = kinds.setdefault(sheet.kind, ([], []))
            numbers.append(number)
            sheets.append(sheet)
        for numbers, sheets in kinds.values():
            sheet = PlanSheet.end_to_end(sheets).degraded(Step.LAST_FORECAST, STORE_DOWN)
            as_it_stood = [False] * len(numbers)
            failures |= self._answer(model, work, _Asked(numbers, as_it_stood, sheet))
        return failures

    def _fail(
        self, work: _Work, number: int, failure: InstanceFailedError, *, is_counted: bool
    ) -> None:
        if is_counted:
            metrics.INSTANCE_ERRORS.labels(failure.code.value).inc()
        name = work.instances[number].unique_id
        work.answers[number] = {"unique_id": name, **failure.body}


def _assumed_plans(
    model: Forecasting, work: _Work, asked: _Asked, base: Sequence[int]
) -> dict[int, PlanRow]:
    """Return the plan under its assumptions of each row whose instance makes any, all at once."""
    found: dict[int, PlanRow] = {}
    own: dict[int, int] = {}  # the row that is planned, by the row it stands in
    for k in base:
        if work.instances[asked.instances[k]].what_if is None:
            continue
        row = asked.what_if_rows.get(asked.instances[k], k)
        if row != k and asked.sheet.steps[row] not in _BY_THE_MODEL:
            found[k] = InstanceFailedError(
                ErrorCode.UNAVAILABLE,
                f"a planned price needs the model: {asked.sheet.reasons[row]}.",
            )
        else:
            own[k] = row
    what_ifs = [work.instances[asked.instances[k]].what_if for k in own]
    config, is_count = model.champion.config.inventory, model.champion.spec.is_count
    plans = plan_rows(asked.sheet, list(own.values()), what_ifs, config, is_count=is_count)
    return found | dict(zip(own, plans, strict=True))


def _assumed(
    writer: AnswerWriter, asked: _Asked, as_is: dict[str, Any], *, row: int, plan: PlanRow
) -> dict[str, Any]:
    """Return a WhatIfPlan of the answer to a row, or why there is none."""
    own = asked.what_if_rows.get(asked.instances[row], row)
    if isinstance(plan, InstanceFailedError):
        found: dict[str, Any] = {**plan.body}
    else:
        found = writer.assumed(own, plan, as_is)
    if own in asked.warnings:
        found["warning"] = asked.warnings[own]
    return found


def _split(
    asks: Sequence[Ask], answers: list[Mapping[str, Any]], *, is_memory: bool
) -> list[list[Mapping[str, Any]] | RequestFailedError]:
    """Return each caller's answers; a failure where memory knew none of its series."""
    found: list[list[Mapping[str, Any]] | RequestFailedError] = []
    first = 0
    for ask in asks:
        own = answers[first : first + len(ask.instances)]
        first += len(own)
        if is_memory and all("error" in answer for answer in own):
            text = f"{STORE_DOWN}; try again shortly."
            found.append(RequestFailedError(ErrorCode.UNAVAILABLE, text))
        else:
            found.append(own)
    return found


def is_plain(instance: Instance) -> bool:
    """Return whether an instance is its name alone."""
    given = (instance.position, instance.features, instance.what_if)
    return not instance.explain and all(part is None for part in given)


def _count(sheet: PlanSheet, rows: Sequence[int]) -> None:
    rungs = Counter((sheet.steps[k].value, sheet.versions[k]) for k in rows)
    for rung, count in rungs.items():
        metrics.DECISIONS.labels(*rung).inc(count)


def _logged(work: _Work, writer: AnswerWriter, kept: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Return the columns of the prediction log of some rows."""
    numbers = [number for _, number in kept]
    asked = [work.instances[number] for number in numbers]
    return [
        log_columns(
            writer.sheet,
            [k for k, _ in kept],
            [work.answers[number] or {} for number in numbers],
            [work.request_ids[number] or "" for number in numbers],
            [i.features is not None or i.position is not None for i in asked],
            now=work.now,
        )
    ]


def _logged_again(work: _Work, kept: list[int]) -> list[dict[str, Any]]:
    """Return the columns of the prediction log of what was answered as last time, by kind."""
    kinds: dict[Hashable, list[int]] = {}
    for number in kept:
        kinds.setdefault(work.again[number].sheet.kind, []).append(number)
    return [
        log_columns(
            PlanSheet.of_rows([(work.again[n].sheet, work.again[n].row) for n in numbers]),
            range(len(numbers)),
            [work.again[n].logged for n in numbers],
            [work.request_ids[n] or "" for n in numbers],
            [False] * len(numbers),
            now=work.now,
        )
        for numbers in kinds.values()
    ]
