"""The same questions to champion and new version, and how their answers differ."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from invopt.deployment_config import DeploymentConfig

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class ShadowAnswers:
    """What a server answered.

    Attributes:
        decisions: By series; those of failed requests are missing.
        seconds: Of each request.
        failures: Text of each failed request.
    """

    decisions: dict[str, dict[str, Any]]
    seconds: list[float]
    failures: list[str]

    @property
    def versions(self) -> set[str]:
        """Versions that answered."""
        return {str(d["model_version"]) for d in self.decisions.values() if "model_version" in d}


@dataclass(frozen=True)
class Comparison:
    """How a new version answers, beside the champion.

    Attributes:
        num_series: Series asked.
        error_share: Requests that failed.
        latency_seconds: 95th percentile of a request's time.
        degraded_share: Answers degraded or without a forecast that the champion could give.
        prediction_shift: Sum of absolute differences of the forecasts' totals over the champion's
            total; None without a champion.
    """

    num_series: int
    error_share: float
    latency_seconds: float
    degraded_share: float
    prediction_shift: float | None

    def breaches(self, limits: DeploymentConfig) -> list[str]:
        """Return which limits are broken, in words; none when all hold."""
        found = [
            ("error share", self.error_share, limits.max_error_share),
            ("latency in seconds", self.latency_seconds, limits.max_latency_seconds),
            ("degraded share", self.degraded_share, limits.max_degraded_share),
            ("prediction shift", self.prediction_shift or 0.0, limits.max_prediction_shift),
        ]
        # Not a number is no proof of anything: it breaks the limit.
        return [
            f"{name} {value:.3g} over {top:g}" for name, value, top in found if not value <= top
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def ask(
    address: str, model: str, unique_ids: Sequence[str], batch_size: int, token: str = ""
) -> ShadowAnswers:
    """Ask a server for the decisions of some series, in batches; nothing is raised.

    Args:
        address: Of the server.
        model: Name in the URLs.
        unique_ids: Series.
        batch_size: Series per request.
        token: Bearer token, "" for none.
    """
    decisions: dict[str, dict[str, Any]] = {}
    seconds, failures = [], []
    for first in range(0, len(unique_ids), batch_size):
        batch = list(unique_ids[first : first + batch_size])
        started = time.monotonic()
        try:
            found = _post(
                f"{address}/v1/models/{model}:predict",
                {"instances": [{"unique_id": name} for name in batch]},
                token,
            )["predictions"]
            decisions |= {str(d["unique_id"]): d for d in found}
        except (OSError, ValueError, KeyError, TypeError) as err:
            failures.append(f"{type(err).__name__}: {err}"[:300])
        seconds.append(time.monotonic() - started)
    return ShadowAnswers(decisions, seconds, failures)


def compare(
    champion: ShadowAnswers | None, challenger: ShadowAnswers, unique_ids: Sequence[str]
) -> Comparison:
    """Compare answers to the same questions.

    Series that neither could forecast count for nothing: they are unknown to the features.
    """
    able = [
        name
        for name in unique_ids
        if champion is None or _total(champion, name) is not None or _total(challenger, name)
    ]
    degraded = [
        name
        for name in able
        if _total(challenger, name) is None or challenger.decisions[name].get("degraded")
    ]
    requests = max(1, len(challenger.seconds))
    return Comparison(
        num_series=len(unique_ids),
        error_share=len(challenger.failures) / requests,
        latency_seconds=float(np.quantile(challenger.seconds, 0.95)),
        degraded_share=len(degraded) / max(1, len(able)),
        prediction_shift=None if champion is None else _shift(champion, challenger, able),
    )


def _shift(champion: ShadowAnswers, challenger: ShadowAnswers, names: Sequence[str]) -> float:
    pairs = [(_total(champion, name), _total(challenger, name)) for name in names]
    both = [(old, new) for old, new in pairs if old is not None and new is not None]
    if not both:
        return float("nan")
    volume = sum(abs(old) for old, _ in both)
    distance = sum(abs(new - old) for old, new in both)
    return distance / volume if volume > 0 else float(distance > 0)


def _total(answers: ShadowAnswers, name: str) -> float | None:
    mean = answers.decisions.get(name, {}).get("mean")
    return float(np.sum(mean)) if mean else None


def _post(url: str, body: dict[str, Any], token: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(  # noqa: S310  (addresses come from the service's status)
        url, json.dumps(body).encode(), headers
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            content: dict[str, Any] = json.loads(answer.read())
            return content
    except urllib.error.HTTPError as err:
        raise OSError(f"{url} answered {err.code}: {err.read()[:200]!r}") from err
