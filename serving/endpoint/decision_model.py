"""The KServe model that answers with decisions, and what it does in the background."""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from kserve import InferRequest, InferResponse
from kserve.utils.utils import generate_uuid

from serving.answers.decider import Ask, Decider
from serving.answers.loaded_model import LoadedChampion
from serving.api import metrics
from serving.api.contract import SCHEMA_VERSION, Instance
from serving.api.failures import RequestFailedError, StoreUnavailableError
from serving.endpoint.protocols import (
    input_types,
    instances_of,
    is_long,
    output_types,
    v1_answer,
    v2_arrays,
)
from serving.endpoint.queue import MAX_ID, PROGRESS, REQUEST_ID, Batcher, GatedModel
from serving.endpoint.tensor_bodies import response_of, wanted_of

_logger = logging.getLogger(__name__)
# Instances of requests that are answered together; larger requests have a thread of their own.
_SMALL = 16
_TOGETHER = 64
Finish = Callable[[Sequence[Mapping[str, Any]]], bytes | InferResponse]


class FeatureSource(Protocol):
    """Where models come from."""

    def latest(self) -> tuple[Path, str]:
        """Return folder and version of the model to answer with."""


class DecisionModel(GatedModel):
    """Decisions over KServe's protocols.

    Args:
        name: Model name in the URLs.
        decider: Answers.
        source: Where newer models come from.
        load: Loads one.
        max_queue: Requests accepted and not yet answered.
        seconds: Longest time to an answer.
    """

    def __init__(
        self,
        name: str,
        decider: Decider,
        source: FeatureSource,
        load: Callable[[Path, str], LoadedChampion],
        *,
        max_queue: int = 64,
        seconds: float = 10.0,
    ) -> None:
        super().__init__(name, max_queue, seconds, threads=1)
        self._together: Batcher[tuple[Ask, Finish], bytes | InferResponse] = Batcher(
            self._answers, _TOGETHER
        )
        self.decider, self.source, self._load = decider, source, load
        self._features = decider.features.published
        version = decider.model.champion.version
        metrics.tell(metrics.SERVED, name, version.removeprefix(f"{name}-"))

    def load(self) -> bool:
        """Answer once before traffic comes; ready when model and store are."""
        try:
            self.decider.warm_up()
            self.ready = True
        except (StoreUnavailableError, RequestFailedError):
            _logger.warning("the feature store does not answer yet")
        return bool(self.ready)

    def look_at_store(self) -> None:
        """Become ready once the feature store answers, where it did not at the start."""
        if not self.ready:
            self.load()

    def take_newer_model(self) -> None:
        """Take a newer champion into service; one that cannot be loaded stays out."""
        path, version = self.source.latest()
        if f"{self.name}-{version}" != self.decider.model.champion.version:
            self._take(self._load(path, version))

    def take_newer_features(self) -> None:
        """Take newly published features into service."""
        features = self.decider.features
        if features.version() != features.published:
            features.reload()
        if features.published != self._features:
            self._take(self.decider.model.champion)
            self._features = features.published

    def _take(self, champion: LoadedChampion) -> None:
        self.decider.take(champion)
        metrics.RELOADS.labels("taken").inc()
        metrics.tell(metrics.SERVED, self.name, champion.version.removeprefix(f"{self.name}-"))
        _logger.info("%s is in service", champion.version)

    async def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> bytes | InferResponse:
        """Return decisions."""
        progress = PROGRESS.get(None)
        if progress is not None:
            progress.reached_model = True
        protocol = "v2" if isinstance(payload, InferRequest) else "v1"
        request_id = _request_id(payload, headers or {})
        if progress is not None:
            progress.request_id = request_id
        answer = await self._predict(payload, request_id)
        metrics.REQUESTS.labels(protocol, "answered").inc()
        if isinstance(answer, bytes) and response_headers is not None:
            response_headers.update({"content-type": "application/json", REQUEST_ID: request_id})
        return answer

    async def _predict(
        self, payload: dict[str, Any] | InferRequest, request_id: str
    ) -> bytes | InferResponse:
        ask = Ask(await self._instances(payload), request_id)
        if isinstance(payload, InferRequest):
            payload.id = payload.id or request_id
            wanted_of(payload, [output["name"] for output in self.get_output_types()])
            return await self._answer(ask, functools.partial(self._tensors, payload))
        return await self._answer(ask, v1_answer)

    async def _instances(self, payload: dict[str, Any] | InferRequest) -> list[Instance]:
        """Return the instances of a request."""
        read = functools.partial(instances_of, payload)
        return await self.read(read) if is_long(payload) else read()

    async def _answer(self, ask: Ask, finish: Finish) -> bytes | InferResponse:
        weight = len(ask.instances)
        found: bytes | InferResponse
        if weight > _SMALL or any(instance.explain for instance in ask.instances):
            found = await self.run(lambda: finish(self.decider.answer(ask)))
        else:
            found = await self.wait(lambda: self._together.submit((ask, finish), weight))
        return found

    def _answers(
        self, jobs: Sequence[tuple[Ask, Finish]]
    ) -> list[bytes | InferResponse | Exception]:
        """Return the answer to each of several requests."""
        metrics.TOGETHER.observe(len(jobs))
        found = self.decider.decide_together([ask for ask, _ in jobs])
        return [
            answers if isinstance(answers, Exception) else _finished(finish, answers)
            for (_, finish), answers in zip(jobs, found, strict=True)
        ]

    def _tensors(self, request: InferRequest, found: Sequence[Mapping[str, Any]]) -> InferResponse:
        arrays = v2_arrays(found, self.decider.model.horizon)
        schema = {"schema_version": SCHEMA_VERSION}
        return response_of(request, self.name, self.version, arrays, schema)

    @property
    def version(self) -> str:
        """Version of the model that answers."""
        return self.decider.model.champion.version.removeprefix(f"{self.name}-")

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return the v2 inputs; every one but unique_id, or instance, may be left out."""
        return input_types()

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return the v2 outputs."""
        return output_types(self.decider.model.horizon)


def _request_id(payload: dict[str, Any] | InferRequest, headers: dict[str, str]) -> str:
    """Return the caller's id of a request, as far as the log keeps it, or a new one."""
    given = payload.id if isinstance(payload, InferRequest) else None
    return str(given or headers.get(REQUEST_ID) or generate_uuid())[:MAX_ID]


def _finished(
    finish: Finish, answers: Sequence[Mapping[str, Any]]
) -> bytes | InferResponse | Exception:
    try:
        return finish(answers)
    except Exception as err:
        return err
