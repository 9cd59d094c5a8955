"""The file with seven faults of docs/your-data.md, played as it is written."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from invopt.sources import Mapping, account_of, read_dataset

PAGE = Path(__file__).parents[2] / "docs" / "your-data.md"
TODAY = pd.Timestamp("2024-02-29")
SHOPS, ARTICLES = ("01", "02"), ("00071", "00120")


@pytest.fixture(scope="module")
def section():
    return PAGE.read_text().split("## A file with seven faults")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A till's lines of 59 days, and stock by lot that went through a spreadsheet."""
    folder = tmp_path_factory.mktemp("faults")
    rows = []
    for day in pd.date_range("2024-01-01", "2024-02-28"):
        for article in ARTICLES:
            for shop in SHOPS:
                n = len(rows)
                units = 900 + (37 * n) % 500
                amount = f"1.{units - 1000:03d}" if units >= 1000 else str(units)
                status = "storniert" if n % 14 == 5 else ""
                rows.append([f"{day:%d.%m.%Y}", shop, article, amount, status])
    rows[38][3] = "12 Krt"
    rows.append(["24.12.2024", "01", "00071", "12", ""])
    lines = [["Datum", "Filiale", "Artikel", "Menge", "Status"], *rows]
    (folder / "lines.csv").write_text("\n".join(map(";".join, lines)) + "\n")
    lots = [["Filiale", "Artikel", "Charge", "Bestand"]]
    lots += [[s, str(int(a)), c, n] for s in SHOPS for a in ARTICLES
             for c, n in (("1", "2.400"), ("2", "800"))]  # fmt: skip
    (folder / "stock.csv").write_text("\n".join(map(";".join, lots)) + "\n")
    return folder


def first_mapping(section):
    """Return the mapping that the section shows."""
    block = re.search(r"\n\n((?:    .*\n)+)", section[section.index("The first mapping") :])
    return {"name": "shop"} | yaml.safe_load(block[1])


def played(mapping, data, out):
    return read_dataset(Mapping.model_validate(mapping), data, out, max_bad_share=1.0, today=TODAY)


def reasons(report):
    return {a.table: a.quarantined for a in report.accounting}


def test_the_first_reading_tells_every_fault_as_the_page_says(section, data, tmp_path):
    report = played(first_mapping(section), data, tmp_path / "out")
    told = " ".join(report.notes)
    for sentence in (
        r"\d+ values of y have a point before three digits",
        r"4 keys name no series",
        r"4 only write it differently \('120_01' for '00120_01'",
        r"neither true nor false of \d+ rows",
        r"the period from 2024-02-26 has not ended",
        r"its \d+ rows are left out, and the forecast begins with it",
    ):
        found = re.search(sentence, told)
        assert found, (sentence, told)
        assert found[0] in section.replace("`", "").replace("\n", " "), found[0]
    assert reasons(report)["sales"]["it is dated after today"] == 1
    assert reasons(report)["sales"]["y is not a number"] == 1
    assert f"had {report.sums['sales.y']:,.0f}" in section
    assert report.sums["position.on_hand"] == 0


def test_corrected_as_the_page_says_every_row_has_its_place(section, data, tmp_path):
    mapping = first_mapping(section)
    number = {"decimal": ",", "thousands": "."}
    mapping["sales"]["columns"] = {"y": {"expr": "Menge", **number}}
    mapping["position"] |= {
        "unique_id": "lpad(Artikel, 5, '0') || '_' || Filiale",
        "columns": {"on_hand": {"expr": "Bestand", "aggregate": "sum", **number}},
    }
    report = played(mapping, data, tmp_path / "out")
    account = account_of(report, [])
    assert f"`sales.y` is {account['sums']['sales.y']:,.0f} units" in section
    assert f"{account['sums']['position.on_hand']:,.0f}" in section
    for name, rows in account["sources"].items():
        figures = [rows[k] for k in ("rows_in", "rows_used", "rows_set_aside", "rows_filtered")]
        assert re.search(rf"{name}\s+" + r"\s+".join(map(str, figures)), section), (name, rows)
    assert reasons(report)["sales"] == {
        "y is not a number": 1, "it is dated after today": 1, "its period has not ended": 11,
    }  # fmt: skip
