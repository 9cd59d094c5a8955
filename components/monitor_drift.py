"""Monitoring: whether the new weeks still look like the ones the model knows."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Output

from components.base import component


@component
def monitor_drift(
    derived: Input[Dataset],
    config: dict,
    report: Output[HTML],
    evidence: Output[Artifact],
) -> str:
    """Compare the latest period with its reference and decide.

    Args:
        derived: The panel with derived channels.
        config: The whole configuration.
        report: Evidently's page.
        evidence: The numbers and the decision, as JSON.

    Returns:
        "retrain", "alert" or "ignore".
    """
    from invopt.steps import monitor
    from serving.registry import champion_path
    from serving.telling import tell

    path = champion_path(config["name"], required=True)
    return monitor(path, derived.path, config, report.path, evidence.path, tell)
