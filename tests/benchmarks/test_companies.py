"""Made-up sets of other companies: what is written is what they are said to be."""

import numpy as np
import pandas as pd
import pytest


@pytest.mark.parametrize("name", ["weekly26", "monthly", "sparse", "plans", "hourly", "twostores"])
def test_a_set_has_the_series_periods_and_zeros_that_it_is_said_to_have(name, tmp_path):
    from benchmarks.companies import COMPANIES, write_company

    company = COMPANIES[name]
    sales = write_company(company, tmp_path)
    assert sales.groupby(["product", "store"]).size().unique().tolist() == [company.periods]
    assert len(sales) == company.series * company.periods
    assert (sales["quantity"] == 0).mean() == pytest.approx(company.zeros, abs=0.02)
    assert (tmp_path / "promotions.csv").is_file() == company.planned


def test_promotions_are_known_two_weeks_ahead_and_sell_38_percent_more(tmp_path):
    from benchmarks.companies import COMPANIES, write_company

    sales = write_company(COMPANIES["plans"], tmp_path)
    marks = pd.read_csv(tmp_path / "promotions.csv").assign(on=1)
    last = pd.Timestamp(sales["date"].max())
    assert pd.Timestamp(marks["date"].max()) == last + pd.Timedelta(days=14)
    keys = ["product", "store", "date"]
    both = sales.merge(marks[[*keys, "on"]], on=keys, how="left").fillna({"on": 0})
    means = both.groupby(["product", "store", "on"])["quantity"].mean().unstack()
    assert np.average(means[1] / means[0], weights=means[0]) == pytest.approx(1.38, abs=0.06)


def test_an_untuned_lightgbm_errs_less_than_nothing_at_all(tmp_path):
    from benchmarks.companies import COMPANIES, untuned_wape, write_company

    company = COMPANIES["twostores"]
    write_company(company, tmp_path)
    found = untuned_wape(tmp_path, company, {"gate": [171, 178], "train_stop": 172}, 14)
    assert 0.1 < found < 0.5
