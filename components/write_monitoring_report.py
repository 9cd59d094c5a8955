"""Monitoring: the page somebody on call reads, and the numbers Prometheus scrapes."""

from kfp.dsl import HTML, Artifact, Input, Output

from components.base import component


@component
def write_monitoring_report(
    decision: Input[Artifact],
    command: str,
    console: str,
    config: dict,
    report: Output[HTML],
    metrics: Output[Artifact],
):
    """Draw the period: verdict and why, causes by money, where, known events, trend, what next.

    Args:
        decision: Evidence and decision.
        command: How a training run is started by hand.
        console: How the governor is asked, {} in place of the question.
        config: The whole configuration.
        report: One HTML file that needs nothing else.
        metrics: Prometheus' text format; the latest run's is kept in the workspace too, for
            Prometheus to find.
    """
    from invopt.report.monitoring_page import ByHand, write_monitoring_report
    from serving.deployment import Deployment
    from serving.progress import tell

    name = config["name"]
    kept = Deployment.from_environment().settings.monitoring / "metrics" / f"{name}.txt"
    by_hand = ByHand(command, console)
    files = [metrics.path, str(kept)]
    write_monitoring_report(decision.path, name, by_hand, report.path, files, notify=tell)
