"""Images of every mode, depth and orientation that Pillow opens: read rightly, or refused by name."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload import load_workload
from aster_dse.workload.dataset import ImageSource
from aster_dse.workload.image_folder import ImagesOnDisk

SIDE = 40
Colour = tuple[int, int, int]


def png(depth: int, kind: int, pixel: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of one colour, by the specification; below 8 bits, ``pixel`` is a whole row."""
    row = pixel if depth < 8 else pixel * SIDE
    header = struct.pack(">IIBBBBB", SIDE, SIDE, depth, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress((b"\0" + row) * SIDE)), (b"IEND", b"")]
    joined = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(joined)


def saved(mode: str, colour: float | tuple[int, ...], ending: str) -> bytes:
    image = Image.new(mode, (SIDE, SIDE), colour)
    if mode in ("P", "PA"):
        image.putpalette([0, 0, 0, 10, 120, 230] + [0] * 762)
    stream = io.BytesIO()
    image.save(stream, ending, **({"quality": 95} if ending == "JPEG" else {}))
    return stream.getvalue()


READ: dict[str, tuple[bytes, Colour]] = {
    "bilevel": (saved("1", 1, "PNG"), (255, 255, 255)),
    "grey of 1 bit": (png(1, 0, b"\xff" * (SIDE // 8)), (255, 255, 255)),
    "grey of 2 bits": (png(2, 0, b"\x55" * (SIDE // 4)), (85, 85, 85)),
    "grey of 4 bits": (png(4, 0, b"\x33" * (SIDE // 2)), (51, 51, 51)),
    "grey of 8 bits": (saved("L", 77, "PNG"), (77, 77, 77)),
    "grey of 16 bits, dark": (png(16, 0, struct.pack(">H", 0x1234)), (18, 18, 18)),
    "grey of 16 bits, middle": (png(16, 0, struct.pack(">H", 100 * 257)), (100, 100, 100)),
    "grey of 16 bits, white": (png(16, 0, b"\xff\xff"), (255, 255, 255)),
    "grey of 16 bits with a transparent value": (
        png(16, 0, struct.pack(">H", 0x1234), (b"tRNS", struct.pack(">H", 0x1234))),
        (18, 18, 18),
    ),
    "grey of 16 bits by Pillow": (saved("I;16", 100 * 257, "PNG"), (100, 100, 100)),
    "grey and alpha": (saved("LA", (90, 30), "PNG"), (90, 90, 90)),
    "grey and alpha of 16 bits": (png(16, 4, struct.pack(">HH", 90 * 257, 999)), (90, 90, 90)),
    "palette": (saved("P", 1, "PNG"), (10, 120, 230)),
    "palette with a transparent entry": (
        png(8, 3, b"\1", (b"PLTE", bytes([0, 0, 0, 10, 120, 230])), (b"tRNS", b"\0\7")),
        (10, 120, 230),
    ),
    "palette and alpha": (saved("PA", (1, 30), "TIFF"), (10, 120, 230)),
    "colour": (saved("RGB", (10, 120, 230), "PNG"), (10, 120, 230)),
    "colour of 16 bits": (png(16, 2, struct.pack(">HHH", 2570, 30840, 59110)), (10, 120, 230)),
    "colour and alpha": (saved("RGBA", (10, 120, 230, 30), "PNG"), (10, 120, 230)),
    "colour and alpha of 16 bits": (png(16, 6, struct.pack(">HHHH", 2570, 30840, 59110, 9)), (10, 120, 230)),
    "colour as JPEG": (saved("RGB", (10, 120, 230), "JPEG"), (10, 120, 230)),
    "grey as JPEG": (saved("L", 77, "JPEG"), (77, 77, 77)),
    "print colours as JPEG": (saved("CMYK", (245, 135, 25, 0), "JPEG"), (10, 120, 230)),
    "luma and chroma": (saved("YCbCr", (100, 128, 128), "TIFF"), (100, 100, 100)),
    "lightness and colour": (saved("LAB", (128, 128, 128), "TIFF"), (119, 119, 119)),
}
"""What a file holds, and the colour it shows."""

REFUSED: dict[str, tuple[bytes, str]] = {
    "grey of 16 bits, big-endian TIFF": (saved("I;16B", 25700, "TIFF"), "is a TIFF of mode I;16B"),
    "grey of 32 bits": (saved("I", 25700, "TIFF"), "is a TIFF of mode I,"),
    "grey of 16 bits, PPM": (saved("I", 25700, "PPM"), "is a PPM of mode I,"),
    "floating point": (saved("F", 0.4, "TIFF"), "is a TIFF of mode F"),
}


def _source(root: Path, write: Callable[[Path], object], name: str = "image-folder") -> ImagesOnDisk:
    """The test part of a data set of two classes or ten, of one image each but for training."""
    classes = ("a", "b") if name == "image-folder" else tuple("abcdefghij")
    for part, numbers in (("train", (1, 2)), ("val", (1,))):
        for kind in classes:
            for number in numbers:
                path = root / name / part / kind / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path)
    own = {"folder": name, "classes": 2} if name == "image-folder" else {"folder": name}
    config = WorkloadConfig.model_validate({"name": name, "resolution": 32, "validation_share": 0.5, **own})
    frames = load_workload(config, data=root, cache=root / "cache").test.frames
    assert isinstance(frames, ImagesOnDisk)
    return frames


def _both(source: ImageSource) -> list[NDArray[np.uint8]]:
    """As it is measured, and as it is cut for training."""
    index = np.arange(len(source))
    box = np.array([[0.1, 0.1, 0.9, 0.9]] * len(source), dtype=np.float32)
    return [source[:], source.crops(index, box)]


@pytest.mark.parametrize("kind", READ)
def test_an_image_of_any_mode_has_the_colour_that_it_shows(kind: str, tmp_path: Path) -> None:
    content, colour = READ[kind]
    source = _source(tmp_path, lambda path: path.write_bytes(content))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for frames in _both(source):
            off = frames.astype(int) - np.array(colour)[None, None, :, None, None]
            assert np.abs(off).max() <= (2 if "JPEG" in kind else 0)


@pytest.mark.parametrize("kind", REFUSED)
def test_an_image_whose_values_have_no_known_range_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    content, said = REFUSED[kind]
    source = _source(tmp_path, lambda path: path.write_bytes(content))
    path = tmp_path / "image-folder" / "val" / "a" / "1.png"
    for read in (lambda: source[:1], lambda: source.crops(np.array([0]), np.array([[0, 0, 1, 1]], "f4"))):
        with pytest.raises(InputError) as caught:
            read()
        assert str(caught.value).startswith(f"{path}: {said}")
        assert "\n" not in str(caught.value)
        assert caught.value.remedy == "8 bits a channel, or a grey PNG of 16 bits"


def _picture() -> NDArray[np.uint8]:
    """80 wide, 50 high, with a different slope in each direction."""
    across, down = np.meshgrid(np.arange(80), np.arange(50))
    return np.stack([across * 3, down * 5, (across + down) * 1], axis=-1).astype(np.uint8)


def test_16_bits_of_grey_read_as_the_8_bits_they_were_made_of(tmp_path: Path) -> None:
    grey = _picture()[..., 0]
    fine = _source(tmp_path / "16", lambda path: Image.fromarray(grey.astype("u2") * 257).save(path))
    plain = _source(tmp_path / "8", lambda path: Image.fromarray(grey).save(path))
    assert Image.open(tmp_path / "16/image-folder/val/a/1.png").mode != "L"
    for ours, theirs in zip(_both(fine), _both(plain), strict=True):
        assert (ours == theirs).all()


LYING: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda up: up,
    2: lambda up: up[:, ::-1],
    3: lambda up: up[::-1, ::-1],
    4: lambda up: up[::-1],
    5: lambda up: up.transpose(1, 0, 2),
    6: lambda up: np.rot90(up),
    7: lambda up: up[::-1, ::-1].transpose(1, 0, 2),
    8: lambda up: np.rot90(up, -1),
}
"""How an upright picture is stored under each value of EXIF's orientation."""


def _stored(lies: int, form: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = lies
        image = Image.fromarray(np.ascontiguousarray(LYING[lies](_picture())))
        image.save(path, form, exif=exif, **({"quality": 95} if form == "JPEG" else {}))

    return write


@pytest.mark.parametrize("lies", LYING)
def test_pictures_of_ones_own_are_read_upright(lies: int, tmp_path: Path) -> None:
    upright = _source(tmp_path / "1", lambda path: Image.fromarray(_picture()).save(path))
    for form, most in (("PNG", 0), ("JPEG", 8)):
        source = _source(tmp_path / form, _stored(lies, form))
        assert source.aspects(np.array([0])) == pytest.approx([1.6])
        for ours, theirs in zip(_both(source), _both(upright), strict=True):
            assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= most


def test_published_sets_are_read_as_the_published_code_reads_them(tmp_path: Path) -> None:
    lying = _source(tmp_path / "6", _stored(6, "PNG"), "imagenette")
    as_stored = np.ascontiguousarray(LYING[6](_picture()))
    plain = _source(tmp_path / "1", lambda path: Image.fromarray(as_stored).save(path), "imagenette")
    assert lying.aspects(np.array([0])) == [0.625]
    for ours, theirs in zip(_both(lying), _both(plain), strict=True):
        assert (ours == theirs).all()


def test_a_damaged_note_on_the_orientation_is_no_damaged_picture(tmp_path: Path) -> None:
    content = png(8, 2, bytes([10, 120, 230]), (b"eXIf", b"II*\0\xff\xff"))
    source = _source(tmp_path, lambda path: path.write_bytes(content))
    assert (source[:1][0, 0] == np.array([10, 120, 230])[:, None, None]).all()
