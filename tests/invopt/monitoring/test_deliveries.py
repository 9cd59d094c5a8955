import numpy as np
import pandas as pd
import pytest

from invopt.config import MonitoringConfig
from invopt.monitoring.deliveries import delivery_signals
from invopt.monitoring.folding import folded

CONFIG = MonitoringConfig()
LAST = pd.Timestamp("2026-06-30")
SERIES = pd.DataFrame({"unique_id": ["a", "b"], "supplier": ["Alder", "Birch"]})


def receipts(supplier="Alder", *, before=5.0, now=5.0, every=7, seed=0, fill_before=1.0, fill=1.0):
    """A year and eight weeks of deliveries, one every so many days, some days of chance in each."""
    rng = np.random.default_rng(seed)
    received = pd.date_range(LAST - pd.Timedelta(days=420), LAST, freq=f"{every}D")
    is_recent = received > LAST - pd.Timedelta(days=56)
    mean = np.where(is_recent, now, before)
    lead = np.maximum(np.rint(mean + rng.normal(0, 1, len(received))), 0)
    share = np.where(is_recent, fill, fill_before)
    return pd.DataFrame(
        {
            "supplier": supplier, "received": received,
            "ordered": received - pd.to_timedelta(lead, "D"), "lead_time": lead,
            "quantity": 100 * np.clip(share + rng.normal(0, 0.02, len(received)), 0, 1),
            "ordered_quantity": 100.0,
        }
    )  # fmt: skip


def found(*parts, series=SERIES):
    signals = delivery_signals(pd.concat(parts, ignore_index=True), series, LAST, CONFIG)
    return {s.name: s for s in signals}


def test_a_supplier_that_takes_four_days_longer_is_named_with_its_numbers():
    late = found(receipts(now=9.0), receipts("Birch", seed=1))["late_deliveries"]
    assert late.fires
    assert late.kind == "suppliers"
    assert not late.pages
    assert late.text == (
        "deliveries come later: Alder takes 8.9 periods instead of 5.1 (8 deliveries in 8 weeks, "
        "53 in the year before)"
    )


def test_suppliers_that_deliver_as_they_did_are_quiet():
    signals = found(receipts(), receipts("Birch", seed=1), receipts("Cedar", seed=2))
    assert not any(s.fires for s in signals.values())
    assert signals["late_deliveries"].text == "3 suppliers deliver as they did"


def test_among_ten_steady_suppliers_chance_names_none_in_eighteen_periods_of_twenty():
    quiet = 0
    for trial in range(20):
        many = [receipts(f"S{i}", seed=1000 * trial + i) for i in range(10)]
        quiet += not found(*many)["late_deliveries"].fires
    assert quiet >= 18


def test_one_parcel_that_was_lost_for_months_is_no_change_of_a_supplier():
    rows = receipts()
    rows.loc[len(rows) - 1, "lead_time"] = 90.0
    assert not found(rows)["late_deliveries"].fires


def test_a_delay_of_hours_is_no_delay():
    assert not found(receipts(now=5.4, every=1))["late_deliveries"].fires


def test_short_deliveries_are_found_and_need_what_was_ordered():
    short = found(receipts(fill=0.7))["short_deliveries"]
    assert short.fires
    assert "Alder delivers 71% of what was ordered instead of 99%" in short.text
    assert "short_deliveries" not in found(receipts(fill=0.7).drop(columns="ordered_quantity"))


def test_more_than_was_ordered_makes_up_for_nothing():
    rows = receipts(fill=0.7)
    rows.loc[rows.index[-1], "quantity"] = 1e6
    assert found(rows)["short_deliveries"].fires


def test_receipts_by_series_are_those_of_its_supplier_and_a_series_without_one_is_its_own():
    rows = receipts(now=9.0).rename(columns={"supplier": "unique_id"})
    assert "Alder takes" in found(rows.assign(unique_id="a"))["late_deliveries"].text
    bare = found(rows.assign(unique_id="a"), series=SERIES[["unique_id"]])
    assert "later: a takes" in bare["late_deliveries"].text


def test_too_few_deliveries_say_nothing_and_those_after_the_period_are_not_known_yet():
    assert found(receipts(now=9.0, every=30)) == {}
    later = receipts(now=9.0)
    later["received"] += pd.Timedelta(days=56)
    assert not found(receipts(), later[later["received"] > LAST])["late_deliveries"].fires
    assert delivery_signals(None, SERIES, LAST, CONFIG) == []


def test_a_late_supplier_stands_for_itself_beside_whatever_else_fires():
    signals = list(found(receipts(now=9.0)).values())
    assert [s.part_of for s in folded(signals, pd.DataFrame(), CONFIG)] == ["", ""]


@pytest.mark.parametrize("column", ["lead_time", "quantity"])
def test_unknown_numbers_are_left_out(column):
    rows = receipts(now=9.0, fill=0.7)
    rows.loc[rows.index[::9], column] = np.nan
    assert all(s.fires for s in found(rows).values())


def test_receipts_of_one_table_may_name_a_series_or_a_supplier():
    rows = receipts(now=9.0).assign(unique_id="")
    half = rows.index % 2 == 0
    rows.loc[half, ["unique_id", "supplier"]] = ["a", ""]
    assert "Alder takes" in found(rows)["late_deliveries"].text
