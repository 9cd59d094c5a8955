"""A new version into the one InferenceService: watched, promoted, or taken back.

What stood there before is kept in an annotation, so that `invopt rollback` finds it, and comes
back by itself when the new version disappoints.
"""

import time
from collections.abc import Sequence
from typing import Any

from invopt.deployment_config import DeploymentConfig
from invopt.errors import InvalidInputError
from invopt.gate import check_verdict_holds
from serving.cluster.inference_service import (
    InferenceService,
    Release,
    canary_address,
    canary_share,
    check_canary_kept,
    is_ready,
    kept_release,
    promoted,
    restored,
    served_release,
    serves,
    stable_address,
    with_canary,
    without_canary,
)
from serving.cluster.kubernetes import ClusterError, Object
from serving.cluster.shadow import Comparison, ShadowAnswers, ask, compare


class Rollout:
    """One release on its way.

    Args:
        service: In the cluster.
        release: To be served.
        limits: It must stay inside.
        unique_ids: Series to ask for.
        token: Bearer token of its pods, "" for none.
        judged: Version that it was judged beside, as in Registry.check_judged.
    """

    def __init__(
        self,
        service: InferenceService,
        release: Release,
        limits: DeploymentConfig,
        unique_ids: Sequence[str],
        token: str = "",
        judged: str | None = None,
    ) -> None:
        self.token, self.judged = token, judged
        self.service, self.release, self.limits = service, release, limits
        self.unique_ids = list(unique_ids)
        self.steps: list[dict[str, Any]] = []
        # As this rollout last made or saw it: the way back needs no look before its one change.
        self._current: Object = {}

    def run(self) -> dict[str, Any]:
        """Roll out and return the evidence.

        Raises:
            InvalidInputError: If the release fails; the service has its previous spec again.
        """
        before = self.service.settled()
        previous, self._current = served_release(before["spec"]), before
        has_champion = previous is not None and self.service.answers(before)
        self._note("found", version=previous and previous.version, ready=is_ready(before))
        if previous is not None:  # another rollout, which this one waited for, may have changed it
            check_verdict_holds(
                self.service.name, self.release.version, self.judged, previous.version
            )
        if previous is not None and not has_champion:
            self.service.notify("what serves is not ready: no canary and nothing to compare with")
        champion = self._ask(stable_address(before)) if has_champion else None
        try:
            if has_champion and previous == self.release:
                # By an attempt that was cut off before it could say so.
                self.service.notify(f"version {self.release.version} is at work already")
                served = self._serving(before, champion)
            else:
                if has_champion and self.limits.canary_percent:
                    self._watch_canary(before, champion)
                served = self._promote(previous, champion)
        except (InvalidInputError, KeyboardInterrupt, SystemExit) as err:
            raise self._returned(previous, err) from err
        self.service.drop_autoscaler(self.release)
        self.service.notify(f"{self.service.name} serves version {self.release.version}")
        return {
            "service": self.service.name,
            "version": self.release.version,
            "source": self.release.source,
            # A canary that a terminated rollout left is nothing to come back to.
            "previous": without_canary(before["spec"]),
            "spec": served["spec"],
            "images": self.service.images(),
            "limits": self.limits.model_dump(mode="json"),
            "steps": self.steps,
        }

    def _watch_canary(self, before: Object, champion: ShadowAnswers | None) -> None:
        percent = self.limits.canary_percent
        self.service.notify(f"canary: version {self.release.version} gets {percent} %")
        self._current = self.service.replace_spec(
            before, with_canary(before, self.release, percent)
        )
        check_canary_kept(self._current, percent)
        found = self.service.wait(
            canary_share(percent),
            self.limits.ready_minutes,
            self.release.version,
            f"a canary of {percent} %",
        )
        self._note("canary", percent=percent, status=found.get("status", {}))
        self._judge("canary", canary_address(found, self.release), champion)

    def _promote(self, previous: Release | None, champion: ShadowAnswers | None) -> Object:
        current = self.service.read()
        spec = promoted(current, self.release)
        self._current = self.service.replace_spec(current, spec, previous)
        served = self.service.wait(
            serves, self.limits.ready_minutes, self.release.version, "readiness"
        )
        return self._serving(served, champion)

    def _serving(self, served: Object, champion: ShadowAnswers | None) -> Object:
        self._judge("promoted", stable_address(served), champion)
        return served

    def _judge(self, stage: str, address: str, champion: ShadowAnswers | None) -> Comparison:
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

    def _returned(self, previous: Release | None, err: BaseException) -> ClusterError:
        """Bring the release before back; returns the error to raise.

        A step that is terminated has a second left: the change goes out first, and nobody waits.
        """
        terminated = not isinstance(err, InvalidInputError)
        what = "no version" if previous is None else previous.version
        try:
            self._put_back(previous)
            if not terminated:
                self._settle_back(previous)
        except InvalidInputError as second:
            return ClusterError(
                f"{err} And the release before could not be brought back: {second} "
                f"Run `invopt rollback` or apply the overlay."
            )
        told = "the step was terminated." if terminated else str(err)
        return ClusterError(f"{told} The service has {what} as before.")

    def _put_back(self, previous: Release | None) -> None:
        """Change the service back by one call; where somebody else changed it, look first."""
        stopped = previous is None
        if self._current["spec"] == restored(self._current, previous):
            return  # nothing of this rollout ever reached it
        try:
            spec = restored(self._current, previous)
            self.service.replace_spec(self._current, spec, stopped=stopped)
        except InvalidInputError:
            current = self.service.read()
            if current["spec"] != restored(current, previous):
                spec = restored(current, previous)
                self.service.replace_spec(current, spec, stopped=stopped)

    def _settle_back(self, previous: Release | None) -> None:
        if previous is not None:
            minutes = self.limits.ready_minutes
            self.service.wait(serves, minutes, previous.version, "the way back")
        self.service.drop_autoscaler(self.release)

    def _ask(self, address: str) -> ShadowAnswers:
        return ask(address, self.service.name, self.unique_ids, self.limits.batch_size, self.token)

    def _note(self, what: str, **content: Any) -> None:
        self.steps.append({"step": what, "time": time.time()} | content)


def return_to_previous(service: InferenceService, limits: DeploymentConfig) -> str:
    """Bring back what was served before the last promotion; returns the version.

    Only the model changes: replicas and resources stay as they are now. Doing it twice goes
    forward again.

    Raises:
        ClusterError: If there is none, or it does not become ready.
    """
    current = service.read()
    release, now = kept_release(current), served_release(current["spec"])
    if release is None:
        raise ClusterError(
            f"InferenceService {service.name} keeps nothing to go back to: it served no model "
            "before its first promotion, or nothing was promoted yet. Promote another version."
        )
    service.notify(f"going back from {now.version if now else 'no version'} to {release.version}")
    service.replace_spec(current, promoted(current, release), now)
    service.wait(serves, limits.ready_minutes, release.version, "readiness")
    return release.version
