"""The pages and the workbook that a planner reads after a review."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Output

from components.base import component


@component
def write_plan_report(
    derived: Input[Dataset],
    forecast: Input[Dataset],
    orders: Input[Dataset],
    purchase_orders: Input[Dataset],
    exceptions: Input[Dataset],
    snapshot: str,
    config: dict,
    report: Output[HTML],
    plan: Output[HTML],
    workbook: Output[Artifact],
):
    """Draw the review: orders, what service costs, where the money goes, what to look at.

    Args:
        derived: The panel with derived channels.
        forecast: Of every series.
        orders: The OrderPlan.
        purchase_orders: Its lines by supplier.
        exceptions: What a planner should look at.
        snapshot: Name of the data; it holds the stock position and the tables of planning.
        config: The whole configuration.
        report: One HTML file that needs nothing else.
        plan: The planner's page, one HTML file that needs nothing else.
        workbook: The tables as XLSX.
    """
    from pathlib import Path

    from invopt.config import Config
    from invopt.report.plan import PlanFiles, write_plan_page
    from invopt.report.replenishment_page import write_replenishment_report
    from invopt.report.workbook import write_workbook
    from invopt.steps.replenish import review_date
    from serving.deployment import Deployment
    from serving.progress import tell
    from serving.stores.order_plans import keep_review, last_plan, past_reviews
    from serving.stores.planner_desk import planners_overrides

    settings, run = Deployment.from_environment().settings, Config.of(config)
    date = review_date(derived.path)
    overrides = planners_overrides(settings.plans, run.name)
    files = PlanFiles(
        Path(derived.path), Path(forecast.path), Path(orders.path),
        exceptions=Path(exceptions.path), snapshot=settings.snapshots / snapshot,
        last=last_plan(settings.plans, run.name, date), overrides=overrides,
        past=past_reviews(settings.plans, run.name, date),
    )  # fmt: skip
    write_plan_page(files, run, plan.path, tell)
    write_workbook(orders.path, purchase_orders.path, exceptions.path,
                   currency=run.currency, out=workbook.path, notify=tell)  # fmt: skip
    write_replenishment_report(
        derived.path, forecast.path, orders.path, config=run, out=report.path, notify=tell
    )
    kept = {"plan.html": plan.path, "orders.csv": orders.path, "exceptions.csv": exceptions.path,
            "purchase_orders.csv": purchase_orders.path, "derived": derived.path,
            "forecast": forecast.path}  # fmt: skip
    keep_review(settings.plans, run, date, snapshot, kept, overrides=overrides)
