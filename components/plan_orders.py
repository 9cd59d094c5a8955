"""Replenishment: what to order today."""

from kfp.dsl import Dataset, Input, Output

from components.base import component


@component
def plan_orders(
    derived: Input[Dataset],
    forecast: Input[Dataset],
    snapshot: str,
    model_version: str,
    config: dict,
    orders: Output[Dataset],
    purchase_orders: Output[Dataset],
    exceptions: Output[Dataset],
):
    """Turn forecasts, stock and costs into orders, each with its reason.

    Args:
        derived: The panel with derived channels.
        forecast: Of every series.
        snapshot: Name of the data; it holds the stock position and the tables of planning.
        model_version: Put on every order.
        config: The whole configuration.
        orders: The OrderPlan as CSV.
        purchase_orders: Its lines by supplier, as CSV.
        exceptions: What a planner should look at, as CSV.
    """
    from pathlib import Path

    from invopt.config import Config
    from invopt.steps.replenish import ReviewFiles, plan_all_orders, review_date
    from serving.deployment import Deployment
    from serving.loop.served import check_still_champion
    from serving.progress import tell
    from serving.stores.order_plans import keep_plan, last_plan
    from serving.stores.planner_desk import planners_overrides

    deployment = Deployment.from_environment()
    settings, run = deployment.settings, Config.of(config)
    date = review_date(derived.path)
    files = ReviewFiles(
        source=Path(derived.path),
        forecast=Path(forecast.path),
        snapshot=settings.snapshots / snapshot,
        last=last_plan(settings.plans, run.name, date),
        overrides=planners_overrides(settings.plans, run.name),
    )
    out = {"orders": orders.path, "purchase_orders": purchase_orders.path,
           "exceptions": exceptions.path}  # fmt: skip
    plan_all_orders(files, run.inventory, model_version, out, tell)
    # Whoever rolled back meanwhile does not want the orders of the model before.
    check_still_champion(deployment.registry, run.name, model_version)
    keep_plan(settings.plans, run.name, date, orders.path)
