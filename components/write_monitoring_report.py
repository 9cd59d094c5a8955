"""Monitoring: the page somebody on call reads, and the numbers Prometheus scrapes."""

from kfp.dsl import HTML, Artifact, Input, Output

from components.base import component


@component
def write_monitoring_report(
    decision: Input[Artifact],
    command: str,
    config: dict,
    report: Output[HTML],
    metrics: Output[Artifact],
):
    """Draw the period: verdict and why, causes by money, where, known events, trend, what next.

    Args:
        decision: Evidence and decision.
        command: How a training run is started by hand.
        config: The whole configuration.
        report: One HTML file that needs nothing else.
        metrics: Prometheus' text format, for a textfile collector.
    """
    from invopt.report import write_monitoring_report
    from serving.settings import Settings
    from serving.telling import tell

    workspace = Settings.from_environment().workspace
    write_monitoring_report(
        decision.path, config["name"], command, str(workspace), report.path, metrics.path, tell
    )
