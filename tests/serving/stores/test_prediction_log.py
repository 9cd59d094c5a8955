from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from serving.stores.prediction_log import (
    SCHEMA,
    LogLimits,
    PredictionLog,
    find_request,
    latest_of,
    read_predictions,
)


def offer(log, columns):
    log.offer(len(columns["unique_id"]), lambda: [columns])


def rows(*numbers: int, **values):
    return {
        "request_id": [f"r{n}" for n in numbers],
        "served_at": [datetime.now(UTC) for _ in numbers],
        "unique_id": [f"p{n}" for n in numbers],
        "step": ["fresh" for _ in numbers],
        "mean": np.array([[1.0, 2.0]] * len(numbers), np.float32),
        "what_if": [False for _ in numbers],
    } | values


def test_rows_come_back_as_they_were_offered(tmp_path):
    log = PredictionLog(tmp_path / "log")
    offer(log, rows(0, 1, order_quantity=[None, 3.0]))
    offer(log, rows(2, mean=np.array([[5.0]], np.float32), on_hand=[float("nan")]))
    log.close()
    table = read_predictions(tmp_path / "log")
    assert table.schema == SCHEMA
    assert table["unique_id"].to_pylist() == ["p0", "p1", "p2"]
    assert table["order_quantity"].to_pylist() == [None, 3.0, None]
    assert table["on_hand"].to_pylist() == [None] * 3
    assert table["mean"].to_pylist() == [[1.0, 2.0], [1.0, 2.0], [5.0]]


def test_more_than_the_log_can_hold_is_told_as_lost(tmp_path):
    lost = []
    log = PredictionLog(tmp_path, limits=LogLimits(held=4), lost=lambda *told: lost.append(told))
    offer(log, rows(*range(5)))
    log.close()
    assert lost == [(5, "queue full")]


def test_a_log_that_does_not_exist_reads_as_empty(tmp_path):
    assert read_predictions(tmp_path, ["unique_id"]).num_rows == 0


def test_a_full_file_is_written_without_waiting_for_the_end(tmp_path):
    log = PredictionLog(tmp_path, limits=LogLimits(rows=2))
    for number in range(4):
        offer(log, rows(number))
    log.close()
    assert len(list(tmp_path.glob("*/part-*.parquet"))) == 2


def test_the_oldest_files_go_when_the_log_is_too_large(tmp_path):
    log = PredictionLog(tmp_path, limits=LogLimits(rows=1, total_bytes=1))
    for number in range(3):
        offer(log, rows(number))
    log.close()
    assert read_predictions(tmp_path)["request_id"].to_pylist() == ["r2"]


def test_a_disk_that_cannot_be_written_loses_rows_and_nothing_else(tmp_path):
    blocked = tmp_path / "log"
    blocked.write_text("a file where the folder should be")
    lost = []
    log = PredictionLog(blocked, lost=lambda number, reason: lost.append((number, reason)))
    offer(log, rows(0, 1))
    log.close()
    assert lost == [(2, "NotADirectoryError")]


@pytest.mark.parametrize(("sample", "kept"), [(0.0, 0), (1.0, 200)])
def test_the_sample_is_of_requests(tmp_path, sample, kept):
    log = PredictionLog(tmp_path, sample=sample)
    assert sum(log.keeps() for _ in range(200)) == kept
    log.close()


def test_a_clock_that_jumps_back_does_not_hold_rows_for_ever(tmp_path):
    log = PredictionLog(tmp_path, limits=LogLimits(seconds=1000))
    offer(log, rows(0, served_at=[datetime(2999, 1, 1, tzinfo=UTC)]))
    for _ in range(100):
        if list(tmp_path.glob("*/part-*.parquet")):
            break
        log._thread.join(0.02)
    assert read_predictions(tmp_path).num_rows == 1
    log.close()


def test_files_of_an_earlier_version_read_with_its_missing_columns_as_null(tmp_path):
    log = PredictionLog(tmp_path)
    offer(log, rows(0))
    log.close()
    [file] = tmp_path.glob("*/part-*.parquet")
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["levels"]), file)
    log = PredictionLog(tmp_path)
    offer(log, rows(1, levels=np.ones((1, 3), np.float32)))
    log.close()
    assert read_predictions(tmp_path)["levels"].to_pylist() == [None, [1.0, 1.0, 1.0]]
    assert read_predictions(tmp_path, ["levels"]).num_rows == 2


def test_a_request_is_found_whole_over_several_files_and_no_other_with_it(tmp_path):
    log = PredictionLog(tmp_path, limits=LogLimits(rows=2))
    for number in range(5):
        offer(log, rows(number, request_id=["odd" if number % 2 else "even"]))
    log.close()
    assert find_request(tmp_path, "even")["unique_id"].to_pylist() == ["p0", "p2", "p4"]
    assert find_request(tmp_path, "od").num_rows == 0
    assert find_request(tmp_path / "none", "odd").schema == SCHEMA


def test_a_file_whose_content_is_damaged_takes_no_other_with_it(tmp_path, caplog):
    log = PredictionLog(tmp_path, limits=LogLimits(rows=1))
    for number in range(3):
        offer(log, rows(number))
    log.close()
    damaged = sorted(tmp_path.glob("*/part-*.parquet"))[1]
    content = damaged.read_bytes()
    damaged.write_bytes(content[:4] + b"\0" * (len(content) - 8) + content[-4:])
    assert read_predictions(tmp_path)["request_id"].to_pylist() == ["r0", "r2"]
    assert damaged.name in caplog.text
    assert find_request(tmp_path, "r2")["unique_id"].to_pylist() == ["p2"]
    assert find_request(tmp_path, "r1").num_rows == 0
    assert latest_of(tmp_path, "p0").num_rows == 1


def test_rows_that_fit_no_table_are_lost_alone_and_the_log_goes_on(tmp_path):
    lost = []
    log = PredictionLog(tmp_path, lost=lambda *told: lost.append(told))
    offer(log, rows(0, order_quantity=["many"]))
    for _ in range(100):
        if lost:
            break
        log._thread.join(0.05)
    offer(log, rows(1))
    log.close()
    assert lost == [(1, "ArrowInvalid")]
    assert read_predictions(tmp_path)["request_id"].to_pylist() == ["r1"]
