"""Images in another size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["resized"]


def resized(images: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """``[n, C, H, W]`` of one or three channels, ``resolution`` pixels a side, antialiased."""
    if images.shape[-2:] == (resolution, resolution):
        return images
    out = np.empty((*images.shape[:2], resolution, resolution), dtype=np.uint8)
    for image, target in zip(images, out, strict=True):
        for channel, pixels in enumerate(image):
            small = Image.fromarray(pixels).resize((resolution, resolution), Image.Resampling.BICUBIC)
            target[channel] = np.asarray(small)
    return out
