"""What the program says of folders of data sets that are empty, incomplete or too small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import aster
from PIL import Image

CIFAR = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
WNIDS = [f"n0{number}" for number in range(10)]
FRAMES = "frames_number_4_split_by_number"


def put(path: Path, content: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def data_sets(folder: Path) -> dict[str, Any]:
    ran = aster("doctor", "--data", folder, "--json")
    (check,) = [check for check in ran.document if check["check"] == "data sets"]
    if not check["ok"]:
        assert "data sets" in ran.complaint
    assert "\n" not in check["detail"]
    found: dict[str, Any] = check
    return found


@pytest.mark.parametrize(
    "name", ["cifar-10-batches-py", "cifar-100-python", "imagenette2", "ImageNet", "N-MNIST", "CIFAR10DVS"]
)
def test_doctor_calls_no_empty_folder_a_data_set(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    check = data_sets(tmp_path)
    assert not check["ok"]
    assert f"{tmp_path / name}: is empty" in check["detail"]
    assert check["hint"] == "complete these folders, or remove them"


def test_doctor_says_what_is_missing_of_each_data_set(tmp_path: Path) -> None:
    for name in CIFAR:
        put(tmp_path / "cifar-10-batches-py" / name, b"" if name == "data_batch_3" else b"x")
    put(tmp_path / "cifar-100-python" / "train")
    for part in ("train", "val"):
        for name in WNIDS:
            put(tmp_path / "imagenette2" / part / name / "1.txt" if name == WNIDS[4] else
                tmp_path / "imagenette2" / part / name / "1.JPEG")  # fmt: skip
    for number in range(3):
        put(tmp_path / "N-MNIST" / "Train" / str(number) / "1.bin")
    put(tmp_path / "N-CARS" / "n-cars_train" / "cars" / "1.dat")
    check = data_sets(tmp_path)
    assert not check["ok"]
    for said in (
        "cifar-10-batches-py: has nothing in data_batch_3 (the files data_batch_1,",
        "cifar-100-python: lacks test (the files train, test)",
        f"imagenette2/train/{WNIDS[4]}: has no image (files that end in .jpeg, .jpg, .png)",
        "N-MNIST/Train/3: is missing (the folders 0, 1,",
        "N-CARS/n-cars_train/background: is missing (the folders background, cars)",
    ):
        assert said in check["detail"]


def test_doctor_finds_what_is_complete_and_says_which_is_a_subset(tmp_path: Path) -> None:
    for name in CIFAR:
        put(tmp_path / "cifar-10-batches-py" / name)
    for part in ("train", "val"):
        for name in WNIDS:
            put(tmp_path / "imagenette2-160" / part / name / "1.JPEG")
    for part in ("train", "test"):
        for number in range(11):
            put(tmp_path / "DVS128Gesture" / FRAMES / part / str(number) / "1.npz")
    (tmp_path / "DVSGesturedataset").mkdir()  # empty, and another name of the same
    check = data_sets(tmp_path)
    assert check["ok"]
    assert check["detail"] == (
        f"in {tmp_path}: cifar10 (cifar-10-batches-py), imagenette (imagenette2-160), "
        "dvs-gesture (DVS128Gesture, 22 of 1464 samples)"
    )
    assert check["hint"] == ""


def test_doctor_refuses_a_data_folder_that_is_not_there(tmp_path: Path) -> None:
    check = data_sets(tmp_path / "gone")
    assert not check["ok"]
    assert check["detail"] == f"there is no folder {tmp_path / 'gone'}"


def test_training_on_one_image_a_class_is_refused_in_one_line(tmp_path: Path) -> None:
    for part in ("train", "val"):
        for name in ("jay", "kite"):
            path = tmp_path / "birds" / part / name / "1.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (40, 40)).save(path)
    knobs = ("folder=birds", "classes=2", "resolution=32")
    sets = [word for knob in knobs for word in ("--set", f"workload.{knob}")]
    ran = aster("train", "image-folder", *sets, "--data", tmp_path, "-o", tmp_path / "x")
    assert ran.code == 2
    assert ran.complaint == (
        f"{tmp_path}/birds/train: has too few training samples to hold one out for validation of "
        "jay (1), kite (1) (2 training samples or more of every class)"
    )
