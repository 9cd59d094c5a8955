import numpy as np
import pandas as pd
import pytest
import yaml

from invopt.errors import InvalidInputError
from invopt.panel import load_panel
from invopt.sources import load_mapping, read_dataset
from invopt.sources.proposal import write_mapping
from invopt.synthetic import make_retailer, write_retailer
from pipelines.cli import main
from tests.builders import write_files

LINES = """Datum;Article No;Shop;Qty;Unit Price
31/01/2024;A1;S1;3;1.5
31/01/2024;A1;S1;-1;1.5
01/02/2024;A2;S2;5;2.5
02/02/2024;A1;S2;4;1.5
"""


def guessed(data, tmp_path):
    told = write_mapping(data, tmp_path / "first.yaml")
    return yaml.safe_load((tmp_path / "first.yaml").read_text()), told


def test_foreign_names_dates_and_invoice_lines_are_recognised(tmp_path):
    data = write_files(tmp_path / "data", invoice_lines_csv=LINES)
    mapping, told = guessed(data, tmp_path)
    assert mapping["unique_id"] == "\"Article No\" || '_' || Shop"
    assert mapping["frequency"] == "D"
    assert mapping["sales"] == {
        "from": "invoice_lines",
        "ds": {"expr": "Datum", "format": "%d/%m/%Y"},
        "columns": {"y": "Qty", "price": '"Unit Price"'},
        "layout": "transactions",
        "returns": "net",
    }
    assert "3 series, 2024-01-31 to 2024-02-02" in told[0]
    read_dataset(load_mapping(tmp_path / "first.yaml"), data, tmp_path / "out")
    assert load_panel(tmp_path / "out").y.tolist() == [[2, 0, 0], [0, 0, 4], [0, 5, 0]]


@pytest.mark.slow
def test_the_made_up_retailer_is_mapped_without_help(tmp_path):
    write_retailer(make_retailer(4, 3, 150, seed=2), tmp_path / "shop")
    for file in (tmp_path / "shop" / "truth").iterdir():
        file.unlink()
    mapping, told = guessed(tmp_path / "shop", tmp_path)
    assert mapping["products"]["unique_id"] == "unique_id"
    assert mapping["customers"][0]["level"] == "location"
    assert {table["from"] for table in mapping["stock"]} == {"stock", "position"}
    assert mapping["promotions"][0]["key"] == "unique_id"
    assert any(line.startswith("  products: 12 of 12 rows used") for line in told)


@pytest.mark.parametrize(("step", "freq"), [(1, "D"), (7, "W-WED"), (31, "MS")])
def test_the_frequency_is_the_usual_step_between_dates(tmp_path, step, freq):
    dates = pd.date_range("2024-01-03", periods=20, freq="MS" if step == 31 else f"{step}D")
    frame = pd.DataFrame({"week": dates, "sku": "a", "units": np.arange(20)})
    (tmp_path / "data").mkdir()
    frame.to_csv(tmp_path / "data" / "sales.csv", index=False)
    assert guessed(tmp_path / "data", tmp_path)[0]["frequency"] == freq


def test_a_table_with_periods_as_columns_is_recognised(tmp_path):
    days = pd.date_range("2024-01-01", periods=10).strftime("%Y-%m-%d")
    header = ",".join(["Store", "Product", *days])
    rows = "".join(f"0,{p}," + ",".join(map(str, range(10))) + "\n" for p in (7, 8))
    data = write_files(tmp_path / "data", sales_csv=f"{header}\n{rows}")
    mapping, _ = guessed(data, tmp_path)
    assert mapping["sales"]["wide"] == {"columns": r"\d\d\d\d-\d\d-\d\d", "format": "%Y-%m-%d"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no file that ends in"),
        ({"colours_csv": "name,shade\nred,dark\n"}, "no file looks like sales.*name .text."),
    ],
)
def test_a_folder_without_sales_is_refused_in_words(tmp_path, files, message):
    with pytest.raises(InvalidInputError, match=message):
        guessed(write_files(tmp_path / "data", **files), tmp_path)


def test_the_command_writes_the_file_and_never_over_another(tmp_path, capsys):
    data = write_files(tmp_path / "data", sales_csv=LINES)
    out = tmp_path / "mine.yaml"
    assert main(["init-mapping", str(data), "--out", str(out)]) == 0
    assert "sales: 4 of 4 rows used" in capsys.readouterr().out
    assert main(["init-mapping", str(data), "--out", str(out)]) == 1
    assert "exists" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "series"), [("vn2", 599), ("stallion", 350), ("walmart_2014", 3331)]
)
def test_public_data_sets_are_mapped_without_help(tmp_path, real_data, name, series):
    _, told = guessed(real_data / name, tmp_path)
    assert f"{series} series" in told[0]
