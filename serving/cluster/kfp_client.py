"""Kubeflow Pipelines as a step of a run asks it.

A step runs with `_KFP_RUNTIME=true`, in which the kfp package has no Client; this is the few calls
a step needs on the generated API below it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.cluster.kfp_api import explained

_TIMEOUT_SECONDS = 20
_PAGE = 100


@dataclass(frozen=True)
class Origin:
    """What a run was started with.

    Attributes:
        pipeline_id: Of its pipeline.
        version_id: Of the pipeline's version.
        parameters: Every parameter of the run: given ones, and the version's defaults.
    """

    pipeline_id: str
    version_id: str
    parameters: dict[str, Any]


class KfpClient:
    """Kubeflow Pipelines at one address.

    Args:
        host: URL.
        token: Bearer token, "" where none is asked for.
        namespace: Whose runs, in an installation of several users; None in one that all share.
    """

    def __init__(self, host: str, token: str = "", namespace: str | None = None) -> None:
        import kfp_server_api as api  # type: ignore[import-untyped]  # noqa: PLC0415

        self.host, self.namespace = host, namespace
        self._whose = {} if namespace is None else {"namespace": namespace}
        configuration = api.Configuration(host=host.rstrip("/"))
        if token:
            configuration.api_key["authorization"] = token
            configuration.api_key_prefix["authorization"] = "Bearer"
        self._api, connection = api, api.ApiClient(configuration)
        self._health = api.HealthzServiceApi(connection)
        self._experiments = api.ExperimentServiceApi(connection)
        self._pipelines = api.PipelineServiceApi(connection)
        self._runs = api.RunServiceApi(connection)

    def serves_several_users(self) -> bool:
        """Return whether runs belong to namespaces here."""
        with explained(self.host, "connecting"):
            found = self._health.healthz_service_get_healthz(_request_timeout=_TIMEOUT_SECONDS)
        return bool(found.multi_user)

    def list_pipelines(self, **kwargs: Any) -> Any:
        """Return pipelines; the arguments are those of the API."""
        given = {key: value for key, value in kwargs.items() if value is not None}
        return self._pipelines.pipeline_service_list_pipelines(
            **given, _request_timeout=_TIMEOUT_SECONDS
        )

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, made where it is not there."""
        wanted = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        with explained(self.host, f"finding the experiment {name}"):
            found = self._experiments.experiment_service_list_experiments(
                filter=json.dumps({"predicates": [wanted]}), **self._whose,
                _request_timeout=_TIMEOUT_SECONDS,
            ).experiments  # fmt: skip
            if not found:
                body = self._api.V2beta1Experiment(display_name=name, namespace=self.namespace)
                made = self._experiments.experiment_service_create_experiment(
                    body, _request_timeout=_TIMEOUT_SECONDS
                )
                return str(made.experiment_id)
        return str(found[0].experiment_id)

    def newest_version(self, pipeline_id: str) -> str:
        """Return the version of a pipeline that was uploaded last."""
        with explained(self.host, "asking for the pipeline's versions"):
            found = self._pipelines.pipeline_service_list_pipeline_versions(
                pipeline_id, page_size=1, sort_by="created_at desc",
                _request_timeout=_TIMEOUT_SECONDS,
            )  # fmt: skip
        return str(found.pipeline_versions[0].pipeline_version_id)

    def state_of(self, experiment: str, run: str) -> str:
        """Return the state of the newest run of a name in an experiment, "" where there is none."""
        with explained(self.host, "asking for runs"):
            found = self._runs.run_service_list_runs(
                experiment_id=experiment, page_size=_PAGE, sort_by="created_at desc", **self._whose,
                _request_timeout=_TIMEOUT_SECONDS,
            ).runs  # fmt: skip
        return next((str(r.state or "PENDING") for r in found or () if r.display_name == run), "")

    def origin_of(self, run_id: str) -> Origin | None:
        """Return what a run was started with, None where the run or its version is gone."""
        api = self._api
        with explained(self.host, f"asking for run {run_id}"):
            try:
                run = self._runs.run_service_get_run(run_id, _request_timeout=_TIMEOUT_SECONDS)
                used = run.pipeline_version_reference
                if used is None:
                    return None
                version = self._pipelines.pipeline_service_get_pipeline_version(
                    used.pipeline_id, used.pipeline_version_id, _request_timeout=_TIMEOUT_SECONDS
                )
            except api.ApiException as err:
                if err.status == 404:
                    return None
                raise
        given = (run.runtime_config.parameters if run.runtime_config else None) or {}
        return Origin(
            str(used.pipeline_id),
            str(used.pipeline_version_id),
            _defaults(version.pipeline_spec) | given,
        )

    def start(
        self,
        experiment: str,
        name: str,
        version: tuple[str, str],
        parameters: Mapping[str, Any],
        account: str | None,
    ) -> str:
        """Start a run; returns its id.

        Args:
            experiment: Its id.
            name: Shown one.
            version: Ids of pipeline and version.
            parameters: Given to the pipeline; the others keep the version's defaults.
            account: Kubernetes service account of the run, None for KFP's own.
        """
        api = self._api
        body = api.V2beta1Run(
            experiment_id=experiment,
            display_name=name,
            pipeline_version_reference=api.V2beta1PipelineVersionReference(
                pipeline_id=version[0], pipeline_version_id=version[1]
            ),
            runtime_config=api.V2beta1RuntimeConfig(parameters=dict(parameters)),
            service_account=account,
        )
        with explained(self.host, f"starting {name}"):
            made = self._runs.run_service_create_run(body, _request_timeout=_TIMEOUT_SECONDS)
        return str(made.run_id)


def _defaults(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the defaults of a compiled pipeline's parameters.

    A package that says where steps run comes as two documents, and KFP answers with both.
    """
    content = spec.get("pipeline_spec", spec)
    inputs = content["root"].get("inputDefinitions", {}).get("parameters", {})
    return {k: v["defaultValue"] for k, v in inputs.items() if "defaultValue" in v}
