"""What `mlflow.pyfunc.load_model` loads: the model's own forecasts and orders, series by series.

    model = mlflow.pyfunc.load_model("models:/demo@champion")
    model.predict(pandas.DataFrame({"unique_id": ["P000_S00"], "on_hand": [12.0]}))

Features are those that were published last, of the workspace the model lies in or the one that the
environment names. No code travels with a model: it is read by the installed version of invopt.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from invopt.errors import InvalidInputError
from serving.answers.decider import Decider
from serving.answers.loaded_model import load_champion
from serving.api.contract import Instance
from serving.deployment import Deployment
from serving.settings import ServerSettings
from serving.stores.online_features import OnlineFeatures

POSITION = ("on_hand", "on_order", "backorders")
ASSUMED = ("lead_time", "review_period", "cycle_service_level", "price")
_WHOLE = ("lead_time", "review_period")


class DecisionFunction:
    """Forecasts and orders of series, as MLflow's pyfunc calls them.

    Args:
        folder: Of the registered model.
    """

    def __init__(self, folder: Path) -> None:
        place = folder.resolve()
        settings = Deployment.beside(place).settings
        features = OnlineFeatures(settings, ServerSettings.store_seconds)
        # WORKSPACE/models/NAME/HASH/model
        self._decider = Decider(
            load_champion(place, place.parents[1].name, place.parent.name), features
        )

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """Return one row per series: its order, what it rests on, forecast and dates as lists.

        Args:
            model_input: unique_id; optional on_hand, on_order, backorders in place of the recorded
                stock, and lead_time, review_period, cycle_service_level, price to assume instead:
                the row is then the plan under these.
            params: None are known.

        Raises:
            InvalidInputError: If a column is missing or not known.
        """
        known = ("unique_id", *POSITION, *ASSUMED)
        unknown = sorted(set(model_input.columns) - set(known))
        if unknown or "unique_id" not in model_input:
            raise InvalidInputError(
                f"the input must have the column unique_id, and may have {', '.join(known[1:])}; "
                f"got {', '.join(map(str, model_input.columns))}."
            )
        rows = [
            {str(name): value for name, value in row.items() if not pd.isna(value)}
            for row in model_input.to_dict("records")
        ]
        found = self._decider.decide([_instance(row) for row in rows], is_counted=False)
        return pd.DataFrame([_row(decision) for decision in found])


def _load_pyfunc(path: str) -> DecisionFunction:
    """Return the model of a folder; MLflow calls it by this name."""
    return DecisionFunction(Path(path))


def _instance(row: dict[str, Any]) -> Instance:
    position = {name: row[name] for name in POSITION if name in row}
    assumed = {name: int(row[name]) if name in _WHOLE else row[name]
               for name in ASSUMED if name in row}  # fmt: skip
    return Instance.model_validate(
        {"unique_id": str(row["unique_id"])}
        | ({"position": position} if position else {})
        | ({"what_if": assumed} if assumed else {})
    )


def _row(decision: dict[str, Any]) -> dict[str, Any]:
    """Return a decision, or the plan under its assumptions, without what is nested in it."""
    assumed = decision.get("what_if") or {}
    if "code" in assumed:  # there is no plan under these assumptions
        return {"unique_id": decision["unique_id"], **assumed}
    meant = decision | assumed
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in meant.items()
        if not isinstance(value, dict) and name not in ("what_if", "attributions", "degraded")
    }
