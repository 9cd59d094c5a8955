"""What planners decide on the served page: kept, told to others, and planned with."""

import asyncio
import io
import shutil
import socket
import threading
import warnings
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import sqlalchemy as sa
from openpyxl import load_workbook

from invopt.errors import InvalidInputError
from invopt.files import read_csv
from invopt.forecasts import read_forecast
from invopt.steps.replenish import plan_all_orders
from serving.deployment import Deployment
from serving.planner import LOOPBACK, forecasters_of, run
from serving.settings import ServerSettings, Settings
from serving.stores.order_plans import keep_review, latest_review
from serving.stores.planner_desk import (
    DecidedMeanwhileError,
    PlannerDecision,
    PlannerDesk,
    desk_file,
    planners_overrides,
)
from serving.workbench.web import create_app
from tests.planner import CONFIG, LEVELS, keep, make_review, make_workspace, review_files

with warnings.catch_warnings():  # it would rather have a package that nothing else here needs
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

DATE = "2024-04-29"


@pytest.fixture(scope="module")
def review(tmp_path_factory):
    return make_review(tmp_path_factory.mktemp("review"))


@pytest.fixture
def workspace(tmp_path, review):
    return make_workspace(tmp_path, review)


def client_of(settings, token="", predict=None):
    app = create_app(settings, token, ["testserver"], predict)
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
            desk.decide(DATE, PlannerDecision("a", 0, "accepted", who=f"planner {number}"))
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
    desk.decide(DATE, PlannerDecision("a", 0, "changed", 5.0, "Ann"))
    desk.decide(DATE, PlannerDecision("a", 1, "rejected", who="Ben"))
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
    keep(workspace, review, "2024-05-06")
    assert client.get("/api/state").json()["latest"] == "2024-05-06"
    client.get("/")
    late = client.post("/api/decisions", json=decision(version=1))
    assert late.status_code == 409
    assert "was replaced by that of 2024-05-06" in late.json()["error"]
    desk = PlannerDesk(desk_file(workspace.plans, CONFIG.name))
    assert desk.decisions(DATE)["p0_s0"].quantity == 48
    desk.close()


def test_the_next_run_plans_with_an_override_until_it_is_withdrawn(
    client, workspace, review, tmp_path
):
    def planned():
        out = {n: str(tmp_path / f"{n}.csv") for n in ("orders", "purchase_orders", "exceptions")}
        files = review_files(review, planners_overrides(workspace.plans, CONFIG.name))
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
        run(Deployment.of(workspace.workspace), ServerSettings(host="0.0.0.0"), print)


def test_a_port_in_use_is_told_before_a_page_is_promised(workspace):
    told = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = ServerSettings(port=taken.getsockname()[1])
        with pytest.raises(InvalidInputError, match="cannot be used .*choose another with --port"):
            run(Deployment.of(workspace.workspace), settings, told.append)
    assert told == []


def test_the_page_opens_by_every_name_of_this_machine_that_it_listens_on(workspace):
    client = TestClient(create_app(workspace, "", [*LOOPBACK, "[::1]"]))
    for host in ("127.0.0.1:8090", "localhost:8090", "[::1]:8090"):
        assert client.get("/api/state", headers={"Host": host}).status_code == 200
    assert client.get("/api/state", headers={"Host": "evil.example"}).status_code == 400


def test_a_workspace_without_orders_says_what_to_do(tmp_path):
    with pytest.raises(InvalidInputError, match="run `invopt run replenishment"):
        create_app(Settings.of(tmp_path), "", ["testserver"])


# --- what if


def assumptions(**changed):
    found = {"review_date": DATE, "column": "", "value": "", "lead_time_times": 2}
    return found | changed


def test_what_if_nothing_changes_is_the_plan_again(client):
    body = assumptions(lead_time_times=1, with_overrides=True)
    found = client.post("/api/what-if", json=body).json()
    assert found["before"] == found["after"] == found["whole"]
    assert (found["num_series"], found["num_changed"], found["notes"]) == (60, 0, [])


def test_what_if_of_one_series_is_the_same_series_in_what_if_of_all(client):
    everything = client.post("/api/what-if", json=assumptions()).json()
    change = next(c for c in everything["changes"] if c["after"] is not None)
    body = assumptions(column="unique_id", value=change["unique_id"])
    one = client.post("/api/what-if", json=body).json()
    assert one["changes"] == [change]
    assert one["num_series"] == 1


def test_a_budget_is_kept_to_and_a_longer_lead_time_orders_more(client):
    plan = client.post("/api/what-if", json=assumptions(budget=100.0, lead_time_times=1)).json()
    assert 0 < plan["after"]["value"] <= 100 < plan["before"]["value"]
    assert plan["after"]["stockout_cost"] > plan["before"]["stockout_cost"]
    longer = client.post("/api/what-if", json=assumptions()).json()
    assert longer["after"]["units"] > longer["before"]["units"]


def test_a_dearer_service_level_orders_no_less(client):
    body = assumptions(lead_time_times=1, service_level=0.99)
    found = client.post("/api/what-if", json=body).json()
    assert found["after"]["units"] > found["before"]["units"]
    assert found["after"]["stockout_cost"] <= found["before"]["stockout_cost"]


def test_a_price_asks_the_model_of_the_plan_and_says_where_it_guesses(workspace):
    asked = []

    def predict(name, version):
        asked.append((name, version))

        def half(panel):
            made = read_forecast(
                workspace.plans / CONFIG.name / "reviews" / DATE / "forecast", 0,
                {"quantile_levels": LEVELS, "level_quantiles": LEVELS, "is_count": True},
            )  # fmt: skip
            return replace(
                made, mean=made.mean / 2, smooth_quantiles=made.smooth_quantiles / 2,
                smooth_levels=made.smooth_levels / 2,
            )  # fmt: skip

        return half

    body = assumptions(lead_time_times=1, price_times=1.5)
    found = client_of(workspace, predict=predict).post("/api/what-if", json=body).json()
    assert asked == [("demo", "1")]  # the plan says "m-1"
    assert found["after"]["expected_demand"] < 0.6 * found["before"]["expected_demand"]
    assert any("never had such a price" in note for note in found["notes"])
    alone = client_of(workspace).post("/api/what-if", json=body).json()
    assert "the model cannot be asked: demand stays as it is" in alone["notes"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"lead_time_times": 1}, "nothing is assumed"),
        ({"column": "supplier"}, "say which series"),
        ({"column": "supplier", "value": "nobody"}, "no series has supplier 'nobody'"),
        ({"column": "colour", "value": "red"}, "column"),
        ({"service_level": 98}, "service_level"),
        ({"price_times": 0}, "price_times"),
        ({"budget": -5}, "budget"),
        ({"lead_time_times": 1e9}, "lead_time_times"),
    ],
)
def test_assumptions_out_of_range_are_refused_in_a_sentence(client, changed, told):
    answer = client.post("/api/what-if", json=assumptions(**changed))
    assert answer.status_code == 400
    assert told in answer.json()["error"]


def scenario(client, **changed):
    body = assumptions(name="slow boat", who="Ann", why="a strike", **changed)
    return client.post("/api/scenarios", json=body)


def test_a_scenario_is_kept_removed_and_brought_back(client):
    kept = scenario(client).json()
    [one] = kept["scenarios"]
    assert (one["name"], one["who"], one["why"]) == ("slow boat", "Ann", "a strike")
    assert one["assumptions"]["lead_time_times"] == 2
    assert one["outlook"]["after"]["units"] > one["outlook"]["before"]["units"]
    body = {"review_date": DATE, "id": one["id"], "who": "Ben"}
    assert client.post("/api/scenarios/remove", json=body).json()["scenarios"] == []
    assert client.post("/api/scenarios/remove", json=body).status_code == 400
    assert client.post("/api/scenarios/restore", json=body).json()["scenarios"] == [one]
    assert client.get("/api/state").json()["scenarios"] == [one]


def test_a_scenarios_orders_are_taken_without_overruling_anybody_and_given_back(client):
    one = scenario(client).json()["scenarios"][0]
    changes = {
        c["unique_id"]: c["after"] for c in one["outlook"]["changes"] if c["after"] is not None
    }
    first, *rest = changes
    client.post("/api/decisions", json=decision(unique_id=first, quantity=7.0))
    body = {"review_date": DATE, "id": one["id"], "who": "Ben"}
    taken = client.post("/api/scenarios/take", json=body).json()
    assert (taken["taken"], taken["kept"]) == (len(rest), [first])
    stands = {d["unique_id"]: d["quantity"] for d in client.get("/api/state").json()["decisions"]}
    assert stands == {name: changes[name] for name in rest} | {first: 7.0}
    mine = decision(unique_id=rest[0], version=1, quantity=9.0, who="Eve")
    assert client.post("/api/decisions", json=mine).status_code == 200
    back = client.post("/api/scenarios/give-back", json=body).json()
    assert back["given_back"] == len(rest) - 1
    stands = {d["unique_id"]: d for d in client.get("/api/state").json()["decisions"]}
    assert {n for n, d in stands.items() if d["state"] == "changed"} == {first, rest[0]}
    assert stands[rest[0]]["quantity"] == 9


# --- drafts for an ERP


def test_drafts_hold_the_decided_orders_with_keys_as_text(client):
    client.post("/api/decisions", json=decision(quantity=48.0))
    answer = client.get("/api/drafts/odoo.xlsx")
    assert answer.status_code == 200
    rows = list(load_workbook(io.BytesIO(answer.content))["Orders"].values)
    head, lines = rows[0], [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert head == ("id", "partner_id", "origin", "date_order", "picking_type_id", "currency_id",
                    "order_line/id", "order_line/product_id", "order_line/product_qty",
                    "order_line/price_unit", "order_line/date_planned")  # fmt: skip
    plan = pd.read_csv(io.StringIO(client.get("/api/orders.csv").text))
    ordered = plan[plan["order_quantity"] > 0]
    assert len(lines) == len(ordered)
    assert sum(line["order_line/product_qty"] for line in lines) == ordered["order_quantity"].sum()
    assert 48.0 in {line["order_line/product_qty"] for line in lines}
    assert client.get("/api/drafts/sap.xlsx").status_code == 404


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"last": "2024-02-31"}, "no date of the calendar"),
        ({"first": "0202-05-01"}, "a year is between 1900 and 2199"),
        ({"last": "9999-12-31"}, "a year is between 1900 and 2199"),
        ({"first": "\u0662\u0660\u0662\u0664-05-01"}, "should match pattern"),
    ],
)
def test_an_override_of_a_day_that_is_not_there_is_refused_and_stops_no_run(client, changed, told):
    answer = client.post("/api/overrides", json=override(**changed))
    assert answer.status_code == 400
    assert told in answer.json()["error"]
    assert client.get("/api/state").json()["overrides"] == []


@pytest.mark.parametrize("path", ["withdraw", "scenarios/remove", "scenarios/take"])
def test_a_number_that_no_row_can_have_is_refused(client, path):
    body = {"id": 2**70, "who": "Ann"} | ({} if path == "withdraw" else {"review_date": DATE})
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 400
    assert "id: input should be less than" in answer.json()["error"]


def test_what_is_wrong_with_a_body_is_told_without_its_content(client):
    answer = client.post(
        "/api/decisions", content=b"[" * 60_000, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"] == "Invalid JSON: recursion limit exceeded at line 1 column 202."


def test_no_more_of_a_body_is_read_than_anybody_needs(workspace):
    given = []

    def endless():
        while True:
            given.append(1)
            yield b"x" * (16 << 10)
            assert len(given) < 100, "the whole body is read"

    app = create_app(workspace, "secret", ["testserver"])
    # Without the token nobody may fill the memory either.
    status = _status_of(app, "/enter", endless())
    assert status == 413
    assert len(given) == 5


def _status_of(app, path, parts):
    """Return the status of a POST whose body comes in parts, read no further than the app reads."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": next(parts), "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
             "query_string": b"", "headers": [(b"host", b"testserver")], "scheme": "http",
             "http_version": "1.1", "server": ("testserver", 80), "root_path": ""}  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"]


@pytest.mark.parametrize("path", ["orders.csv", "drafts/odoo.xlsx"])
def test_files_of_a_plan_that_was_replaced_are_refused_with_a_sentence(workspace, review, path):
    client = client_of(workspace)
    keep(workspace, review, "2024-05-06")
    answer = client.get(f"/api/{path}")
    assert answer.status_code == 409
    assert answer.json()["error"] == (
        "the plan of 2024-04-29 was replaced meanwhile: load the page again; what was decided is "
        "kept."
    )


@pytest.mark.parametrize("gone", ["snapshot", "derived"])
def test_tables_that_are_gone_are_named_and_not_taken_for_empty(workspace, client, gone):
    derived = latest_review(workspace.plans).folder / "derived"
    shutil.rmtree(derived if gone == "derived" else workspace.snapshots / "snap")
    answer = client.post("/api/what-if", json={"review_date": DATE, "service_level": 0.9})
    assert answer.status_code == 409
    assert "is not there any more: plan again" in answer.json()["error"]


def test_decisions_about_another_models_plan_are_kept_with_that_model(workspace, review, client):
    names = ("plan.html", "orders.csv", "purchase_orders.csv", "exceptions.csv", "derived",
             "forecast")  # fmt: skip
    other = CONFIG.model_copy(update={"name": "other"})
    files = {name: review / name for name in names}
    keep_review(workspace.plans, other, "2024-05-06", "snap", files, None)
    assert client.get("/").status_code == 200
    said = override(review_date="2024-05-06", first="2024-05-08", last="2024-05-14")
    assert client.post("/api/overrides", json=said).status_code == 200
    assert planners_overrides(workspace.plans, CONFIG.name) is None
    assert planners_overrides(workspace.plans, "other")["why"].tolist() == ["a festival"]


def test_a_desk_that_cannot_be_read_is_told_where_the_page_starts(workspace):
    desk_file(workspace.plans, CONFIG.name).write_bytes(b"no database" * 100)
    with pytest.raises(InvalidInputError, match="what planners decided cannot be read from"):
        create_app(workspace, "", ["testserver"])


@pytest.mark.parametrize(
    ("pragma", "why"), [("query_only = ON", "readonly"), ("max_page_count = 1", "full")]
)
def test_a_disk_that_takes_nothing_is_told_and_what_stood_stands(tmp_path, pragma, why):
    desk = PlannerDesk(tmp_path / "desk.db")
    first = desk.decide(DATE, PlannerDecision("p0_s0", state="accepted", who="Ann"))
    desk.close()

    @sa.event.listens_for(desk._engine, "connect")
    def _(connection, _record):
        connection.execute(f"PRAGMA {pragma}")

    wish = PlannerDecision("p0_s0", 1, "rejected", who="Ben", why="x" * 200_000)
    with pytest.raises(InvalidInputError, match=f"nothing was saved: .*{why}"):
        desk.decide(DATE, wish)
    assert desk.decisions(DATE) == {"p0_s0": first}


def test_a_model_that_could_not_be_asked_once_is_asked_again(tmp_path):
    asked = []

    class Registry:
        def version_path(self, name, version):
            asked.append((name, version))
            raise InvalidInputError("the registry is away.")

    made = forecasters_of(SimpleNamespace(registry=Registry()))
    assert made("demo", "demo-7") is None
    assert made("demo", "demo-7") is None
    assert asked == [("demo", "7"), ("demo", "7")]
