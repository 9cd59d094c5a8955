"""The training pipeline: data in, a judged model out."""

from typing import Any

from kfp import dsl

from pipelines.parameters import Parameters
from pipelines.pods import Steps


def build(parameters: Parameters) -> Any:
    """Return the pipeline with a configuration as its parameters' defaults."""
    step = Steps(parameters.cluster)

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
        2. Clean: records into demand, stock-outs marked as censored.
        3. Features: derived channels and scales.
        4. Publish: feature tables into Feast, offline and online.
        5. Retrieve: the training set, point in time, from Feast.
        6. Tune: trials shared by parallel workers; the best one's values.
        7. Train: trunk and heads, exported to ONNX.
        8. Evaluate: beside champion and baselines, in accuracy and in money.
        9. Explain: attributions that add up.
        10. Judge: promote or keep.
        11. Refit on every period (where configured), register and deploy, when promoted; else
            register as rejected and, where there is no champion, deploy the best baseline.
        12. Report.

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
        clean = step.clean_data(snapshot=snapshot, cleaning=cleaning, code_version=code_version)
        built = step.build_features(
            panel=clean.outputs["panel"],
            features=features,
            evaluation=evaluation,
            code_version=code_version,
        )
        publish = step.publish_features(
            derived=built.outputs["derived"], snapshot=snapshot, features=features
        ).set_caching_options(False)
        retrieve = step.retrieve_training_set(
            known_at=publish.output, snapshot=snapshot, code_version=code_version
        )
        training_set = retrieve.outputs["training_set"]
        sweep = step.open_sweep(config=config, study=study, job=job)
        sweep.set_caching_options(False)
        with dsl.ParallelFor(sweep.output, name="sweep") as worker:
            trials = step.run_trials(
                training_set=training_set, config=config, study=study, job=job, worker=worker
            ).set_caching_options(False)
        chosen = step.select_trial(
            config=config, study=study, job=job, finished=dsl.Collected(trials.output)
        ).set_caching_options(False)
        tuned = chosen.outputs["Output"]
        train = step.train_forecaster(
            training_set=training_set, config=tuned, code_version=code_version
        )
        model = train.outputs["model"]
        evaluate = step.evaluate_forecaster(
            model=model, training_set=training_set, config=tuned
        ).set_caching_options(False)
        explain = step.explain_forecaster(
            model=model, training_set=training_set, config=tuned, code_version=code_version
        )
        judge = step.judge_forecaster(
            assessment=evaluate.outputs["assessment"],
            quality=ingest.outputs["quality"],
            config=tuned,
        ).set_caching_options(False)
        judged = {
            "verdict": judge.outputs["verdict"],
            "assessment": evaluate.outputs["assessment"],
            "explanation": explain.outputs["explanation"],
            "snapshot": snapshot,
            "config": tuned,
            "run": job,
            "cause": cause,
            "window": window,
            "retraining": retraining,
        }
        with dsl.If(judge.outputs["Output"] == "promote", name="promoted"):
            refit = step.refit_forecaster(
                model=model, training_set=training_set, config=tuned, code_version=code_version
            )
            register = step.register_forecaster(
                model=refit.outputs["refitted"], study=study, **judged
            ).set_caching_options(False)
            step.deploy_forecaster(config=tuned, version=register.output).set_caching_options(False)
        with dsl.If(judge.outputs["Output"] == "keep", name="kept"):
            kept = step.keep_forecaster(
                model=model, training_set=training_set, **judged
            ).set_caching_options(False)
            with dsl.If(kept.outputs["Output"] != "", name="stands-in"):
                step.deploy_forecaster(
                    config=tuned, version=kept.outputs["Output"]
                ).set_caching_options(False)
        step.write_report(
            model=model,
            quality=ingest.outputs["quality"],
            counts=clean.outputs["counts"],
            sweep=chosen.outputs["sweep"],
            study=study,
            code_version=code_version,
            **judged,
        ).set_caching_options(False)

    return pipeline
