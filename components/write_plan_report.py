"""The page a planner reads after a review."""

from kfp.dsl import HTML, Dataset, Input, Output

from components.base import component


@component
def write_plan_report(
    derived: Input[Dataset],
    forecast: Input[Dataset],
    orders: Input[Dataset],
    config: dict,
    report: Output[HTML],
):
    """Draw the review: orders, what service costs, where the money goes, what to look at.

    Args:
        derived: The panel with derived channels.
        forecast: Of every series.
        orders: The OrderPlan.
        config: The whole configuration.
        report: One HTML file that needs nothing else.
    """
    from invopt.report import write_replenishment_report
    from serving.progress import tell

    write_replenishment_report(derived.path, forecast.path, orders.path, config, report.path, tell)
