"""Draws the front of a search with ideal arrays beside that of one with real arrays.

    python benchmarks/numerics_figure.py -o fronts.png [--artifacts FOLDER] [--checkpoint FILE ...]

Energy and accuracy of three networks of the default search together, or of given ones: what a search with
ideal arrays prints, what those very designs come to on their own arrays, and what a search with real arrays
prints, verified. Networks are trained into the folder where it lacks them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import torch
from numerics_engine import Searched
from numerics_fronts import Front, StudiedNetwork, Study
from numerics_networks import subjects
from numpy.typing import NDArray

from aster_dse.evaluation.calibration_sets import VERIFICATION
from aster_dse.evaluation.inner import search_inner
from aster_dse.export.drawing import FONT, OKABE_ITO, write_figure
from aster_dse.pareto import non_dominated_mask

Array = NDArray[np.float64]


def draw(ideal: Front, on_arrays: Front, real: Front) -> go.Figure:
    """Energy and accuracy: the designs, and the staircase of those that no other one beats in both."""
    figure = go.Figure()
    sides = (
        (ideal, "ideal arrays, as printed", OKABE_ITO[5], "circle-open"),
        (on_arrays, "the same designs on their arrays", OKABE_ITO[1], "x-thin-open"),
        (real, "real arrays, as printed (verified)", OKABE_ITO[0], "circle"),
    )
    for front, name, colour, symbol in sides:
        points = _points(front)
        figure.add_scatter(
            x=points[:, 0],
            y=points[:, 1],
            mode="markers",
            name=f"{name}: {len(points)} designs",
            marker={"color": colour, "symbol": symbol, "size": 6, "line": {"width": 1, "color": colour}},
        )
        best = points[non_dominated_mask(points * [1.0, -1.0])]
        best = best[np.argsort(best[:, 0])]
        figure.add_scatter(
            x=best[:, 0],
            y=best[:, 1],
            mode="lines",
            line={"color": colour, "shape": "hv"},
            showlegend=False,
        )
    least = 100 * real.study.least_accuracy
    figure.add_hline(y=least, line={"color": "#8a929c", "dash": "dot"}, annotation_text="the study's bound")
    figure.update_layout(
        template="plotly_white",
        font=FONT,
        width=860,
        height=520,
        margin={"l": 70, "r": 20, "t": 20, "b": 60},
        legend={"x": 0.98, "xanchor": "right", "y": 0.03, "yanchor": "bottom", "bgcolor": "#ffffffd0"},
        xaxis={"title": "energy of one inference, uJ", "type": "log"},
        yaxis={"title": "validation accuracy, %"},
    )
    return figure


def _points(front: Front) -> Array:
    """``[n, 2]`` energy in uJ and accuracy in percent."""
    found = [(e.metrics["energy_uj"], 100 * e.metrics["accuracy"]) for _, e in front.designs]
    return np.array(found).reshape(-1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("fronts.png"), help="picture or .html page")
    parser.add_argument("--artifacts", type=Path, help="folder of the networks; a temporary one without it")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="a network to take")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.artifacts or Path(scratch) / "networks"
        networks = [StudiedNetwork.of(subject) for subject in subjects(folder, options.checkpoint)]
        plain = Study.default("hardware.arrays=ideal")
        found = [search_inner(n.plain, plain.candidate, plain.question).evaluations for n in networks]
        ideal = Front.of(plain, found)
        real = Searched(Study.default("hardware.arrays=real"), networks, Path(scratch) / "passes")
        write_figure(draw(ideal, ideal.again(real.passes, VERIFICATION), real.front), options.output)
    print(f"{options.output}: {len(ideal)} designs with ideal arrays, {len(real.front)} with real ones")


if __name__ == "__main__":
    main()
