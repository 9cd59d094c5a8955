"""What planners decide on the served page: kept, told to others, and planned with."""

import io
import shutil
import threading
import warnings

import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.files import read_csv
from invopt.steps.replenish import plan_all_orders
from serving.planner import create_app, run
from serving.settings import ServerSettings
from serving.stores.planner_desk import (
    DecidedMeanwhileError,
    PlannerDesk,
    desk_file,
    planners_overrides,
)
from tests.planner import CONFIG, make_review, review_files

with warnings.catch_warnings():  # it would rather have a package that nothing else here needs
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

DATE = "2024-04-29"


@pytest.fixture(scope="module")
def review(tmp_path_factory):
    return make_review(tmp_path_factory.mktemp("review"))


@pytest.fixture
def workspace(tmp_path, review):
    run = tmp_path / "runs" / "replenishment-20240430-060000"
    run.mkdir(parents=True)
    for name in ("plan.html", "orders.csv"):
        shutil.copyfile(review / name, run / name)
    return tmp_path


def client_of(workspace, token=""):
    app = create_app(workspace, workspace / "orders", token, ["testserver"])
    return TestClient(app, follow_redirects=False)


@pytest.fixture
def client(workspace):
    return client_of(workspace)


def decision(**changed):
    found = {"review_date": DATE, "unique_id": "p0_s0", "version": 0, "state": "changed",
             "quantity": 48.0, "who": "Ann", "why": "promotion moved"}  # fmt: skip
    return found | changed


def override(**changed):
    found = {"review_date": DATE, "unique_id": "p0_s0", "first": "2024-05-01",
             "last": "2024-05-07", "kind": "demand", "value": 500.0, "who": "Ann",
             "why": "a festival"}  # fmt: skip
    return found | changed


def test_a_decision_stands_with_who_and_why_and_is_in_the_orders(client):
    assert client.post("/api/decisions", json=decision()).status_code == 200
    stands = client.get("/api/state").json()["decisions"]
    assert [
        (d["unique_id"], d["state"], d["quantity"], d["who"], d["version"]) for d in stands
    ] == [("p0_s0", "changed", 48.0, "Ann", 1)]
    orders = pd.read_csv(io.StringIO(client.get("/api/orders.csv").text)).set_index("unique_id")
    assert orders.loc["p0_s0", "order_quantity"] == 48
    assert orders.loc["p0_s0", "decided_why"] == "promotion moved"
    assert (orders["decision"].drop("p0_s0").isna()).all()


def test_of_two_planners_the_second_is_told_what_the_first_did_and_nothing_is_lost(client):
    assert client.post("/api/decisions", json=decision()).status_code == 200
    late = client.post("/api/decisions", json=decision(who="Ben", state="rejected", quantity=None))
    assert late.status_code == 409
    assert "Ann was first: changed to 48 (promotion moved)" in late.json()["error"]
    assert late.json()["now"]["version"] == 1
    again = decision(who="Ben", state="rejected", quantity=None, version=1)
    assert client.post("/api/decisions", json=again).status_code == 200


def test_of_many_at_the_same_moment_exactly_one_decides(tmp_path):
    desk = PlannerDesk(tmp_path / "desk.db")
    outcomes, start = [], threading.Barrier(8)

    def decide(number):
        start.wait()
        try:
            desk.decide(DATE, "a", 0, "accepted", None, f"planner {number}", "")
        except DecidedMeanwhileError:
            outcomes.append("told")
        else:
            outcomes.append("decided")

    threads = [threading.Thread(target=decide, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["decided", *["told"] * 7]
    assert len(desk.history(DATE, "a")) == 1
    desk.close()


def test_undo_brings_back_what_stood_and_keeps_what_was_done(tmp_path):
    desk = PlannerDesk(tmp_path / "desk.db")
    desk.decide(DATE, "a", 0, "changed", 5.0, "Ann", "")
    desk.decide(DATE, "a", 1, "rejected", None, "Ben", "")
    found = desk.undo(DATE, "a", 2, "Ann")
    assert (found.state, found.quantity, found.version) == ("changed", 5.0, 3)
    assert [d.state for d in desk.history(DATE, "a")] == ["changed", "rejected", "changed"]
    desk.close()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (decision(quantity=-1), "quantity"),
        (decision(quantity=None), "a changed order needs a quantity"),
        (decision(who=" "), "who"),
        (decision(unique_id="nobody"), "no series 'nobody'"),
        (decision(state="maybe"), "state"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_in_a_sentence(client, body, told):
    answer = client.post("/api/decisions", json=body)
    assert answer.status_code == 400
    assert told in answer.json()["error"]
    assert client.get("/api/state").json()["decisions"] == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"value": -3}, "value"),
        ({"kind": "factor", "value": 500}, "a factor is at most 100, got 500: is it a demand?"),
        ({"last": "2024-04-30"}, "it ends on 2024-04-30, before it begins on 2024-05-01"),
        ({"first": "2024-04-01", "last": "2024-04-29"}, "the forecast begins after the review"),
        ({"why": ""}, "why"),
    ],
)
def test_an_override_out_of_range_is_refused_in_a_sentence(client, changed, told):
    answer = client.post("/api/overrides", json=override(**changed))
    assert answer.status_code == 400
    assert told in answer.json()["error"]


def test_a_plan_that_changed_under_the_editor_is_told_and_loses_nothing(client, workspace, review):
    client.post("/api/decisions", json=decision())
    newer = workspace / "runs" / "replenishment-20240507-060000"
    newer.mkdir()
    shutil.copyfile(review / "plan.html", newer / "plan.html")
    orders = (review / "orders.csv").read_text().replace(DATE, "2024-05-06")
    (newer / "orders.csv").write_text(orders)
    assert client.get("/api/state").json()["latest"] == "2024-05-06"
    client.get("/")
    late = client.post("/api/decisions", json=decision(version=1))
    assert late.status_code == 409
    assert "was replaced by that of 2024-05-06" in late.json()["error"]
    desk = PlannerDesk(desk_file(workspace / "orders", "m"))
    assert desk.decisions(DATE)["p0_s0"].quantity == 48
    desk.close()


def test_the_next_run_plans_with_an_override_until_it_is_withdrawn(
    client, workspace, review, tmp_path
):
    def planned():
        out = {n: str(tmp_path / f"{n}.csv") for n in ("orders", "purchase_orders", "exceptions")}
        files = review_files(review, planners_overrides(workspace / "orders", "m"))
        plan_all_orders(files, CONFIG.inventory, "m-1", out, lambda _: None)
        return read_csv(out["orders"], dtype={"unique_id": str}).set_index("unique_id")

    before = planned()
    number = client.post("/api/overrides", json=override()).json()["id"]
    found = planned()
    assert found.loc["p0_s0", "order_quantity"] > before.loc["p0_s0", "order_quantity"] + 100
    assert "demand set to 500 by Ann: a festival" in found.loc["p0_s0", "reason"]
    assert "overridden" in found.loc["p0_s0", "exception"]
    assert client.post("/api/withdraw", json={"id": number, "who": "Ann"}).status_code == 200
    again = client.post("/api/withdraw", json={"id": number, "who": "Ben"})
    assert again.status_code == 400
    pd.testing.assert_frame_equal(planned(), before)


def test_without_the_token_nothing_is_shown_and_nothing_is_changed(workspace):
    client = client_of(workspace, "secret")
    assert client.get("/").status_code == 401
    assert "p0_s0" not in client.get("/").text
    assert client.post("/api/decisions", json=decision()).status_code == 401
    assert client.get("/api/orders.csv").status_code == 401
    assert client.post("/enter", content="token=wrong").status_code == 401
    header = {"Authorization": "Bearer secret"}
    assert client.get("/api/state", headers=header).json()["decisions"] == []
    entered = client.post("/enter", content="token=secret\r\n")
    assert entered.status_code == 303
    assert "httponly" in entered.headers["set-cookie"].lower()
    assert "secret" not in entered.headers["set-cookie"]
    assert client.get("/").status_code == 200


def test_another_sites_page_can_change_nothing(client):
    form = client.post("/api/decisions", content=b"{}", headers={"Content-Type": "text/plain"})
    assert form.status_code == 415
    other = client.get("/api/state", headers={"Host": "evil.example"})
    assert other.status_code == 400


def test_an_open_address_needs_a_token(workspace):
    with pytest.raises(InvalidInputError, match="set INVOPT_SERVER_TOKEN"):
        run(workspace, workspace / "orders", ServerSettings(host="0.0.0.0"), print)


def test_a_workspace_without_orders_says_what_to_do(tmp_path):
    with pytest.raises(InvalidInputError, match="run `invopt run replenishment"):
        create_app(tmp_path, tmp_path / "orders", "", ["testserver"])
