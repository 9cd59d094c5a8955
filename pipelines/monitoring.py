"""The monitoring pipeline: does what the model knows still hold?"""

from typing import Any

from kfp import dsl

from pipelines.parameters import Parameters
from pipelines.pods import Steps
from serving.stores.snapshots import READ, UNREADABLE


def build(parameters: Parameters) -> Any:
    """Return the pipeline with a configuration as its parameters' defaults."""
    step = Steps(parameters.cluster)

    @dsl.pipeline(name="monitoring", pipeline_config=step.pipeline_config)
    def pipeline(
        data_dir: str = parameters.data_dir,
        mapping: str = parameters.mapping,
        data: dict = parameters.section("data"),
        cleaning: dict = parameters.section("cleaning"),
        features: dict = parameters.section("features"),
        evaluation: dict = parameters.section("evaluation"),
        config: dict = parameters.config,
        run: str = "",
        command: str = parameters.command,
        console: str = parameters.console,
        code_version: str = parameters.code_version,
    ):
        """Judge the latest period, decide, and retrain where it helps and nothing holds it back.

        1. Ingest and prepare, as in training; data that cannot be read are evidence
           themselves, and nothing else is judged.
        2. Monitor: drift, realised error and cost, data and service; Evidently's report.
        3. Govern: ignore, alert, retrain or page, with everything that led to it.
        4. Report: the page, and numbers for Prometheus.
        5. Start training, when the governor lets it pass.

        Args:
            data_dir: Folder of the data.
            mapping: The data set's mapping, as JSON: the order of its keys matters.
            data: Section of the configuration.
            cleaning: Section of the configuration.
            features: Section of the configuration.
            evaluation: Section of the configuration.
            config: The whole configuration.
            run: Name of the run; the job's where it is empty.
            command: How a training run is started by hand, for the report.
            console: How the governor is asked by hand, {} in place of the question.
            code_version: Of the library; part of every cache key.
        """
        ingest = step.ingest_data(
            mapping=mapping, data_dir=data_dir, data=data, tell_faults=True
        ).set_caching_options(False)
        quality, state = ingest.outputs["quality"], ingest.outputs["Output"]

        def decide(evidence: Any) -> Any:
            governed = step.govern_retraining(
                evidence=evidence, config=config, run=run, job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER
            ).set_caching_options(False)
            step.write_monitoring_report(
                decision=governed.outputs["decision"],
                command=command,
                console=console,
                config=config,
            ).set_caching_options(False)
            return governed

        # Each branch decides for itself: an artifact that comes from one of two branches
        # (dsl.OneOf) is taken from the last one, run or not, up to KFP 2.16 (kubeflow/pipelines
        # issue 13436).
        with dsl.If(state == READ, name="read"):
            prepared = step.prepare_panel(
                snapshot=ingest.outputs["snapshot"],
                cleaning=cleaning,
                features=features,
                evaluation=evaluation,
                code_version=code_version,
            )
            monitored = step.monitor_drift(
                derived=prepared.outputs["derived"],
                quality=quality,
                snapshot=ingest.outputs["snapshot"],
                config=config,
            ).set_caching_options(False)
            governed = decide(monitored.outputs["evidence"])
            with dsl.If(governed.outputs["Output"] == "retrain", name="retrain"):
                step.start_training(
                    decision=governed.outputs["decision"],
                    data_dir=data_dir,
                    mapping=mapping,
                    config=config,
                ).set_caching_options(False)
        with dsl.If(state == UNREADABLE, name="unreadable"):
            told = step.monitor_unreadable(quality=quality, mapping=mapping, config=config)
            decide(told.set_caching_options(False).outputs["evidence"])

    return pipeline
