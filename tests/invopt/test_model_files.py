import hashlib
import json
import subprocess

import pytest

from invopt.errors import ContractError
from invopt.model_files import is_older, read_head, verify, write_sums


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "judged").mkdir(parents=True)
    (folder / "model.json").write_text('{"format": 2, "model": {}}')
    (folder / "member-00.npz").write_bytes(bytes(range(256)) * 10)
    (folder / "judged" / "model.onnx").write_bytes(b"graph")
    return folder


def test_hashes_are_those_that_sha256sum_checks(model):
    own = write_sums(model)
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=model, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.count(": OK")) == (0, 3)
    assert own == hashlib.sha256((model / "SHA256SUMS").read_bytes()).hexdigest()
    assert verify(model) == verify(model, own) == own
    assert write_sums(model) == own


@pytest.mark.parametrize("name", ["member-00.npz", "judged/model.onnx", "model.json"])
def test_one_bit_that_flipped_is_refused_by_name(model, name):
    own = write_sums(model)
    content = bytearray((model / name).read_bytes())
    content[-1] ^= 1
    (model / name).write_bytes(content)
    with pytest.raises(ContractError, match=rf"Model.{name} must hold what was registered.*backup"):
        verify(model, own)
    (model / name).unlink()
    with pytest.raises(ContractError, match=rf"Model.{name} must hold"):
        verify(model)


def test_another_model_in_its_place_is_refused_where_the_registry_knows_the_hash(model):
    own = write_sums(model)
    (model / "member-00.npz").write_bytes(b"another")
    other = write_sums(model)
    assert verify(model) == other
    with pytest.raises(ContractError, match="SHA256SUMS must be what was registered"):
        verify(model, own)
    (model / "SHA256SUMS").unlink()
    with pytest.raises(ContractError, match="SHA256SUMS must exist"):
        verify(model, own)


def test_a_folder_from_before_hashes_passes(model):
    assert verify(model) == ""


@pytest.mark.parametrize(
    ("found", "advice", "older"),
    [
        (4, "A newer invopt made it: install that", False),
        (1, "An older invopt made it: train again", True),
        (None, "An older invopt made it: train again", True),
        ("2", "An older invopt made it: train again", True),
    ],
)
def test_another_format_is_refused_with_what_to_do(model, found, advice, older):
    (model / "model.json").write_text(json.dumps({"format": found, "model": {}}))
    with pytest.raises(ContractError, match=rf"format must be 2.*\(e.g. {found}\).*{advice}"):
        read_head(model)
    assert is_older(model) == older


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"2"])
def test_a_head_that_cannot_be_read_is_one_sentence(model, content):
    (model / "model.json").write_bytes(content)
    with pytest.raises(ContractError, match=r"Model.model.json must be .*backup"):
        read_head(model)
