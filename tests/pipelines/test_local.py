"""Results of a run on this machine are its own, cached steps' too."""

import os

import pytest

from pipelines.local import LocalRun, _gather, ending_of


def made(workspace, number, content):
    """Return the explanation that a run made, the later the larger its number."""
    job = workspace / "runs" / f"training-{number}" / "artifacts" / f"job-{number}"
    file = job / "explain-forecaster" / "explanation"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    os.utime(file, (number, number))
    return file


def test_a_cached_result_is_the_one_that_the_run_s_steps_were_given(tmp_path):
    first = made(tmp_path, 1, "of this configuration")
    made(tmp_path, 2, "of another one, made later")
    run = LocalRun("training", tmp_path / "runs" / "training-3")
    run.folder.mkdir()
    run.log.write_text(f'    "uri": "{first}",\n')
    place = run.folder / "explanation.json"
    _gather(run, "explain-forecaster", "explanation", "", place)
    assert place.read_text() == "of this configuration"
    run.log.write_text("")  # nobody was given it: the latest is the best guess
    _gather(run, "explain-forecaster", "explanation", "", place)
    assert place.read_text() == "of another one, made later"


@pytest.mark.parametrize(
    ("status", "step", "said", "told"),
    [
        (-9, "train-forecaster", "05:44:02.254 - INFO - Streamed logs:", "was ended by SIGKILL"),
        (-15, "", "", "the run was ended by SIGTERM"),
        (1, "ingest-data", "RuntimeError: Pipeline x finished. Inner task failed: 'ingest-data'.",
         "step ingest-data ended without a word"),
        (1, "ingest-data", "", "step ingest-data ended without a word"),
    ],
)  # fmt: skip
def test_a_step_that_was_killed_is_named_and_the_engine_s_words_are_not(status, step, said, told):
    ending = ending_of(status, step, said)
    assert told in ending
    assert "Run again" in ending
    assert "logs:" not in ending


def test_what_the_log_says_last_stays_where_it_says_something():
    assert ending_of(1, "ingest-data", "MemoryError") == "MemoryError"
