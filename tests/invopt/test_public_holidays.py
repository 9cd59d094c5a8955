"""Public holidays as a source: rows, channels known ahead, and what a draft makes of them."""

import numpy as np
import pandas as pd
import pytest
import yaml

from invopt.errors import ConfigError, InvalidInputError
from invopt.panel import load_panel
from invopt.sources.dataset import read_dataset
from invopt.sources.mapping import load_mapping
from invopt.sources.proposal import write_mapping
from invopt.sources.public_holidays import check_place, holiday_rows

MAPPING = """
name: shop
frequency: D
unique_id: product || '_' || shop
sources:
  sales: sales.csv
  holidays: {{holidays: {holidays}}}
sales:
  from: sales
  ds: date
  columns: {{y: quantity}}
products:
  from: sales
  columns: {{product: product, location: shop}}
external:
  from: holidays
{level}  ds: ds
  known: true
  fill: zero
  aggregate: max
  one_hot: {{holiday: [holiday]}}
"""


def written(folder, holidays="DE", level="", days=400):
    dates = pd.date_range("2022-12-20", periods=days)
    rows = [f"{day:%Y-%m-%d},bread,{shop},7" for day in dates for shop in ("Bonn", "Wien")]
    (folder / "data").mkdir()
    (folder / "data" / "sales.csv").write_text("\n".join(["date,product,shop,quantity", *rows]))
    (folder / "m.yaml").write_text(MAPPING.format(holidays=holidays, level=level))
    return load_mapping(folder / "m.yaml")


def read(folder, mapping):
    read_dataset(mapping, folder / "data", folder / "panel")
    return load_panel(folder / "panel")


def days_of(panel, name, group=0):
    dates = pd.date_range(panel.timeline.start, periods=panel.channels[name].values.shape[1])
    return [f"{day:%Y-%m-%d}" for day in dates[panel.channels[name].values[group] == 1]]


def test_the_holidays_of_a_country_are_known_a_year_beyond_the_last_sale(tmp_path):
    panel = read(tmp_path, written(tmp_path))
    assert panel.timeline.last == pd.Timestamp("2024-01-23")
    assert panel.channels["holiday=Christmas Day"].known
    assert days_of(panel, "holiday=Christmas Day") == ["2022-12-25", "2023-12-25", "2024-12-25"]
    assert days_of(panel, "holiday=Good Friday") == ["2023-04-07", "2024-03-29"]
    plain = panel.channels["holiday=Good Friday"].values
    assert set(np.unique(plain)) == {0.0, 1.0}
    assert "holiday=Epiphany" not in panel.channels


def test_the_account_holds_the_holidays_of_the_sales_and_none_of_other_years(tmp_path):
    mapping = written(tmp_path)
    report = read_dataset(mapping, tmp_path / "data", tmp_path / "panel")
    table = next(a for a in report.accounting if a.table == "external")
    # Of 2022-12-20 to 2025-02-26: 2 of Christmas 2022, 9 of 2023, 9 of 2024, New Year 2025.
    assert (table.rows_in, table.rows_used, table.quarantined) == (21, 21, {})


def test_each_location_can_have_holidays_of_its_own(tmp_path):
    mapping = written(tmp_path, "{Bonn: DE-NW, Wien: AT}", "  level: location\n  key: location\n")
    panel = read(tmp_path, mapping)
    assert panel.channels["holiday=Epiphany"].groups == ("Bonn", "Wien")
    assert days_of(panel, "holiday=Epiphany", 0) == []
    assert days_of(panel, "holiday=Epiphany", 1)[:2] == ["2023-01-06", "2024-01-06"]
    assert days_of(panel, "holiday=All Saints' Day", 0)[:1] == ["2023-11-01"]


def test_a_name_does_not_change_once_a_moon_has_been_seen():
    rows = holiday_rows({"": "TR"}, pd.Timestamp("2015-01-01"), pd.Timestamp("2035-12-31"))
    assert {n for n in rows["holiday"] if "Eid" in n} == {"Eid al-Adha", "Eid al-Fitr"}
    assert not rows["holiday"].str.contains("estimated").any()


@pytest.mark.parametrize("language", ["de_DE.UTF-8", "C", "fr_FR.UTF-8"])
def test_names_are_those_of_no_machine(monkeypatch, language):
    monkeypatch.setenv("LANG", language)
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.setenv("LANGUAGE", language[:2])
    rows = holiday_rows({"": "DE"}, pd.Timestamp("2024-12-25"), pd.Timestamp("2024-12-26"))
    assert list(rows["holiday"]) == ["Christmas Day", "Second Day of Christmas"]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("Germany", "Germany is DE"),
        ("usa", "usa is US"),
        ("UK", "as DE, US or IN"),
        ("", "as DE, US or IN"),
        ("DE-XX", "a region of DE is one of BB, BE, BW"),
        ("DE-", "a region of DE is one of"),
        ("IS-1", "a region of IS is not there"),
    ],
)
def test_what_is_no_country_is_refused_with_the_one_that_was_meant(place, said):
    with pytest.raises(ValueError, match=said):
        check_place(place)


@pytest.mark.parametrize(
    ("written_as", "read_as"), [("NO", {"": "NO"}), ("{7: NO, 8: SE}", {"7": "NO", "8": "SE"})]
)
def test_norway_and_shops_with_numbers_need_no_quotation_marks(tmp_path, written_as, read_as):
    assert written(tmp_path, written_as, days=5).sources["holidays"].holidays == read_as


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("holidays: DE", "holidays: QQ"), "expected the two letters of ISO 3166"),
        (("holidays: DE", "holidays: DE, path: a.csv"), "name exactly one of"),
        (("sales: sales.csv", "sales: {sql: SELECT * FROM holidays}"), "SQL cannot read"),
        (("  from: sales\n  ds: date", "  from: holidays\n  ds: date"), "sales reads from"),
    ],
)
def test_a_mapping_that_misuses_them_is_refused_in_a_sentence(tmp_path, change, said):
    written(tmp_path, days=5)
    text = (tmp_path / "m.yaml").read_text()
    assert change[0] in text
    (tmp_path / "m.yaml").write_text(text.replace(*change))
    with pytest.raises(ConfigError, match=said):
        load_mapping(tmp_path / "m.yaml")


def test_a_draft_has_them_and_what_they_do_to_the_days_beside(tmp_path):
    written(tmp_path)
    told = write_mapping(tmp_path / "data", tmp_path / "n.yaml", holidays="AT")
    assert not any("--holidays" in line for line in told)
    panel = read(tmp_path, load_mapping(tmp_path / "n.yaml"))
    assert days_of(panel, "public_holiday=Epiphany")[:1] == ["2023-01-06"]
    features = yaml.safe_load((tmp_path / "config.yaml").read_text())["features"]
    assert features["event_channels"] == ["public_holiday=*"]
    assert features["event_leads"] == [1, -1]


def test_a_draft_of_days_without_any_plan_asks_for_the_country(tmp_path):
    written(tmp_path)
    told = write_mapping(tmp_path / "data", tmp_path / "n.yaml")
    assert any("`--holidays COUNTRY` (DE, US; DE-BY for a region)" in line for line in told)
    assert "event_channels" not in (tmp_path / "config.yaml").read_text()


def test_a_draft_for_no_country_leaves_nothing(tmp_path):
    written(tmp_path)
    with pytest.raises(InvalidInputError, match="--holidays 'Austria'.*Austria is AT"):
        write_mapping(tmp_path / "data", tmp_path / "n.yaml", holidays="Austria")
    assert not (tmp_path / "n.yaml").exists()
    assert not (tmp_path / "config.yaml").exists()
