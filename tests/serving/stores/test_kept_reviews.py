"""Reviews that a workspace keeps: whole, one a model, linked and not copied."""

import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.files import read_json, write_csv, write_json
from serving.settings import Settings
from serving.stores.order_plans import (
    keep_review,
    latest_review,
    past_reviews,
    plans_of,
    segments_of_latest,
)
from tests.planner import CONFIG, keep, make_review, make_workspace


@pytest.fixture(scope="module")
def review(tmp_path_factory):
    return make_review(tmp_path_factory.mktemp("review"), num_series=6)


def test_the_latest_review_takes_the_place_of_the_one_before(tmp_path, review):
    settings = make_workspace(tmp_path, review)
    keep(settings, review, "2024-05-06")
    place = settings.plans / CONFIG.name / "reviews"
    assert [p.name for p in place.iterdir()] == ["2024-05-06"]
    found = latest_review(settings.plans)
    assert (found.name, found.review_date, found.snapshot) == (CONFIG.name, "2024-05-06", "snap")
    assert found.config.inventory == CONFIG.inventory
    assert (found.folder / "derived" / "part-0000" / "y.npy").is_file()


def test_a_review_planned_again_for_an_earlier_date_is_the_latest(tmp_path, review):
    settings = make_workspace(tmp_path, review)
    keep(settings, review, "2024-04-22")
    assert latest_review(settings.plans).review_date == "2024-04-22"


def test_files_are_linked_where_the_disk_can(tmp_path, review):
    settings = make_workspace(tmp_path, review)
    kept = latest_review(settings.plans).folder / "derived" / "part-0000" / "y.npy"
    assert kept.stat().st_nlink > 1  # both folders are on one disk here


def test_what_planners_said_when_it_was_planned_is_kept_with_it(tmp_path, review):
    settings = make_workspace(tmp_path, review)
    assert latest_review(settings.plans).overrides() is None
    said = pd.DataFrame({"unique_id": ["p0_s0"], "kind": ["factor"], "value": [2.0]})
    names = ("orders.csv", "derived", "forecast")
    files = {name: review / name for name in names}
    keep_review(settings.plans, CONFIG, "2024-05-06", "snap", files, said)
    pd.testing.assert_frame_equal(latest_review(settings.plans).overrides(), said)


def test_past_reviews_are_those_with_a_plan_and_its_forecast_before_a_date(tmp_path, review):
    settings = make_workspace(tmp_path, review)
    plan = settings.plans / CONFIG.name / "2024-04-29.csv"
    assert past_reviews(settings.plans, CONFIG.name, "2024-05-06") == []  # no plan is kept
    plan.write_bytes((review / "orders.csv").read_bytes())
    [(date, csv, means)] = past_reviews(settings.plans, CONFIG.name, "2024-05-06")
    assert (date, csv) == ("2024-04-29", plan)
    assert means.is_file()
    assert past_reviews(settings.plans, CONFIG.name, "2024-04-29") == []


def test_a_workspace_without_a_review_says_what_to_do(tmp_path):
    with pytest.raises(InvalidInputError, match="run `invopt run replenishment"):
        latest_review(Settings.of(tmp_path).plans)


def test_of_two_models_the_one_named_is_shown_and_the_last_planned_otherwise(tmp_path, review):
    settings = make_workspace(tmp_path, review)
    other = CONFIG.model_copy(update={"name": "spare-parts"})
    keep_review(settings.plans, other, "2024-04-22", "snap", {"derived": review / "derived",
                "forecast": review / "forecast"}, None)  # fmt: skip
    assert latest_review(settings.plans).name == "spare-parts"
    assert latest_review(settings.plans, CONFIG.name).review_date == "2024-04-29"
    with pytest.raises(InvalidInputError, match=f"there are those of {CONFIG.name}, spare-parts"):
        latest_review(settings.plans, "shoes")


def test_a_folder_that_a_run_fills_just_now_is_no_review(tmp_path, review):
    settings = make_workspace(tmp_path, review)
    kept = latest_review(settings.plans).folder
    half = kept.with_name(".2024-05-06.partial-0123456789ab")
    half.mkdir()
    head = read_json(kept / "review.json") | {"review_date": "2024-05-06", "kept_at": "2999-01-01"}
    write_json(half / "review.json", head)
    assert latest_review(settings.plans).review_date == "2024-04-29"


@pytest.mark.parametrize("name", ["@home_S1", "=1+1", "NA", "None", "00012"])
def test_a_series_of_any_name_is_found_in_the_plans_that_are_kept(tmp_path, name):
    plan = pd.DataFrame({"unique_id": [name, "other"], "segment": ["AX", "BY"], "reason": "=x"})
    (tmp_path / "m").mkdir()
    write_csv(tmp_path / "m" / "2024-04-29.csv", plan)
    assert segments_of_latest(tmp_path) == {name: "AX", "other": "BY"}
    [(model, date, row)] = plans_of(tmp_path, name)
    assert (model, date) == ("m", "2024-04-29")
    assert (row["unique_id"], row["reason"]) == (name, "=x")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}"])
def test_a_damaged_review_hides_no_other_and_is_told_where_there_is_no_other(
    tmp_path, review, content, caplog
):
    settings = make_workspace(tmp_path, review)
    damaged = settings.plans / "another" / "reviews" / "2024-05-06" / "review.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text(content)
    assert latest_review(settings.plans).review_date == "2024-04-29"
    assert str(damaged) in caplog.text
    (settings.plans / CONFIG.name / "reviews" / "2024-04-29" / "review.json").write_text(content)
    with pytest.raises(InvalidInputError, match=r"review.json is damaged: run `invopt run"):
        latest_review(settings.plans)
