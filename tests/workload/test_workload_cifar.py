"""CIFAR-10 and CIFAR-100 in their original files, whole and damaged."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aster_dse.errors import AsterError, InputError, NotFoundError
from aster_dse.space import WorkloadConfig
from aster_dse.workload import Workload, load_workload
from aster_dse.workload.partition import held_out

PER_BATCH = 20


def _dump(path: Path, content: Any) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def _batch(seed: int, classes: int, key: bytes) -> dict[bytes, Any]:
    random = np.random.default_rng(seed)
    return {
        b"batch_label": b"a batch",
        key: [index % classes for index in range(PER_BATCH)],
        b"data": random.integers(0, 256, (PER_BATCH, 3072), dtype=np.uint8),
        b"filenames": [b"x.png"] * PER_BATCH,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Both trees as they come."""
    ten, hundred = tmp_path / "cifar-10-batches-py", tmp_path / "cifar-100-python"
    for folder in (ten, hundred):
        folder.mkdir()
    for number in range(1, 6):
        _dump(ten / f"data_batch_{number}", _batch(number, 10, b"labels"))
    _dump(ten / "test_batch", _batch(6, 10, b"labels"))
    _dump(ten / "batches.meta", {b"label_names": [f"kind {n}".encode() for n in range(10)]})
    for number, part in enumerate(("train", "test")):
        _dump(hundred / part, _batch(number, 20, b"fine_labels") | {b"coarse_labels": [0] * PER_BATCH})
    _dump(hundred / "meta", {b"fine_label_names": [f"fine {n}".encode() for n in range(100)]})
    return tmp_path


def load(root: Path, name: str = "cifar10", **config: Any) -> Workload:
    return load_workload(WorkloadConfig(name=name, **config), data=root, cache=root / "cache")


def test_it_is_read_as_it_was_written(root: Path) -> None:
    workload = load(root)
    assert workload.train.frames.shape == (90, 1, 3, 32, 32)
    assert (len(workload.validation), len(workload.test)) == (10, PER_BATCH)
    assert (workload.static, workload.input_bits, workload.scale) == (True, 8, 1 / 255)
    assert workload.class_names[3] == "kind 3"
    first = pickle.loads((root / "cifar-10-batches-py" / "test_batch").read_bytes(), encoding="bytes")
    assert (np.asarray(workload.test.frames).reshape(PER_BATCH, 3072) == first[b"data"]).all()
    assert workload.test.labels.tolist() == first[b"labels"]


def test_a_hundred_classes(root: Path) -> None:
    workload = load(root, "cifar100", validation_share=0.2)
    assert (workload.classes, len(workload.class_names)) == (100, 100)
    assert len(workload.train) + len(workload.validation) == PER_BATCH


@pytest.mark.parametrize("where", ["root", "tree", "folder", "variable"])
def test_the_folder_is_found(root: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = root / "cifar-10-batches-py"
    if where == "folder":
        tree.rename(root / "mine")
        assert len(load(root, folder="mine").test) == PER_BATCH
    elif where == "variable":
        monkeypatch.setenv("ASTER_DSE_DATA", str(root))
        found = load_workload(WorkloadConfig(name="cifar10"), cache=root / "cache")
        assert len(found.test) == PER_BATCH
    else:
        assert len(load(root if where == "root" else tree).test) == PER_BATCH


def test_another_resolution_is_resized(root: Path) -> None:
    small = load(root, resolution=16)
    assert small.train.frames.shape == (90, 1, 3, 16, 16)
    whole = np.asarray(load(root).train.frames).astype(float)
    assert abs(np.asarray(small.train.frames).mean() - whole.mean()) < 2


def _changed(**fields: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = pickle.loads(path.read_bytes(), encoding="bytes")
        _dump(path, content | {name.encode(): value for name, value in fields.items()})

    return change


class _Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/aster-attacked",)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"no pickle at all"), "cannot be read"),
        (lambda path: _dump(path, [1, 2]), "holds a list"),
        (_changed(data=np.zeros((PER_BATCH, 3072), np.float32)), "float32"),
        (_changed(data=np.zeros((PER_BATCH, 100), np.uint8)), "(20, 100)"),
        (_changed(labels=[0] * 3), "20 images and 3 labels"),
        (_changed(labels=[*range(10), *range(1, 11)]), "the label 10"),
        (_changed(labels=b"text"), "no list of labels"),
        (lambda path: _dump(path, {b"data": _Attack()}), "posix.system"),
        (lambda path: _dump(path, _Attack()), "posix.system"),
    ],
    ids=[
        "cut",
        "empty",
        "text",
        "list",
        "floats",
        "width",
        "lengths",
        "label",
        "no-labels",
        "attack",
        "bare",
    ],
)
def test_a_damaged_batch_is_one_line_with_its_name(
    root: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(root / "cifar-10-batches-py" / "data_batch_3")
    with pytest.raises(InputError) as refusal:
        load(root)
    text = str(refusal.value)
    assert "data_batch_3" in text
    assert said in text
    assert "\n" not in text
    assert not Path("/tmp/aster-attacked").exists()


def test_what_is_missing_is_named(root: Path, tmp_path: Path) -> None:
    (root / "cifar-10-batches-py" / "data_batch_2").unlink()
    with pytest.raises(NotFoundError, match="data_batch_2"):
        load(root)
    with pytest.raises(NotFoundError, match=r"cifar100: no .*cifar-100-python.*--data") as refusal:
        load(tmp_path / "elsewhere", "cifar100")
    assert "\n" not in str(refusal.value)
    with pytest.raises(AsterError, match="out of range"):
        load(root, resolution=256)


@given(
    counts=st.lists(st.integers(2, 30), min_size=1, max_size=6),
    share=st.floats(0.01, 0.9),
    seed=st.integers(0, 100),
)
def test_validation_is_held_out_of_every_class_alike(counts: list[int], share: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    train, validation = held_out(labels, share, seed)
    assert sorted([*train, *validation]) == list(range(len(labels)))
    for label, count in enumerate(counts):
        held = int((labels[validation] == label).sum())
        assert 1 <= held <= count - 1
        assert abs(held - share * count) <= 1
    again = held_out(labels, share, seed)
    assert (again[0] == train).all()
