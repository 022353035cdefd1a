"""The pictures of a sweep show its numbers, beside those that ASTER published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from choreographer.browsers.chromium import Chromium

from aster_dse.errors import InputError
from aster_dse.evaluation.sweep import Row, Sweep
from aster_dse.evaluation.verdict import Verdict
from aster_dse.export.drawing import write_figure
from aster_dse.export.published_curves import published_curves, reference_for, reference_names
from aster_dse.export.sweep_figure import sweep_figure


def _sweep(*, labels: bool = True, rows: int = 3) -> Sweep:
    def cell(row: int, column: int) -> Verdict:
        accuracy = 0.9 - 0.1 * row + 0.01 * column if labels else None
        return Verdict(100, accuracy, (0.5, 0.95), 1.5 + column, (0.5, 0.5), ())

    return Sweep(
        rows=tuple(Row(n, 0.01 * n if n else None, tuple(range(n))) for n in range(rows)),
        exits=(0.5, 0.99999, 1.0),
        metric="confidence",
        cells=tuple(tuple(cell(row, column) for column in range(3)) for row in range(rows)),
    )


def test_the_maps_hold_every_cell_and_the_axes_have_names_and_units() -> None:
    figure = sweep_figure(_sweep(), title="a title")
    accuracy, steps = (trace for trace in figure.data if trace.type == "heatmap")
    assert np.asarray(accuracy.z) == pytest.approx(_sweep().accuracy * 100)
    assert np.asarray(steps.z) == pytest.approx(_sweep().mean_timesteps)
    assert list(accuracy.x) == ["0.5", "0.99999", "1"]
    assert list(accuracy.y) == ["0", "1", "2"]
    assert accuracy.texttemplate == "%{z:.1f}"
    assert accuracy.colorbar.title.text == "%"
    assert figure.layout.xaxis.title.text == "exit threshold (confidence)"
    assert figure.layout.yaxis.title.text == "skipped attention blocks"
    assert figure.layout.yaxis3.title.text == "accuracy, %"
    curves = [trace for trace in figure.data if trace.type == "scatter"]
    assert [curve.name for curve in curves] == ["0 skipped", "1 skipped", "2 skipped"]
    assert len({(curve.line.color, curve.marker.symbol) for curve in curves}) == 3


def test_more_curves_than_the_palette_has_stay_apart() -> None:
    curves = [t for t in sweep_figure(_sweep(rows=11), title="").data if t.type == "scatter"]
    assert len({(curve.line.color, curve.marker.symbol) for curve in curves}) == 11


def test_published_curves_are_laid_over() -> None:
    plain = sweep_figure(_sweep(), title="")
    laid = sweep_figure(_sweep(), title="", reference=published_curves("imagenet100"))
    assert len(laid.data) == len(plain.data) + 2
    curve = laid.data[-1]
    assert curve.name == "ASTER as published: sdt-8-512, imagenet100"
    assert (curve.x[0], curve.y[0]) == pytest.approx((4 - 2.27, 73.78))


def test_without_labels_there_are_only_steps() -> None:
    figure = sweep_figure(_sweep(labels=False), title="")
    assert [trace.type for trace in figure.data] == ["heatmap"]


def test_what_is_published() -> None:
    assert reference_names() == ("cifar10-dvs", "dvs128-gesture", "imagenet100")
    imagenet, dvs = published_curves("imagenet100"), published_curves("cifar10-dvs")
    assert imagenet.skips[5][0.1] == pytest.approx(0.4792)
    assert (dvs.timesteps, dvs.exits[-1].mean_timesteps) == (16, 8.7)
    assert dvs.classes["truck"] == (0.91, 3.2)
    assert (dvs.skips, imagenet.classes) == ({}, {})
    assert reference_for("dvs-gesture") == "dvs128-gesture"
    assert reference_for("digits-dvs") is None
    with pytest.raises(InputError, match="there are no curves 'cifar10'"):
        published_curves("cifar10")


def test_a_page_works_without_a_network(tmp_path: Path) -> None:
    write_figure(sweep_figure(_sweep(), title="a title"), tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text()
    assert "a title" in text
    assert "<script src" not in text


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.html").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_figure(sweep_figure(_sweep(), title=""), tmp_path / "x.html")


@pytest.mark.browser
def test_a_picture_is_drawn_where_there_is_a_browser(tmp_path: Path) -> None:
    if Chromium.find_browser(skip_local=False) is None:
        pytest.skip("neither Chrome nor Chromium is installed")
    write_figure(sweep_figure(_sweep(), title="a title"), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
