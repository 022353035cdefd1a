"""One image file: opened, upright where that is asked for, and as red, green and blue of 8 bits each."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from aster_dse.errors import InputError, NotFoundError

__all__ = ["is_sideways", "opened", "orientation", "rgb", "turned"]

_EIGHT_BITS = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr",
                         "HSV", "LAB"})  # fmt: skip
"""Modes of Pillow with at most 8 bits a channel, whose range is that of the format."""
_SIXTEEN_BITS = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
"""Modes in which Pillow opens a grey PNG of 16 bits."""
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By the value of EXIF's tag (JEITA CP-3451, 4.6.4)."""
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error,
           Image.DecompressionBombError)  # fmt: skip


class opened:  # noqa: N801 - a context manager, used like a function
    """An image file; what goes wrong with it becomes one line that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Image.Image:
        try:
            self.image: Image.Image | None = Image.open(self.path)
        except Exception as error:
            raise self._named(error) from None
        return self.image

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self.image is not None:
            self.image.close()
        if isinstance(error, Exception):
            raise self._named(error) from None

    def _named(self, error: Exception) -> Exception:
        if isinstance(error, FileNotFoundError):
            return NotFoundError(f"{self.path}: the file is gone since the folder was listed")
        if isinstance(error, _DepthError):
            wanted = "8 bits a channel, or a grey PNG of 16 bits"
            return InputError(str(self.path), str(error), wanted)
        if not isinstance(error, _DAMAGE):
            return error
        text = " ".join(str(error).split()).replace(f" {str(self.path)!r}", "")
        return InputError(str(self.path), f"is no image that can be read: {text}", "the original file, whole")


class _DepthError(Exception):
    """Pixels of no known range."""


def rgb(image: Image.Image) -> Image.Image:
    """The image in mode RGB; transparency is left out, as torchvision leaves it out.

    16-bit grey of a PNG is scaled to 8 bits; the other channels of 16 bits Pillow has reduced to their upper
    8. Within :class:`opened`, an image whose values have no known range is refused.
    """
    if image.mode in _SIXTEEN_BITS and image.format == "PNG":
        values = np.asarray(image).astype(np.float64) / 257
        return Image.fromarray(np.rint(values).astype(np.uint8)).convert("RGB")
    if image.mode not in _EIGHT_BITS:
        raise _DepthError(f"is a {image.format} of mode {image.mode}, whose values have no known range")
    if image.mode == "P" and "transparency" in image.info:
        return image.convert("RGBA").convert("RGB")
    if image.mode == "La":
        return image.convert("LA").convert("RGB")
    return image.convert("RGB")


def orientation(image: Image.Image) -> int:
    """How the picture lies in the file, 1 to 8; 1, upright, where the file does not say."""
    try:
        said = image.getexif().get(_ORIENTATION, 1)
    except (*_DAMAGE, KeyError, TypeError):
        return 1  # a damaged note about the picture, not a damaged picture
    return said if said in _TURNS else 1


def is_sideways(lies: int) -> bool:
    """Whether width and height are swapped at this orientation."""
    return lies >= 5


def turned(image: Image.Image, lies: int) -> Image.Image:
    """The picture upright."""
    return image if lies == 1 else image.transpose(_TURNS[lies])
