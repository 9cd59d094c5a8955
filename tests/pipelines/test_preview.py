"""What `invopt preview` compares with: the latest run that left its pipeline whole."""

from pathlib import Path

import pytest

from pipelines.preview import last_compiled

GOLDEN = Path(__file__).parents[1] / "golden_files"


def kept(workspace, number, content):
    file = workspace / "runs" / f"training-{number}" / "pipeline.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(content)


@pytest.mark.parametrize("damaged", ["", "components: {", "- a list", "root: {dag: 1}", "\0"])
def test_a_pipeline_that_was_cut_off_is_passed_over(tmp_path, damaged):
    whole = (GOLDEN / "training.yaml").read_text()
    kept(tmp_path, 1, whole)
    expected, _ = last_compiled(tmp_path, "training")
    kept(tmp_path, 2, damaged)
    assert last_compiled(tmp_path, "training") == (expected, {})
    assert expected["pipelineInfo"]["name"] == "training"


def test_without_a_whole_run_there_is_nothing_to_compare_with(tmp_path):
    assert last_compiled(tmp_path, "training") == (None, {})
    kept(tmp_path, 1, "")
    assert last_compiled(tmp_path, "training") == (None, {})
