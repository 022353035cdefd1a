"""How often the columns of a layer come to each sum, from what the layer reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from aster_dse.network.kernels.convolution import Events
from aster_dse.numerics.compiled import histogram_of, whole_numbers
from aster_dse.numerics.kernels.library import array_kernels
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.packed import can_pack
from aster_dse.numerics.reference import column_histogram

__all__ = ["ExactInputs", "Inputs", "histogram_of_inputs"]

Inputs = Sequence[Events] | Tensor
"""Events of each bit plane, or whole numbers ``[N, H, W, C]``."""


def histogram_of_inputs(inputs: Inputs, layer: ArrayLayer) -> Tensor:
    """``[slices, sums]``, see :func:`~aster_dse.numerics.reference.column_histogram`."""
    if isinstance(inputs, Tensor):
        return column_histogram(inputs, layer)
    kernels = array_kernels()
    if kernels is not None and can_pack(layer):
        return histogram_of(kernels, inputs, layer)
    return column_histogram(whole_numbers(inputs), layer)


class ExactInputs:
    """What the layers of a network read where read-out is exact, kept while it is small.

    Args:
        most_bytes: that are kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self.complete = False
        """Whether all of a run is kept."""
        self._left = most_bytes
        self._parts: list[tuple[int, Inputs]] = []
        self._last: Inputs | None = None

    def keep(self, number: int, inputs: Inputs) -> None:
        """Keep what a layer reads; layers that read the same follow each other."""
        if inputs is not self._last:
            self._left -= _bytes(inputs)
        self._last = inputs
        if self._left < 0:
            self._parts.clear()
        else:
            self._parts.append((number, inputs))

    def finish(self) -> None:
        """The run is over."""
        self.complete, self._last = self._left >= 0, None

    def __iter__(self) -> Iterator[tuple[int, Inputs]]:
        """Number of a layer and what it read, batch by batch."""
        return iter(self._parts)


def _bytes(inputs: Inputs) -> int:
    if isinstance(inputs, Tensor):
        return inputs.nbytes
    return sum(plane.channel.nbytes + plane.count.nbytes for plane in inputs)
