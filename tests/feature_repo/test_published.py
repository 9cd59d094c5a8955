"""feature_repo.published: what `feast apply` in the repository's folder finds."""

import json
import os
import subprocess
import sys

LAYOUT = {
    "static": {"category": "text"}, "series_fields": ["price"], "group_fields": [],
    "features": ["lag_7"],
}  # fmt: skip
CODE = """
import feature_repo.published as found
names = [getattr(v, "name", "") for k, v in vars(found).items() if k.startswith("published_")]
print(",".join(names))
"""


def names(folder) -> str:
    environment = os.environ | {"INVOPT_FEATURE_STORE": str(folder)}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True,
                          text=True, check=True)  # fmt: skip
    return done.stdout.strip()


def test_feast_apply_finds_the_views_of_the_data_set_published_last(tmp_path):
    (tmp_path / "layout.json").write_text(json.dumps(LAYOUT))
    assert names(tmp_path) == (
        "series,group,series_history,series_window,stock_position,last_forecast,series_features,"
        "training,inference,analysis"
    )


def test_feast_apply_finds_nothing_where_nothing_was_published(tmp_path):
    assert names(tmp_path) == ""
