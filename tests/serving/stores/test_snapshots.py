import io
from functools import partial

import pandas as pd
import pytest

from invopt.config import DataConfig
from invopt.errors import ConfigError, InvalidInputError
from invopt.files import read_json
from invopt.sources import Mapping
from serving.stores.snapshots import Place, last_period_of, snapshot_or_fault, take_snapshot
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
        MAPPING,
        Place(folder, tmp_path / "snapshots"),
        DataConfig.of(data),
        pd.Timestamp(today),
        told.append,
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


def read_or_tell(folder, told, source="lines.csv"):
    mapping = MAPPING.model_dump(by_alias=True) | {"sources": {"lines": source}}
    return told_fault(mapping, folder, DATA | {"suspect": "report"}, folder.parent, told.append)


def told_fault(mapping, folder, data, workspace, tell):
    read = Mapping.model_validate(mapping)
    take = partial(
        take_snapshot, read, Place(folder, workspace / "snapshots"), DataConfig.of(data),
        pd.Timestamp("2024-01-06"), tell,
    )  # fmt: skip
    return snapshot_or_fault(take, read, tell)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            LINES.replace("qty", "pieces"),
            "there is no column qty. Put it back, or change the mapping",
        ),
        ("", "lines.csv is empty; expected a header line"),
        ("\x00\x01\x02,,\x03\n\x00", "there is no column sku"),
        ("date,sku,qty\n", "no usable row"),
    ],
)
def test_data_that_cannot_be_used_are_told_where_nobody_may_fail(tmp_path, lines, sentence):
    told: list[str] = []
    name, fault = read_or_tell(write_files(tmp_path / "data", lines_csv=lines), told)
    assert (name, fault.state) == ("none", "unreadable")
    assert sentence in fault.sentence
    assert fault.sentence in told[-1]
    fault.save(tmp_path / "quality.json")
    assert read_json(tmp_path / "quality.json") == {"unreadable": fault.sentence}
    assert list((tmp_path / "snapshots").iterdir()) == []


@pytest.mark.parametrize(("comes_back", "state"), [(True, "read"), (False, "unreadable")])
def test_a_database_is_asked_twice(tmp_path, monkeypatch, comes_back, state):
    monkeypatch.setattr("serving.stores.snapshots.AGAIN_SECONDS", 0.0)
    file, told = tmp_path / "shop.db", []

    def tell(text):
        told.append(text)
        if comes_back:
            frame = pd.read_csv(io.StringIO(LINES))
            frame.to_sql("lines", f"sqlite:///{file}", index=False, if_exists="replace")

    mapping = MAPPING.model_dump(by_alias=True) | {
        "sources": {"lines": {"url": f"sqlite:///{file}", "query": "SELECT * FROM lines"}}
    }
    _, found = told_fault(mapping, tmp_path, DATA, tmp_path, tell)
    assert found.state == state
    assert sum("no such table" in line for line in told) == (1 if comes_back else 2)


def test_a_mistake_of_the_configuration_is_no_fault_of_the_data(tmp_path):
    folder = write_files(tmp_path / "data", lines_docx="")
    with pytest.raises(ConfigError, match=r"must be \.csv, \.parquet"):
        read_or_tell(folder, [], "lines.docx")


def test_the_name_of_a_snapshot_tells_its_last_period():
    assert last_period_of("a-shop-20240105-96ab62d7d07b404f") == pd.Timestamp("2024-01-05")
    assert last_period_of("") is None
