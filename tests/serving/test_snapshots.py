import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.sources import Mapping
from serving.settings import WORKSPACE
from serving.snapshots import take_snapshot
from tests.builders import write_files

MAPPING = Mapping.model_validate(
    {
        "name": "t",
        "frequency": "D",
        "unique_id": "sku",
        "sources": {"lines": "lines.csv"},
        "sales": {"from": "lines", "ds": "date", "columns": {"y": "qty"}},
    }
)
LINES = "date,sku,qty\n2024-01-01,a,3\n2024-01-05,a,2\n"
DATA = {"mapping": "m.yaml", "max_age_periods": 3, "suspect": "refuse"}


def take(tmp_path, today, data=DATA, lines=LINES):
    folder = write_files(tmp_path / "data", lines_csv=lines)
    told: list[str] = []
    name, quality = take_snapshot(
        MAPPING, str(folder), data, {WORKSPACE: str(tmp_path)}, pd.Timestamp(today), told.append
    )
    return name, quality, told


def test_a_snapshot_is_named_by_its_last_period_and_its_content(tmp_path):
    name, quality, _ = take(tmp_path, "2024-01-06")
    assert name.startswith("t-20240105-")
    assert (tmp_path / "snapshots" / name / "part-0000").is_dir()
    assert quality.failed == []
    assert take(tmp_path, "2024-01-07")[0] == name
    changed = take(tmp_path, "2024-01-07", lines=LINES.replace(",3", ",4"))[0]
    assert changed != name
    assert changed.startswith("t-20240105-")


def test_old_data_are_refused_and_nothing_is_kept(tmp_path):
    with pytest.raises(InvalidInputError, match="freshness of sales is 4 against 3"):
        take(tmp_path, "2024-01-10")
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_old_data_may_be_left_to_the_gate(tmp_path):
    _, quality, told = take(tmp_path, "2024-01-10", DATA | {"suspect": "report"})
    assert [check.name for check in quality.failed] == ["freshness"]
    assert quality.stale_periods == 1
    assert any(line.startswith("suspect: freshness of sales is 4") for line in told)
