"""Run with an interpreter that has stockcast 0.2: orders for rows of JSON, one decision each."""

import json
import sys
from pathlib import Path

import pandas as pd
from stockcast.core import (
    ConstraintContext,
    InventoryStateDataFrame,
    MaximumOrderQuantity,
    MinimumOrderQuantity,
    OrderingConstraints,
    OrderMultiple,
    ShelfSpaceLimit,
)
from stockcast.policies import OrderUpToPolicy

_DAY = pd.Timestamp("2025-03-31")


def ordered(row):
    """Return the order of one product tonight, placed as tomorrow's first decision."""
    sku = row["id"]
    longest = max([row["lead_time"], *(due for due, _ in row["orders"])]) + 1
    state = InventoryStateDataFrame.from_observed(
        pd.DataFrame({"unique_id": [sku], "on_hand": [float(row["on_hand"])]}),
        opening_date=_DAY, max_lead_time=longest, allow_backorders=not row["lost"],
    )  # fmt: skip
    orders = [(due, units) for due, units in row["orders"] if units > 0]
    if orders:
        state.with_open_orders(
            pd.DataFrame({
                "unique_id": sku, "due_period": [d for d, _ in orders],
                "quantity": [float(u) for _, u in orders],
            })
        )  # fmt: skip
    policy = OrderUpToPolicy(
        lead_time=row["lead_time"], review_period=row["review"], freq="D",
        service_level=row["service"], allow_backorders=not row["lost"],
    )  # fmt: skip
    policy.fit(
        pd.DataFrame({"unique_id": [sku], "S": [row["target"] + row["backorders"]]}),
        target_column="S", target_probability=row["service"], forecast_origin=_DAY,
    )  # fmt: skip
    decision = policy.predict(state, current_period=0)
    rules = [OrderMultiple(row["pack"], mode="adjust")]
    if row["least"] > 0:
        rules.insert(0, MinimumOrderQuantity(row["least"], mode="adjust"))
    if row["most"] is not None:
        rules.append(MaximumOrderQuantity(row["most"], mode="adjust"))
    if row["max_stock"] is not None:
        rules.append(ShelfSpaceLimit(row["max_stock"], mode="adjust"))
    result = OrderingConstraints(rules).apply(decision, ConstraintContext(state, policy, 0))
    frame = result.order.get_dataframe()
    return float(frame["order_quantity"].sum())


def main():
    """Read rows, write the quantity by id; what it refuses is told and ordered as nothing."""
    found = {}
    for row in json.loads(Path(sys.argv[1]).read_text()):
        try:
            found[row["id"]] = ordered(row)
        except (ValueError, TypeError) as err:
            print(f"stockcast refuses {row}: {err}", file=sys.stderr)
            found[row["id"]] = 0.0
    Path(sys.argv[2]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
