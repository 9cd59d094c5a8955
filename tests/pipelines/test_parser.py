"""What the command says to a word it does not know."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from invopt.monitoring.retraining_decision import ACTIONS as DECISIONS
from invopt.synthetic import FILES
from pipelines.cli import ACTIONS, _parser, main, status_of
from pipelines.parser import EXAMPLES, each_set

SMOKE = str(Path(__file__).parents[2] / "pipelines" / "configs" / "smoke.yaml")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["rnu"], "did you mean run?"),
        (["serv"], "did you mean serve?"),
        (["run", "trainig"], "did you mean training?"),
        (["chek-data"], "did you mean check-data?"),
        (["retraining", "of", "--name", "demo"], "did you mean off?"),
    ],
)
def test_a_misspelt_word_is_told_what_was_meant(given, meant, capsys):
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    assert meant in capsys.readouterr().err


def test_a_word_that_is_like_no_other_is_told_those_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["zzzz"])
    told = capsys.readouterr().err
    assert "did you mean" not in told
    assert "replenishment" in told or "submit" in told


@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_every_command_s_help_shows_an_example_of_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"example:\n  invopt {command}" in shown


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("run", "stores (default: workspace)"),
        ("serve", "HTTP port (default: 8080)"),
        ("plan", "(default: 8090)"),
        ("demo-data", "another retailer (default: 0)"),
        ("prune", "stays (default: 90)"),
        ("rollback", "(default: demand-forecaster)"),
    ],
)
def test_help_says_the_default_of_an_option_that_has_one(command, told, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert told in shown
    assert "(default: None)" not in shown
    assert "(default: [])" not in shown
    assert "(default: False)" not in shown


def test_a_monitoring_run_fails_on_the_decision_asked_for_and_on_those_above_it(tmp_path):
    assert ACTIONS == DECISIONS
    file = tmp_path / "monitoring.json"
    for decision, statuses in {"ignore": [0, 0, 0], "alert": [3, 0, 0], "page": [3, 3, 3]}.items():
        file.write_text(f'{{"decision": "{decision}"}}')
        assert [status_of(tmp_path, on) for on in ("alert", "retrain", "page")] == statuses


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["invopt", "retr"], {"retraining"}),
        (["invopt", "run", "train"], {"training"}),
        (["invopt", "acknowledge", "--w"], {"--who", "--workspace"}),
    ],
)
def test_bash_completes_commands_choices_and_options(words, offered, capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    asked = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}"
    script += f"\n{asked}; _shtab_invopt; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == offered


def test_fail_on_belongs_to_monitoring(capsys):
    arguments = ["run", "training", "--config", "none.yaml", "--fail-on", "page"]
    assert main(arguments) == 1
    assert "it belongs to monitoring" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["serve", "--port", "99999"], "a whole number from 0 to 65535, got 99999"),
        (["plan", "--port", "eight"], "a whole number from 0 to 65535, got eight"),
        (["demo-data", "--out", "x", "--products", "0"], "a whole number of 1 or more, got 0"),
        (["demo-data", "--out", "x", "--days", "1"], "a whole number of 2 or more, got 1"),
        (["demo-data", "--out", "x", "--seed", "-1"], "a whole number of 0 or more, got -1"),
    ],
)
def test_a_number_outside_its_limits_is_refused_with_them(given, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_benchmark_that_was_likely_meant_is_named(capsys):
    assert main(["bench", "situation"]) == 1
    assert "no benchmark situation; did you mean situations? There are" in capsys.readouterr().err


def test_several_fields_may_follow_one_set():
    given = ["run", "--set", "gate.a=1", "b.c=x=y", "training", "--set", "d.e=2", "--out", "o.csv"]
    parsed = _parser().parse_args(each_set(given))
    assert parsed.overrides == ["gate.a=1", "b.c=x=y", "d.e=2"]
    assert (parsed.pipeline, str(parsed.out)) == ("training", "o.csv")


def test_what_nobody_foresaw_is_one_sentence_with_its_place_and_status_1(monkeypatch, capsys):
    def broken(_):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("pipelines.cli._prune", broken)
    assert main(["prune"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("invopt: ZeroDivisionError: division by zero (test_parser.py, line ")
    assert told.count("\n") == 1
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["compile", "training", "--config", "no.yaml", "--out", "."],
         "--out . must name a file that ends in .yaml"),
        (["compile", "training", "--config", "no.yaml", "--out", "pipeline.json"],
         "--out pipeline.json must name a file that ends in .yaml"),
        (["compile", "training", "--config", SMOKE, "--out", "/proc/here/pipeline.yaml"],
         "/proc/here: No such file or directory: name a place that can be written"),
        (["init-mapping", ".", "--out", "."], "--out . is a folder: name the file, as in mapping"),
    ],
)  # fmt: skip
def test_a_place_that_is_no_file_to_write_is_one_sentence(command, told, capsys):
    assert main(command) == 1
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_demo_data_replaces_a_former_demo_and_nothing_else(tmp_path, capsys):
    small = ["--products", "1", "--stores", "1", "--days", "40"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "sales_of_ours.csv").write_text("a,b\n")
    assert main(["demo-data", "--out", str(mine), *small]) == 1
    assert "none of the retailer's, sales_of_ours.csv for one" in capsys.readouterr().err
    assert main(["demo-data", "--out", str(mine / "sales_of_ours.csv"), *small]) == 1
    assert "is a file; name a folder" in capsys.readouterr().err
    assert [p.name for p in mine.iterdir()] == ["sales_of_ours.csv"]
    for _ in range(2):
        assert main(["demo-data", "--out", str(tmp_path / "demo"), *small]) == 0
    assert {p.name for p in (tmp_path / "demo").iterdir()} == FILES


@pytest.mark.parametrize(
    "given",
    [["retraining", "status"], ["rollback"], ["acknowledge", "--who", "Ana"], ["serve"]],
    ids=lambda given: given[0],
)
def test_a_folder_without_a_model_is_told_and_left_as_it_is(given, tmp_path, capsys):
    assert main([*given, "--workspace", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert f"run `invopt run training --config FILE --data DIR --workspace {tmp_path}`" in told
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_seen_enough_is_no_fault():
    command = [sys.executable, "-m", "invopt", "completion", "bash"]
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write)
    assert ended.returncode == 141
    assert ended.stderr == b""
