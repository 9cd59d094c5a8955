import numpy as np
import orjson

from invopt.forecasts import ForecastArrays
from serving.answers.last_answers import LastAnswers, WrittenAnswer
from serving.answers.plans import PlanSheet
from serving.api.contract import Step


def sheet(*values):
    num = len(values)
    mean = np.array(values, np.float32)[:, None]
    forecast = ForecastArrays(
        mean, mean[:, :, None], mean[:, :, None], (0.5,), (0.5,), is_count=True
    )
    unknown = np.full(num, np.nan)
    return PlanSheet(
        forecast=forecast, products={}, price=unknown, position={"on_hand": unknown},
        steps=[Step.FRESH] * num, reasons=[""] * num, versions=["m"] * num, segments=[""] * num,
        cutoff="2024-01-01",
        known_at=0.0,
    )  # fmt: skip


def test_the_newest_row_of_a_series_is_remembered():
    memory = LastAnswers(10)
    memory.keep(sheet(1, 2), [("a", 0), ("b", 1)])
    memory.keep(sheet(3), [("a", 0)])
    assert memory.find("a").forecast.mean.tolist() == [[3.0]]
    assert memory.find("b").forecast.mean.tolist() == [[2.0]]
    assert memory.find("c") is None
    assert memory.latest(5) == ["a", "b"]


def test_the_oldest_sheets_go_and_newer_rows_of_their_series_stay():
    memory = LastAnswers(3)
    memory.keep(sheet(1, 2), [("a", 0), ("b", 1)])
    memory.keep(sheet(3, 4), [("a", 0), ("c", 1)])
    assert memory.find("b") is None
    assert memory.find("a").forecast.mean.tolist() == [[3.0]]
    assert memory.latest(9) == ["a", "c"]


def test_a_sheet_larger_than_the_memory_is_kept_until_the_next():
    memory = LastAnswers(1)
    memory.keep(sheet(1, 2), [("a", 0), ("b", 1)])
    assert memory.find("b") is not None
    memory.keep(sheet(5), [("c", 0)])
    assert memory.find("b") is None


def test_a_written_answer_is_the_answer_and_its_age_alone_changes():
    answer = {"unique_id": 'a "b"', "mean": np.array([1.5, 2.0]), "feature_age_s": 3.0,
              "degraded": None}  # fmt: skip
    found = WrittenAnswer.of(answer)
    assert found.body == orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    assert dict(found.aged(9.5)) == answer | {"mean": [1.5, 2.0], "feature_age_s": 9.5}


def test_only_what_comes_from_the_same_is_answered_again():
    memory = LastAnswers(10)
    answer = WrittenAnswer(b"{", b"}", 0.0)
    memory.keep(sheet(1, 2), [("a", 0), ("b", 1)], {"a": (7, answer, {})})
    assert memory.again({"a": 7, "b": 7, "c": 7}).keys() == {"a"}
    assert memory.again({"a": 8}) == {}
    assert memory.again({"b": None}) == {}
