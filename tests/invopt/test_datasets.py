"""Every public data set reads by its YAML alone, to figures known from elsewhere."""

import numpy as np
import pytest
import yaml

from invopt.panel import Flag, load_panel
from invopt.sources import Mapping, load_mapping, read_dataset
from tests.builders import CONFIGS

pytestmark = pytest.mark.slow

WALMART = ("walmart_2014", (3_331, 143), "2010-01-30", "2012-10-20")
# name: folder, series x periods, first and last period, total sales, rows of the sales table
KNOWN = {
    "yaz": ("newsvendor", (7, 765), "2013-10-04", "2015-11-07", 95_429, 5_355),
    "sid": ("newsvendor", (500, 1_826), "2013-01-01", "2017-12-31", 47_704_512, 913_000),
    "bakery": ("newsvendor", (105, 1_215), "2016-01-02", "2019-04-30", 12_761_773.623, 127_575),
    "stallion": ("stallion", (350, 60), "2013-01-01", "2017-12-01", 31_340_483.631, 21_000),
    "walmart_2014": (*WALMART, 6_737_218_987.11, 421_570),
    "vn2": ("vn2", (599, 157), "2021-04-12", "2024-04-08", 276_648, 94_043),
}


def read(name, folder, tmp_path):
    mapping = load_mapping(CONFIGS / "datasets" / f"{name}.yaml")
    report = read_dataset(mapping, folder, tmp_path / name)
    return report, load_panel(tmp_path / name)


@pytest.mark.parametrize("name", KNOWN)
def test_a_public_data_set_reads_whole_by_its_mapping_alone(tmp_path, real_data, name):
    folder, shape, first, last, total, rows = KNOWN[name]
    report, panel = read(name, real_data / folder, tmp_path)
    assert panel.y.shape == shape
    assert (report.first, report.last) == (first, last)
    assert float(panel.y.sum(dtype=np.float64)) == pytest.approx(total, rel=1e-6)
    sales = next(a for a in report.accounting if a.table == "sales")
    assert (sales.rows_in, sales.rows_used) == (rows, rows)
    assert report.bad_share == 0
    for table in report.accounting:
        assert table.rows_in == table.rows_used + sum(table.quarantined.values())


def test_walmart_weeks_hold_their_holidays_and_plans_reach_beyond_the_sales(tmp_path, real_data):
    _, panel = read("walmart_2014", real_data / "walmart_2014", tmp_path)
    holiday = panel.channels["holiday"]
    weeks = [f"{d:%Y-%m-%d}" for d in panel.timeline.dates()[holiday.values[0, :143] == 1]]
    # The Saturday that starts the week of the Super Bowl, Labor Day, Thanksgiving, Christmas.
    assert weeks[:4] == ["2010-02-06", "2010-09-04", "2010-11-20", "2010-12-25"]
    assert panel.channels["markdown_1"].values.shape == (45, 182)
    assert panel.series["store_size"].dtype == np.float64


def test_stallion_keeps_the_sales_of_a_row_with_a_bad_price(tmp_path, real_data):
    _, panel = read("stallion", real_data / "stallion", tmp_path)
    row = panel.unique_ids.tolist().index("Agency_46_SKU_17")
    june = panel.timeline.dates().tolist().index(np.datetime64("2017-06-01"))
    assert panel.y[row, june] == pytest.approx(0.0852)
    assert panel.channels["price"].values[row, june] < 0


def test_freshretailnet_reads_its_hours_out_of_stock(tmp_path, real_data):
    report, panel = read("freshretailnet", real_data / "freshretailnet", tmp_path)
    assert panel.y.shape == (50_000, 90)
    assert float(panel.y.sum(dtype=np.float64)) == pytest.approx(4_493_660.8, abs=1)
    out = panel.channels["hours_out_of_stock"].values
    assert (out > 0).mean() == pytest.approx(0.442668, abs=1e-6)
    assert out.max() == 16
    assert not (panel.flags & Flag.MISSING).any()
    assert all(a.rows_in == a.rows_used for a in report.accounting)


def test_the_smallest_mapping_of_the_guide_is_one():
    guide = (CONFIGS.parent.parent / "docs" / "your-data.md").read_text()
    block = guide.split("## The smallest mapping")[1].split("Every column")[0]
    mapping = Mapping.model_validate(yaml.safe_load(block))
    assert mapping.sales.columns["y"].expr == "quantity"
