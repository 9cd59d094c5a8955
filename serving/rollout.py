"""A new version into the one InferenceService: watched, promoted, or taken back.

What stood there before is kept in an annotation, so that `invopt rollback` finds it, and comes
back by itself when the new version disappoints.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

from invopt.deployment import DeploymentConfig
from invopt.errors import InvalidInputError
from serving.cluster import ClusterError, Object
from serving.inference_service import (
    PREVIOUS,
    InferenceService,
    Release,
    canary_address,
    canary_share,
    check_canary_kept,
    is_ready,
    promoted,
    served_version,
    serves,
    stable_address,
    with_canary,
    without_canary,
)
from serving.shadow import Answers, Comparison, ask, compare


class Rollout:
    """One release on its way.

    Args:
        service: In the cluster.
        release: To be served.
        limits: It must stay inside.
        unique_ids: Series to ask for.
    """

    def __init__(
        self,
        service: InferenceService,
        release: Release,
        limits: DeploymentConfig,
        unique_ids: Sequence[str],
    ) -> None:
        self.service, self.release, self.limits = service, release, limits
        self.unique_ids = list(unique_ids)
        self.steps: list[dict[str, Any]] = []

    def run(self) -> dict[str, Any]:
        """Roll out and return the evidence.

        Raises:
            InvalidInputError: If the release fails; the service has its previous spec again.
        """
        before = self.service.settled()
        # A canary that a terminated rollout left is nothing to come back to.
        previous = without_canary(before["spec"])
        has_champion = bool(served_version(previous)) and is_ready(before)
        self._note("found", version=served_version(previous), ready=is_ready(before))
        if served_version(previous) and not has_champion:
            self.service.notify("what serves is not ready: no canary and nothing to compare with")
        champion = self._ask(stable_address(before)) if has_champion else None
        try:
            if has_champion and self.limits.canary_percent:
                self._watch_canary(before, champion)
            served = self._promote(previous, champion)
        except (InvalidInputError, KeyboardInterrupt, SystemExit) as err:
            raise self._returned(previous, err) from err
        self.service.notify(f"{self.service.name} serves version {self.release.version}")
        return {
            "service": self.service.name,
            "version": self.release.version,
            "source": self.release.source,
            "previous": previous,
            "spec": served["spec"],
            "images": self.service.images(),
            "limits": self.limits.model_dump(mode="json"),
            "steps": self.steps,
        }

    def _watch_canary(self, before: Object, champion: Answers | None) -> None:
        percent = self.limits.canary_percent
        self.service.notify(f"canary: version {self.release.version} gets {percent} %")
        patched = self.service.replace_spec(before, with_canary(before, self.release, percent))
        check_canary_kept(patched, percent)
        found = self.service.wait(
            canary_share(percent),
            self.limits.ready_minutes,
            self.release.version,
            f"a canary of {percent} %",
        )
        self._note("canary", percent=percent, status=found.get("status", {}))
        self._judge("canary", canary_address(found, self.release), champion)

    def _promote(self, previous: Object, champion: Answers | None) -> Object:
        current = self.service.read()
        spec = promoted(current, self.release)
        self.service.replace_spec(current, spec, previous)
        served = self.service.wait(
            serves, self.limits.ready_minutes, self.release.version, "readiness"
        )
        self._judge("promoted", stable_address(served), champion)
        return served

    def _judge(self, stage: str, address: str, champion: Answers | None) -> Comparison:
        """Compare answers with the champion's.

        Raises:
            ClusterError: If a limit is broken or another version answers.
        """
        answers = self._ask(address)
        found = compare(champion, answers, self.unique_ids)
        self._note(stage, comparison=found.as_dict(), failures=answers.failures[:3])
        breaches = found.breaches(self.limits)
        if breaches:
            first = f" ({answers.failures[0]})" if answers.failures else ""
            raise ClusterError(
                f"version {self.release.version} as {stage} breaks its limits: "
                f"{', '.join(breaches)}{first}. Look at the evidence, or change the "
                "configuration's deployment section."
            )
        wrong = {v for v in answers.versions if not v.endswith(f"-{self.release.version}")}
        if wrong:
            raise ClusterError(
                f"{address} should answer with version {self.release.version}, but "
                f"{', '.join(sorted(wrong))} did. Look at the InferenceService's status."
            )
        self.service.notify(f"{stage}: {found.num_series} series inside the limits")
        return found

    def _returned(self, previous: Object, err: BaseException) -> ClusterError:
        """Bring the previous spec back; returns the error to raise."""
        try:
            current = self.service.read()
            if current["spec"] != previous:
                self.service.replace_spec(current, previous)
                if version := served_version(previous):
                    minutes = self.limits.ready_minutes
                    self.service.wait(serves, minutes, version, "the way back")
        except InvalidInputError as second:
            return ClusterError(
                f"{err} And the previous spec could not be brought back: {second} "
                f"Run `invopt rollback` or apply the overlay."
            )
        what = served_version(previous) or "no version"
        return ClusterError(f"{err or 'interrupted.'} The service has {what} as before.")

    def _ask(self, address: str) -> Answers:
        return ask(address, self.service.name, self.unique_ids, self.limits.batch_size)

    def _note(self, what: str, **content: Any) -> None:
        self.steps.append({"step": what, "time": time.time()} | content)


def return_to_previous(service: InferenceService, limits: DeploymentConfig) -> str:
    """Bring back the spec before the last promotion; returns the version it serves.

    Doing it twice goes forward again.

    Raises:
        ClusterError: If there is none, or it does not become ready.
    """
    current = service.read()
    kept = current["metadata"].get("annotations", {}).get(PREVIOUS)
    if kept is None:
        raise ClusterError(
            f"InferenceService {service.name} keeps no previous spec: nothing was promoted yet. "
            "There is nothing to go back to."
        )
    previous = json.loads(kept)
    version = served_version(previous)
    if not version:
        raise ClusterError(
            f"InferenceService {service.name} served no model before its first promotion. "
            "Promote another version instead."
        )
    service.notify(f"going back from {served_version(current['spec'])} to {version}")
    service.replace_spec(current, previous, without_canary(current["spec"]))
    service.wait(serves, limits.ready_minutes, version, "readiness")
    return version
