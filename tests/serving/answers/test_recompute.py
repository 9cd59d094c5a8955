"""What is in the prediction log is enough to decide again, to the last digit."""

from dataclasses import replace

import pyarrow as pa
import pytest

from invopt.errors import InvalidInputError
from serving.api.contract import Instance
from serving.stores.prediction_log import SCHEMA, PredictionLog, read_predictions

pytestmark = pytest.mark.slow
PLAN = (
    "lead_time", "review_period", "critical_ratio", "expected_demand", "reorder_point",
    "order_up_to_level", "safety_stock", "order_quantity", "expected_holding_cost",
    "expected_stockout_cost", "reason", "level_quantiles",
)  # fmt: skip
ASKED = [
    {"unique_id": "p0_s0", "position": {"on_hand": 1 / 3, "arrivals": [0, 0, 7.1], "on_order": 9}},
    {"unique_id": "p2_s3", "position": {"on_hand": 0, "backorders": 2.5}},
    {"unique_id": "p1_s1"},
    {"unique_id": "new", "features": {"sales": [3, 4, 5] * 20}},
]


@pytest.fixture(scope="module", params=["order_up_to", "lost_sales"])
def champion(shop, request):
    from serving.answers.loaded_model import load_champion

    found = load_champion(shop.model, "demand", "1")
    inventory = found.config.inventory.model_copy(update={"policy": request.param})
    return replace(found, config=found.config.model_copy(update={"inventory": inventory}))


@pytest.fixture
def served(shop, champion, tmp_path):
    """Decisions as they were answered, and the rows of the log."""
    from serving.answers.decider import Decider
    from serving.stores.online_features import OnlineFeatures

    features = OnlineFeatures(shop.settings, seconds=30.0)
    log = PredictionLog(tmp_path)
    decider = Decider(champion, features, log=log)
    answers = []
    for some in (ASKED[:1], ASKED[1:]):  # rows of several widths share a file
        answers += decider.decide([Instance.model_validate(one) for one in some])
    log.close()
    features.close()
    return answers, read_predictions(tmp_path)


def test_a_logged_decision_is_computed_again_exactly(served, champion):
    from serving.answers.recompute import replay

    answers, rows = served
    assert rows["arrivals"][0].as_py() == [0, 0, 7.1]
    plans = replay(rows, champion)
    assert [{n: plan[n] for n in PLAN} for plan in plans] == [
        {n: answer[n] for n in PLAN} for answer in answers
    ]


def test_rows_of_another_policy_or_of_an_earlier_log_are_refused(served, champion):
    from serving.answers.recompute import replay

    _, rows = served
    inventory = champion.config.inventory.model_copy(update={"review_period": 2})
    other = replace(champion, config=champion.config.model_copy(update={"inventory": inventory}))
    with pytest.raises(InvalidInputError, match="give the model that answered"):
        replay(rows, other)
    at = SCHEMA.names.index("levels")
    none = pa.nulls(len(rows), SCHEMA.field("levels").type)
    with pytest.raises(InvalidInputError, match="4 of 4 rows hold no levels"):
        replay(rows.set_column(at, SCHEMA.field("levels"), none), champion)
