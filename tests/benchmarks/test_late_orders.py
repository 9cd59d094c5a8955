from invopt.config import load_config
from invopt.synthetic import make_retailer, write_retailer


def test_the_demo_with_late_purchase_orders_orders_more_and_says_why(tmp_path):
    from benchmarks.late_orders import _CONFIG, baseline, planned, read_demo, table, told

    config = load_config(_CONFIG)
    write_retailer(make_retailer(6, 2, 400, 0), tmp_path / "data")
    panel = read_demo(tmp_path, config)
    model = baseline(tmp_path, panel, config)
    on_time, late = (told(planned(tmp_path, panel, model, config, days)) for days in (0, 21))
    assert late["units ordered"] > 1.2 * on_time["units ordered"]
    name = "money missed before an order can arrive"
    assert late[name] > on_time[name]
    assert late["delivery_too_late"] > on_time["delivery_too_late"]
    assert table({"on time": on_time, "late": late}).startswith(
        "| | on time | late |\n|---|---|---|"
    )
