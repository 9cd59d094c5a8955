import numpy as np
import pandas as pd
import pytest

from invopt.files import (
    copy_whole,
    is_whole_parquet,
    read_csv,
    read_json,
    replacing_file,
    replacing_folder,
    text_of_cell,
    write_csv,
    write_json,
)


def test_replacing_folder_leaves_the_old_one_when_filling_fails(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("x")
    with pytest.raises(RuntimeError), replacing_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("y")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "old").is_file()


def test_a_folder_that_cannot_take_the_place_leaves_the_old_one_there(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("x")
    with pytest.raises(FileNotFoundError), replacing_folder(tmp_path / "out") as folder:
        folder.rmdir()
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "old"]


def test_replacing_folder_keeps_nothing_of_the_old_one(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("x")
    with replacing_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("y")
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "new"]


def test_a_file_appears_whole_or_stays_as_it_was(tmp_path):
    file = tmp_path / "made" / "out.txt"
    with replacing_file(file) as partial:
        partial.write_text("first")
        assert not file.exists()
    with pytest.raises(RuntimeError), replacing_file(str(file)) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert file.read_text() == "first"
    assert [p.name for p in file.parent.iterdir()] == ["out.txt"]


def test_two_writers_of_one_file_do_not_meet_and_the_last_one_stands(tmp_path):
    file = tmp_path / "out.txt"
    with replacing_file(file) as first:
        first.write_text("first")
        with replacing_file(file) as second:
            second.write_text("second")
        assert file.read_text() == "second"
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_numbers_that_json_has_no_word_for_become_null(tmp_path):
    write_json(tmp_path / "a" / "b.json", {"x": float("nan"), 1: (float("inf"), 2.5)})
    assert read_json(tmp_path / "a" / "b.json") == {"x": None, "1": [None, 2.5]}


def test_a_copy_appears_whole_or_not_at_all(tmp_path):
    (tmp_path / "from").write_text("new")
    copy_whole(tmp_path / "from", tmp_path / "folder" / "to")
    assert (tmp_path / "folder" / "to").read_text() == "new"
    with pytest.raises(FileNotFoundError):
        copy_whole(tmp_path / "gone", tmp_path / "folder" / "to")
    assert (tmp_path / "folder" / "to").read_text() == "new"
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["to"]


@pytest.mark.parametrize(
    ("content", "whole"),
    [(b"PAR1....PAR1", True), (b"PAR1....", False), (b"", False), (b"PAR1PAR1", False)],
)
def test_a_parquet_file_that_a_power_cut_left_is_known_by_its_end(tmp_path, content, whole):
    (tmp_path / "file").write_bytes(content)
    assert is_whole_parquet(tmp_path / "file") == whole


def test_a_place_called_na_is_a_name_and_only_an_empty_cell_is_missing(tmp_path):
    names = ["NA", "null", "None", "nan", "n/a", "00012", "=SUM(A1)", "@home", "-5"]
    table = pd.DataFrame({"location": [*names, None], "units": [float("nan"), *range(1, 10)]})
    write_csv(tmp_path / "a.csv", table)
    found = read_csv(tmp_path / "a.csv", dtype={"location": str})
    assert found["location"].tolist()[:-1] == names
    assert found["location"].isna().tolist() == [False] * 9 + [True]
    assert found["units"].isna().tolist() == [True] + [False] * 9


def test_a_table_comes_back_with_names_that_look_like_nothing(tmp_path):
    names = ["NA", "None", "null", "nan", "N/A", "=1+1", "'s-Hertogenbosch", ""]
    frame = pd.DataFrame({"location": names, "units": [1.5, np.nan, *range(6)]})
    write_csv(tmp_path / "plan.csv", frame)
    found = read_csv(tmp_path / "plan.csv", dtype={"location": str})
    assert found["location"].fillna("").tolist() == names
    assert found["units"].isna().tolist() == [False, True] + [False] * 6
    assert read_csv(tmp_path / "plan.csv")["location"].fillna("").tolist() == names
    assert [text_of_cell(cell) for cell in ("'=a", "'-5 %", "'s", "a'b", "")] == [
        "=a", "-5 %", "'s", "a'b", "",
    ]  # fmt: skip
