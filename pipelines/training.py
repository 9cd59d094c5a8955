"""The training pipeline: data in, a judged model out."""

from typing import Any

from kfp import dsl

from pipelines.parameters import Parameters
from pipelines.pods import Steps


def build(parameters: Parameters) -> Any:
    """Return the pipeline with a configuration as its parameters' defaults."""
    step = Steps(parameters.cluster)
    tuning = parameters.typed.tuning
    is_shared = tuning.num_trials > 0 and tuning.num_workers > 1

    @dsl.pipeline(name="training", pipeline_config=step.pipeline_config)
    def pipeline(
        data_dir: str = parameters.data_dir,
        mapping: str = parameters.mapping,
        data: dict = parameters.section("data"),
        cleaning: dict = parameters.section("cleaning"),
        features: dict = parameters.section("features"),
        evaluation: dict = parameters.section("evaluation"),
        config: dict = parameters.config,
        study: str = "",
        cause: str = "",
        window: str = "",
        retraining: str = "",
        code_version: str = parameters.code_version,
    ):
        """Train a challenger and let the gate decide.

        1. Ingest: read, validate and quarantine.
        2. Prepare: records into demand, stock-outs marked as censored; derived channels, scales.
        3. Publish: feature tables into Feast, offline and online.
        4. Retrieve: the training set, point in time, from Feast.
        5. Tune: trials, shared by parallel workers where there are several; the best one's values.
        6. Train: trunk and heads, exported to ONNX.
        7. Evaluate: beside champion and baselines, in accuracy and in money: promote or keep.
        8. Explain: attributions that add up.
        9. Refit on every period (where configured) and release, when promoted; else register as
           rejected and, where there is no champion, deploy the best baseline.
        10. Report.

        Args:
            data_dir: Folder of the data.
            mapping: The data set's mapping, as JSON: the order of its keys matters.
            data: Section of the configuration.
            cleaning: Section of the configuration.
            features: Section of the configuration.
            evaluation: Section of the configuration.
            config: The whole configuration.
            study: Name of the sweep; the same name goes on with it. The run's own where it is
                empty: of scheduled runs with one name for all only the first would search.
            cause: What monitoring found, where it started this run.
            window: Period it found it in.
            retraining: Key of the governor's decision.
            code_version: Of the library; part of every cache key.
        """
        job = dsl.PIPELINE_JOB_ID_PLACEHOLDER
        ingest = step.ingest_data(mapping=mapping, data_dir=data_dir, data=data)
        ingest.set_caching_options(False)
        snapshot = ingest.outputs["snapshot"]
        prepared = step.prepare_panel(
            snapshot=snapshot, cleaning=cleaning, features=features, evaluation=evaluation,
            code_version=code_version,
        )  # fmt: skip
        publish = step.publish_features(
            derived=prepared.outputs["derived"], snapshot=snapshot, features=features
        ).set_caching_options(False)
        retrieve = step.retrieve_training_set(
            known_at=publish.output, snapshot=snapshot, code_version=code_version
        )
        training_set = retrieve.outputs["training_set"]
        search = {"config": config, "study": study, "job": job}
        chosen = _search(step, training_set, search, is_shared=is_shared)
        tuned = chosen.outputs["Output"]
        learned = {"training_set": training_set, "config": tuned}
        train = step.train_forecaster(**learned, code_version=code_version)
        model = train.outputs["model"]
        evaluate = step.evaluate_forecaster(
            model=model, snapshot=snapshot, quality=ingest.outputs["quality"], **learned
        ).set_caching_options(False)
        explain = step.explain_forecaster(model=model, code_version=code_version, **learned)
        judged = {
            "verdict": evaluate.outputs["verdict"],
            "assessment": evaluate.outputs["assessment"],
            "explanation": explain.outputs["explanation"],
            "snapshot": snapshot,
            "config": tuned,
            "run": job,
            "cause": cause,
            "window": window,
            "retraining": retraining,
        }
        with dsl.If(evaluate.outputs["Output"] == "promote", name="promoted"):
            refit = step.refit_forecaster(model=model, code_version=code_version, **learned)
            step.release_forecaster(
                model=refit.outputs["refitted"], training_set=training_set, study=study, **judged
            ).set_caching_options(False)
        with dsl.If(evaluate.outputs["Output"] == "keep", name="kept"):
            step.keep_forecaster(
                model=model, training_set=training_set, **judged
            ).set_caching_options(False)
        step.write_report(
            model=model, quality=ingest.outputs["quality"], counts=prepared.outputs["counts"],
            sweep=chosen.outputs["sweep"], study=study, code_version=code_version, **judged,
        ).set_caching_options(False)  # fmt: skip

    return pipeline


def _search(step: Steps, training_set: Any, search: dict[str, Any], *, is_shared: bool) -> Any:
    """Return the task that chooses the configuration, by one worker or shared by several."""
    if is_shared:
        sweep = step.open_sweep(**search).set_caching_options(False)
        with dsl.ParallelFor(sweep.output, name="sweep") as worker:
            trials = step.run_trials(
                training_set=training_set, worker=worker, **search
            ).set_caching_options(False)
        chosen = step.select_trial(finished=dsl.Collected(trials.output), **search)
    else:
        chosen = step.search_alone(training_set=training_set, **search)
    return chosen.set_caching_options(False)
