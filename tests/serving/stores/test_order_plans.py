"""Plans of past reviews: rows are found whatever series are called, and damaged files pass by."""

import pandas as pd

from invopt.files import write_csv
from serving.stores.order_plans import plans_of, segments_of_latest

IDS = ["NA", "=1+1_S0", "plain", "'s-Hertogenbosch"]


def keep(folder, date, **columns):
    plan = pd.DataFrame({"unique_id": IDS, "segment": ["AX", "", "CZ", "BY"], **columns})
    write_csv(folder / "demo" / f"{date}.csv", plan)


def test_rows_and_segments_are_found_by_the_names_that_series_have(tmp_path):
    keep(tmp_path, "2024-01-07", reason=["@home", "b", "c", "d"])
    assert segments_of_latest(tmp_path) == dict(zip(IDS, ["AX", "", "CZ", "BY"], strict=True))
    for name, reason in zip(IDS, ["@home", "b", "c", "d"], strict=True):
        [(model, date, row)] = plans_of(tmp_path, name)
        assert (model, date, row["unique_id"], row["reason"]) == (
            "demo",
            "2024-01-07",
            name,
            reason,
        )


def test_a_damaged_plan_is_told_and_passed_over(tmp_path, caplog):
    keep(tmp_path, "2024-01-07")
    damaged = tmp_path / "demo" / "2024-01-14.csv"
    for content in (b"", b"\xff\xfe\x00\x01", b'unique_id,segment\n"NA', b"unique_id\nNA,x,y\n"):
        caplog.clear()
        damaged.write_bytes(content)
        assert "2024-01-07" in [date for _, date, _ in plans_of(tmp_path, "NA")]
        assert segments_of_latest(tmp_path) in ({}, {"NA": ""})
    damaged.write_bytes(b"\xff\xfe\x00\x01")
    assert segments_of_latest(tmp_path) == {}
    assert str(damaged) in caplog.text
