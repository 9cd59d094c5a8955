"""A small typed client: decisions by product and location, for Python services.

with DecisionClient("http://decisions:8080", "demand") as client:
    for decision in client.decide(["HOBBIES_1_001_CA_1"]):
        print(decision.order_quantity)
"""

import time
from collections.abc import Iterable, Sequence
from types import TracebackType

import httpx
from pydantic import ValidationError

from serving.api.contract import (
    MAX_INSTANCES,
    Decision,
    ErrorBody,
    ErrorCode,
    FailedDecision,
    Instance,
    PredictRequest,
    PredictResponse,
)

_WORTH_RETRYING = (ErrorCode.BUSY, ErrorCode.UNAVAILABLE)


class DecisionServiceError(Exception):
    """The service gave no decisions.

    Args:
        status: HTTP status, 0 when there was no answer.
        code: For machines.
        message: For people.
    """

    def __init__(self, status: int, code: ErrorCode, message: str) -> None:
        super().__init__(f"{code.value}: {message}")
        self.status, self.code = status, code


class DecisionClient:
    """Asks a server for decisions.

    Args:
        url: Of the server, without a path.
        name: Model name.
        token: Bearer token, "" for none.
        seconds: Longest wait for one answer.
        retries: Times to ask again when the service is busy or nothing answers.
    """

    def __init__(
        self, url: str, name: str, token: str = "", seconds: float = 10.0, retries: int = 2
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=seconds)
        self._path, self._retries = f"/v1/models/{name}:predict", retries

    def __enter__(self) -> "DecisionClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def decide(self, instances: Iterable[Instance | str]) -> list[Decision | FailedDecision]:
        """Return a decision, or why there is none, for every series in order.

        Any number of series; they are sent in batches of a thousand.

        Raises:
            DecisionServiceError: If the service refuses the request or does not answer.
        """
        waiting = list(instances)
        found: list[Decision | FailedDecision] = []
        for first in range(0, len(waiting), MAX_INSTANCES):
            found += self._send(waiting[first : first + MAX_INSTANCES])
        return found

    def _send(self, instances: Sequence[Instance | str]) -> list[Decision | FailedDecision]:
        body = PredictRequest(instances=list(instances)).model_dump_json(exclude_defaults=True)
        attempt = 0
        while True:
            try:
                return self._ask(body)
            except DecisionServiceError as err:
                if err.code not in _WORTH_RETRYING or attempt >= self._retries:
                    raise
                time.sleep(0.2 * 2**attempt)
                attempt += 1

    def _ask(self, body: str) -> list[Decision | FailedDecision]:
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._http.post(self._path, content=body, headers=headers)
        except httpx.HTTPError as err:
            raise DecisionServiceError(0, ErrorCode.UNAVAILABLE, type(err).__name__) from err
        if answer.status_code == httpx.codes.OK:
            return PredictResponse.model_validate_json(answer.content).predictions
        try:
            told = ErrorBody.model_validate_json(answer.content)
        except ValidationError as err:
            raise DecisionServiceError(
                answer.status_code, ErrorCode.INTERNAL, "the answer is not of this service"
            ) from err
        raise DecisionServiceError(answer.status_code, told.code, told.error)
