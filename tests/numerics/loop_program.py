"""What processing-in-memory arrays do to one layer, as slow plain loops that serve as an oracle.

Written from the definition alone: it imports nothing of the product, counts in Python integers and floats,
and uses NumPy only to round to float32 and to hand over arrays. ``loop_cells`` turns weights into cells,
``loop_ranges`` histograms into converter steps; the sums, the read-out and the digital part are here.

Indices, in this order: slice ``s``, row tile, sign (plus, minus; one entry for an offset column), bit plane
``p``, window (step, sample, row, column), output ``o``, fan-in ``i`` (channel, kernel row, kernel column).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from loop_cells import FRACTION, Cells, Conditions, Ints, Nested
from loop_ranges import Histogram, read_code


def windows_of(maps: Nested, kernel: int) -> Ints:
    """Windows [window][fan-in] of maps [step][sample][channel][row][column], stride 1, padded with zeros."""
    reach = kernel // 2
    windows = []
    for image in (image for step in maps for image in step):
        height, width = len(image[0]), len(image[0][0])
        for y in range(height):
            for x in range(width):
                places = [(y + j - reach, x + k - reach) for j in range(kernel) for k in range(kernel)]
                windows.append(
                    [
                        int(channel[j][k]) if 0 <= j < height and 0 <= k < width else 0
                        for channel in image
                        for j, k in places
                    ]
                )
    return windows


def bit_planes(windows: Ints, input_bits: int) -> list[Ints]:
    """[plane][window][fan-in] of 0 and 1, the least significant bit first."""
    return [[[(value >> p) & 1 for value in window] for window in windows] for p in range(input_bits)]


def tile_bounds(fan_in: int, rows: int) -> list[tuple[int, int]]:
    return [(start, min(start + rows, fan_in)) for start in range(0, fan_in, rows)]


def driven_rows(planes: list[Ints], rows: int) -> Nested:
    """Fan-in indices with a spike, [tile][plane][window]."""
    return [
        [[[i for i in range(start, stop) if window[i]] for window in plane] for plane in planes]
        for start, stop in tile_bounds(len(planes[0][0]), rows)
    ]


def column_sums(cells: Cells, driven: Nested) -> Nested:
    """[slice][tile][sign][plane][window][output]"""

    def reads(column: Ints, rows: list[int]) -> list[int]:
        return [sum(row[i] for i in rows) for row in column]

    return [
        [
            [[[reads(column, rows) for rows in plane] for plane in tile] for column in columns]
            for tile in driven
        ]
        for columns in cells
    ]


def histograms(sums: Nested, driven: Nested) -> list[Histogram]:
    """Of each slice: sums of every window and tile with a spike; both signs, all outputs and planes."""
    found: list[Histogram] = []
    for tiles in sums:
        histogram: Histogram = {}
        for t, signs in enumerate(tiles):
            for planes in signs:
                for p, windows in enumerate(planes):
                    for w, outputs in enumerate(windows):
                        if driven[t][p][w]:
                            for x in outputs:
                                histogram[x] = histogram.get(x, 0) + 1
        found.append(histogram)
    return found


def read_out(
    sums: Nested,
    driven: Nested,
    m: Sequence[int],
    levels: int,
    conditions: Conditions,
    noise: Nested | None = None,
) -> Nested:
    """Codes, indexed as the sums; ``noise`` holds standard normal numbers, indexed so too."""

    def code(x: int, s: int, t: int, sign: int, p: int, w: int, o: int) -> int:
        if conditions.gating and not driven[t][p][w]:
            return 0
        n = 0.0 if noise is None else noise[s][t][sign][p][w][o]
        added = round(conditions.read_noise * n * 2 ** (15 + FRACTION))
        return read_code(x, m[s], levels, conditions.fraction, added)

    return [
        [
            [
                [
                    [[code(x, s, t, c, p, w, o) for o, x in enumerate(xs)] for w, xs in enumerate(windows)]
                    for p, windows in enumerate(planes)
                ]
                for c, planes in enumerate(signs)
            ]
            for t, signs in enumerate(tiles)
        ]
        for s, tiles in enumerate(sums)
    ]


def digital_sums(codes: Nested) -> Nested:
    """``K`` [slice][window][output]: plus less minus, over the tiles, plane ``p`` weighted ``2^p``."""
    totals = []
    for tiles in codes:
        planes_of_first = tiles[0][0]
        total = [[0] * len(outputs) for outputs in planes_of_first[0]]
        for signs in tiles:
            for sign, planes in zip((1, -1), signs, strict=False):
                for p, windows in enumerate(planes):
                    for w, outputs in enumerate(windows):
                        for o, code in enumerate(outputs):
                            total[w][o] += sign * (code << p)
        totals.append(total)
    return totals


def driven_counts(planes: list[Ints]) -> list[int]:
    """Rows driven in each window, plane ``p`` weighted ``2^p``."""
    return [sum(sum(plane[w]) << p for p, plane in enumerate(planes)) for w in range(len(planes[0]))]


def outputs_of(
    totals: Nested,
    bias: list[list[np.float32]],
    factors: Sequence[float],
    counts: Sequence[int],
    offsets: Sequence[float],
) -> list[list[np.float32]]:
    """``y`` [window][output] in float32, one rounding an operation.

    Args:
        bias: [position][output]; window ``w`` has position ``w`` modulo their number.
        factors: of the slices, ``step 2^(c s) 2^15 / m``.
        offsets: what is subtracted for each driven row, after all slices, in this order.
    """
    rounded = [np.float32(factor) for factor in factors]
    lost = [np.float32(offset) for offset in offsets]
    result = []
    for w, count in enumerate(counts):
        row = []
        for o, start in enumerate(bias[w % len(bias)]):
            y = start
            for s, factor in enumerate(rounded):
                y = y + factor * np.float32(totals[s][w][o])
            for offset in lost:
                y = y - offset * np.float32(count)
            row.append(y)
        result.append(row)
    return result


def slice_factors(step: float, cell_bits: int, m: Sequence[int]) -> list[float]:
    """``step 2^(c s) 2^15 / m`` of every slice, before rounding to float32."""
    return [step * 2 ** (cell_bits * s) * 2**15 / m[s] for s in range(len(m))]


def offset_terms(step: float, weight_bits: int, cell_bits: int, conditions: Conditions) -> list[float]:
    """What an offset column adds for each driven row: the offset, and the off-current where there is one."""
    terms = [step * 2 ** (weight_bits - 1)]
    if conditions.on_off is not None:
        shifts = sum(2 ** (cell_bits * s) for s in range(-(-weight_bits // cell_bits)))
        terms.append(step * conditions.off_current_rounded(cell_bits) * shifts)
    return terms
