"""Images in folders by class, as ImageNet is kept: whole, in every size, and damaged."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from aster_dse.errors import AsterError, InputError, NotFoundError
from aster_dse.space import NetworkConfig, TrainingConfig, WorkloadConfig
from aster_dse.training import train
from aster_dse.workload import Workload, load_workload, record_workload
from aster_dse.workload.dataset import ImageSource

WNIDS = ("n01440764", "n02102040", "n02979186", "n03000684", "n03028079",
         "n03394916", "n03417042", "n03425413", "n03445777", "n03888257")  # fmt: skip
SIZES = ((60, 40), (40, 60), (48, 48), (200, 90))


def _image(seed: int, size: tuple[int, int]) -> Image.Image:
    """A colour and a gradient of its own, with a little noise."""
    random = np.random.default_rng(seed)
    width, height = size
    colour = random.integers(40, 200, 3)
    slope = np.linspace(-40, 40, width)[None, :, None] + np.linspace(-20, 20, height)[:, None, None]
    pixels = np.clip(colour + slope + random.normal(0, 3, (height, width, 3)), 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def _tree(root: Path, classes: tuple[str, ...], counts: dict[str, int], ending: str = ".JPEG") -> Path:
    for number, name in enumerate(classes):
        for part, count in counts.items():
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                image = _image(100 * number + index, SIZES[index % len(SIZES)])
                image.save(folder / f"{name}_{index}{ending}", format="JPEG" if "J" in ending else "PNG")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Imagenette as it comes, with an image in grey, one in CMYK and a folder of the system's."""
    tree = _tree(tmp_path / "imagenette2", WNIDS, {"train": 8, "val": 3})
    _image(1, (50, 70)).convert("L").save(tree / "train" / WNIDS[0] / "grey.JPEG")
    _image(2, (50, 70)).convert("CMYK").save(tree / "train" / WNIDS[0] / "print.jpg")
    (tree / "train" / ".thumbnails").mkdir()
    (tree / "train" / WNIDS[1] / "notes.txt").write_text("not an image")
    return tmp_path


def load(root: Path, name: str = "imagenette", **config: Any) -> Workload:
    config = {"resolution": 32, "validation_share": 0.25, **config}
    return load_workload(WorkloadConfig(name=name, **config), data=root, cache=root / "cache")


def test_every_image_is_in_one_part_with_the_label_of_its_folder(root: Path) -> None:
    workload = load(root)
    assert workload.class_names == WNIDS
    assert (len(workload.train), len(workload.validation), len(workload.test)) == (62, 20, 30)
    seen = []
    for part in (workload.train, workload.validation, workload.test):
        assert part.frames.shape == (len(part), 1, 3, 32, 32)
        for name, label in zip(part.frames.names, part.labels, strict=True):
            assert Path(name.decode()).parts[1] == WNIDS[label]
            seen.append(name)
    assert len(seen) == len(set(seen)) == 10 * (8 + 3) + 2
    assert {int(label) for label in workload.validation.labels} == set(range(10))


def test_a_frame_is_the_middle_of_its_image(root: Path) -> None:
    source = load(root).test.frames
    for place in (0, 1, 2):
        image = Image.open(Path(source.folder, source.names[place].decode())).convert("RGB")
        shorter = int(32 / 0.95)
        width, height = (max(shorter, int(side * shorter / min(image.size))) for side in image.size)
        small = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = round((width - 32) / 2), round((height - 32) / 2)
        expected = np.asarray(small.crop((left, top, left + 32, top + 32))).transpose(2, 0, 1)
        assert (source[np.array([place])][0, 0] == expected).all()
    assert (source[1:3] == source[np.array([1, 2])]).all()


def test_a_part_of_an_image_fills_the_frame(root: Path) -> None:
    source = load(root).test.frames
    assert isinstance(source, ImageSource)
    index = np.array([3, 0])
    paths = [Path(source.folder, source.names[place].decode()) for place in index]
    sizes = [Image.open(path).size for path in paths]
    assert source.aspects(index) == [width / height for width, height in sizes]
    box = np.array([0.25, 0.125, 0.75, 1.0], dtype=np.float32)
    frames = source.crops(index, np.stack([box, box]))
    for frame, path, (width, height) in zip(frames, paths, sizes, strict=True):
        part = (0.25 * width, 0.125 * height, 0.75 * width, height)
        expected = Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BICUBIC, box=part)
        # A JPEG that was decoded to half its size is not quite the same.
        assert np.abs(frame[0].transpose(1, 2, 0).astype(int) - np.asarray(expected)).mean() < 3


def test_a_tree_with_a_test_part_uses_it(tmp_path: Path) -> None:
    _tree(tmp_path / "birds", ("jay", "kite", "owl"), {"train": 4, "val": 2, "test": 3}, ".png")
    workload = load(tmp_path, "image-folder", folder="birds", classes=3)
    assert (len(workload.train), len(workload.validation), len(workload.test)) == (12, 6, 9)
    assert workload.class_names == ("jay", "kite", "owl")


def test_images_travel_to_other_processes_as_names(root: Path) -> None:
    source = load(root).train.frames
    content = pickle.dumps(source)
    assert len(content) < 10_000
    assert (pickle.loads(content)[0:4] == source[0:4]).all()


def test_it_trains_the_same_network_twice(tmp_path: Path) -> None:
    _tree(tmp_path / "birds", ("jay", "kite", "owl", "rook"), {"train": 6, "val": 2})
    workload = load(tmp_path, "image-folder", folder="birds", classes=4, timesteps=2)
    recipe = TrainingConfig(
        epochs=1, batch_size=8, crop_area=0.5, horizontal_flip=0.5, rand_augment=5, shift_pixels=0
    )
    network = NetworkConfig(width=16, depth=1, pooling="1111")
    weights = [
        train(workload, network, recipe, folder=tmp_path / name).model.state_dict() for name in ("a", "b")
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_it_can_be_filmed(tmp_path: Path) -> None:
    _tree(tmp_path / "birds", ("jay", "kite"), {"train": 4, "val": 2})
    images = load(tmp_path, "image-folder", folder="birds", classes=2)
    record_workload(images, tmp_path / "events", resolution=32, bins=4)
    events = load(tmp_path, "event-folder", folder="events", classes=2, timesteps=2, split_by="number")
    assert (len(events.train) + len(events.validation), len(events.test)) == (8, 4)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"classes": 3}, "workload.folder: is not given, image-folder needs it"),
        ({"folder": "birds"}, "workload.classes: is not given, image-folder needs it"),
        ({"folder": "birds", "classes": 3, "resolution": 16}, "workload.resolution: 16 is out of range"),
        ({"folder": "birds", "classes": 4}, "has 3 class folders, image-folder has 4 classes"),
    ],
)
def test_what_the_configuration_must_say(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    _tree(tmp_path / "birds", ("jay", "kite", "owl"), {"train": 2, "val": 1})
    with pytest.raises(InputError) as refused:
        load(tmp_path, "image-folder", **config)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no training part": (lambda tree: shutil.rmtree(tree / "train"), "no .*imagenette2.* with train in it"),
    "no part to measure with": (lambda tree: shutil.rmtree(tree / "val"), "val: there is no such folder"),
    "a class missing": (lambda tree: shutil.rmtree(tree / "train" / WNIDS[3]), "has 9 class folders"),
    "a class of the other part missing": (
        lambda tree: shutil.rmtree(tree / "val" / WNIDS[3]),
        f"val: has not the class folders of train: {WNIDS[3]} is in train alone",
    ),
    "an empty class": (
        lambda tree: [path.unlink() for path in (tree / "train" / WNIDS[2]).iterdir()],
        f"train/{WNIDS[2]}: has no image",
    ),
    "images without folders": (
        lambda tree: (
            [path.rename(tree / "val" / path.name) for path in (tree / "val").glob("*/*")]
            and [path.rmdir() for path in (tree / "val").glob("n*") if path.is_dir()]
        ),
        "val: has no class folders",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_tree_is_one_line_that_names_the_place(root: Path, fault: str) -> None:
    harm, said = FAULTS[fault]
    harm(root / "imagenette2")
    with pytest.raises(AsterError, match=said) as refused:
        load(root)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_cut, "is no image that can be read: "),
        (lambda path: path.write_bytes(b""), "is no image that can be read: cannot identify image file"),
        (lambda path: path.write_text("<html>not found</html>"), "is no image that can be read"),
    ],
)
def test_a_damaged_image_is_one_line_that_names_it(
    root: Path, harm: Callable[[Path], Any], said: str
) -> None:
    source = load(root).test.frames
    path = Path(source.folder, source.names[1].decode())
    harm(path)
    box = np.array([[0, 0, 1, 1]] * len(source), dtype=np.float32)
    for read in (lambda: source[:], lambda: source.crops(np.arange(len(source)), box)):
        with pytest.raises(InputError) as refused:
            read()
        assert str(refused.value).startswith(f"{path}: {said}")
        assert "\n" not in str(refused.value)
    path.unlink()
    with pytest.raises(NotFoundError, match="is gone"):
        source[:]
