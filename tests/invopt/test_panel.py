import numpy as np
import pytest

from invopt.errors import ContractError
from invopt.panel import Flag, Panel, concatenate, load_panel, partitions
from tests.builders import make_panel


def same(a: Panel, b: Panel) -> bool:
    return (
        a.timeline == b.timeline
        and a.series.equals(b.series)
        and np.array_equal(a.y, b.y)
        and np.array_equal(a.flags, b.flags)
        and list(a.channels) == list(b.channels)
        and all(
            np.array_equal(c.values, b.channels[n].values, equal_nan=True)
            and (c.level, c.groups, c.known, c.fill)
            == (b.channels[n].level, b.channels[n].groups, b.channels[n].known, b.channels[n].fill)
            for n, c in a.channels.items()
        )
    )


def test_a_saved_panel_is_read_back_whole(tmp_path):
    panel = make_panel(late=10)
    panel.save(tmp_path / "panel")
    assert same(Panel.load(tmp_path / "panel"), panel)


def test_partitions_concatenate_to_the_panel_they_were_cut_from(tmp_path):
    panel = make_panel(num_series=6)
    for number, rows in enumerate((np.arange(4), np.arange(4, 6))):
        panel.select(rows).save(tmp_path / f"part-{number:04d}")
    assert len(partitions(tmp_path)) == 2
    assert same(load_panel(tmp_path), panel)


def test_truncate_keeps_known_channels_and_drops_what_came_later():
    cut = make_panel(num_periods=100, future=14).truncate(60, num_future=7)
    assert cut.y.shape[1] == cut.flags.shape[1] == 60
    assert cut.channels["temperature"].values.shape[1] == 60
    assert cut.channels["price"].values.shape[1] == 67


def test_demand_is_nan_exactly_where_sales_are_not_demand():
    panel = make_panel(late=5)
    panel.flags[0, 3] = Flag.CENSORED
    panel.flags[0, 4] = Flag.OUTLIER
    demand = panel.demand()
    assert np.isnan(demand[0, 3])
    assert not np.isnan(demand[0, 4])
    assert np.isnan(demand[-1, :5]).all()


def test_a_channel_reaches_beyond_its_records_by_its_fill():
    panel = make_panel(num_periods=20, future=2)
    price, promotion = panel.channels["price"], panel.channels["promotion"]
    assert (price.until(30)[:, 22:] == price.values[:, -1:]).all()
    assert (promotion.until(30)[:, 22:] == 0).all()
    assert np.isnan(panel.channels["temperature"].until(30)[:, 20:]).all()


def test_a_channel_of_a_region_spreads_to_its_series():
    panel = make_panel()
    spread = panel.channel_by_series("temperature")
    north = np.flatnonzero(panel.series["region"] == "north")
    assert (spread[north] == panel.channels["temperature"].values[0]).all()


def test_loading_another_folder_says_what_is_missing(tmp_path):
    with pytest.raises(ContractError, match=r"panel\.json must exist"):
        Panel.load(tmp_path)


def test_concatenate_refuses_partitions_of_different_periods():
    with pytest.raises(ContractError, match="timeline"):
        concatenate([make_panel(num_periods=10), make_panel(num_periods=11)])
