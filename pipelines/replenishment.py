"""The replenishment pipeline: today's stock and sales in, today's orders out."""

from typing import Any

from kfp import dsl

from pipelines.parameters import Parameters
from pipelines.pods import Steps


def build(parameters: Parameters) -> Any:
    """Return the pipeline with a configuration as its parameters' defaults."""
    step = Steps(parameters.cluster)

    @dsl.pipeline(name="replenishment", pipeline_config=step.pipeline_config)
    def pipeline(
        data_dir: str = parameters.data_dir,
        mapping: str = parameters.mapping,
        data: dict = parameters.section("data"),
        cleaning: dict = parameters.section("cleaning"),
        features: dict = parameters.section("features"),
        evaluation: dict = parameters.section("evaluation"),
        config: dict = parameters.config,
        code_version: str = parameters.code_version,
    ):
        """Plan the orders of one review date with the champion.

        1. Ingest and prepare, as in training.
        2. Forecast: every series, by the champion's ONNX graph.
        3. Plan: orders from forecast, stock and costs, and the page about them.
        4. Publish: features and forecast into Feast.

        Args:
            data_dir: Folder of the data.
            mapping: The data set's mapping, as JSON: the order of its keys matters.
            data: Section of the configuration.
            cleaning: Section of the configuration.
            features: Section of the configuration.
            evaluation: Section of the configuration.
            config: The whole configuration.
            code_version: Of the library; part of every cache key.
        """
        ingest = step.ingest_data(mapping=mapping, data_dir=data_dir, data=data)
        ingest.set_caching_options(False)
        snapshot = ingest.outputs["snapshot"]
        prepared = step.prepare_panel(
            snapshot=snapshot,
            cleaning=cleaning,
            features=features,
            evaluation=evaluation,
            code_version=code_version,
        )
        derived = prepared.outputs["derived"]
        forecast = step.forecast_demand(derived=derived, config=config).set_caching_options(False)
        version = forecast.outputs["Output"]
        plan = step.plan_orders(
            derived=derived,
            forecast=forecast.outputs["forecast"],
            snapshot=snapshot,
            model_version=version,
            config=config,
        ).set_caching_options(False)
        step.write_plan_report(
            derived=derived,
            forecast=forecast.outputs["forecast"],
            orders=plan.outputs["orders"],
            purchase_orders=plan.outputs["purchase_orders"],
            exceptions=plan.outputs["exceptions"],
            snapshot=snapshot,
            config=config,
        ).set_caching_options(False)
        step.publish_features(
            derived=derived,
            snapshot=snapshot,
            features=features,
            model_version=version,
            forecast=forecast.outputs["forecast"],
        ).set_caching_options(False)

    return pipeline
