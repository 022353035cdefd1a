"""The table of the front: what tells its rows apart is in it, and so are the rows that one looks for."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from command_line import Home

from aster_dse.cli.front_formats import as_latex, print_text
from aster_dse.export.front_table import chosen_columns, chosen_rows, differing_knobs, knee_of, marks_of
from aster_dse.export.points import Point
from aster_dse.space import METRICS, Candidate, assign

GOALS = {"accuracy": "max", "energy_uj": "min", "area_mm2": "min"}
USUAL = Candidate.model_validate({"workload": {"name": "digits-dvs"}, "network": {}, "training": {}})


def front(count: int) -> list[Point]:
    """A front, the most accurate first, of designs in which a dozen knobs differ."""
    points = []
    for place in range(count):
        knobs = {
            "policy.exit_threshold": 1.0 - 10.0 ** -(1 + place % 9),
            "policy.skip_threshold": place / 200,
            "hardware.rows": 32 << place % 4,
            "hardware.columns": 32 << place % 3,
            "hardware.adc_levels": 8 << place % 2,
            "hardware.node_nm": (22, 32, 45, 65)[place % 4],
            "training.learning_rate": 0.001 * (1 + place),
            "training.weight_decay": 0.01 * (1 + place % 5),
            "network.width": 16 * (1 + place % 2),
            "network.depth": 1 + place % 3,
        }
        metrics = dict.fromkeys(METRICS, 0.0) | {
            "accuracy": 0.9 - 0.01 * place,
            "energy_uj": 50.0 / (1 + place) ** 2,
            "area_mm2": 3.0 + (place - count / 2) ** 2,
        }
        points.append(Point("s", place, 0, metrics, 0.0, assign(USUAL, knobs), f"k{place}", 300))
    return points


def test_no_two_rows_look_alike_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    points = front(30)
    hidden = print_text(chosen_columns(points, ["accuracy", "knobs"], GOALS), choose=True)
    lines = capsys.readouterr().out.splitlines()
    assert hidden == []
    for knob in ("exit_threshold", "weight_decay", "node_nm", "depth"):
        assert any(knob in line for line in lines[:3])
    rows = [re.split(r"\s{2,}", line.strip())[2:] for line in lines[4:-1]]
    assert len({tuple(row) for row in rows}) == len(rows) == 30
    assert len({row[-1] for row in rows}) > 1


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_what_a_window_has_no_room_for_is_counted(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    columns = chosen_columns(front(9), ["accuracy", "interval", "energy_uj", "mark", "knobs"], GOALS)
    hidden = print_text(columns, choose=True)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    shown = [column.key for column in columns if column.key not in hidden]
    assert len(shown) + len(hidden) == len(columns)
    assert (columns[-1].key in hidden) == (width < 200)
    # The knob that tells most rows apart is the last one to go.
    knobs = [column.key for column in columns if column.kind == "knob"]
    assert knobs[0] not in hidden
    assert "0.99999999" in out or "policy.exit_threshold" in hidden


def test_the_knob_that_tells_most_rows_apart_comes_first() -> None:
    columns = differing_knobs(front(12))
    assert len(set(columns[0].values)) == 12
    assert {column.key for column in columns} >= {"hardware.rows", "policy.exit_threshold"}
    same = [replace(point, candidate=USUAL) for point in front(3)]
    assert differing_knobs(same) == []


def test_the_knee_and_the_extremes_are_always_among_the_rows() -> None:
    points = front(200)
    for most in (5, 24, 100):
        rows = chosen_rows(points, GOALS, most)
        assert max(b - a for a, b in itertools.pairwise([*rows, 200])) <= 200 // (most - 3) + 2
        assert len(rows) == most
        assert rows == sorted(set(rows))
        assert knee_of(points, GOALS) in rows
        for name, direction in GOALS.items():
            values = [point.metrics[name] for point in points]
            assert values.index(max(values) if direction == "max" else min(values)) in rows
    marks = marks_of(points, GOALS)
    assert marks[0] == "accuracy"
    assert "energy" in marks[-1]
    assert sum(map(bool, marks)) == 4


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_columns_and_order_are_the_readers_choice(searched: Home) -> None:
    def table(*words: str) -> list[dict[str, str]]:
        ran = searched.aster("pareto", "s", "--format", "csv", *words)
        assert ran.code == 0, ran.err
        return _rows(ran.out)

    points = searched.aster("pareto", "s", "--json").document
    whole = table()
    assert [float(row["accuracy"]) for row in whole] == [point["metrics"]["accuracy"] for point in points]
    assert float(whole[0]["accuracy_low"]) == points[0]["accuracy_interval"][0]
    assert list(table("--columns", "rows,energy_uj")[0]) == ["trial", "index", "hardware.rows", "energy_uj"]
    energies = [float(row["energy_uj"]) for row in table("--sort", "energy_uj")]
    assert energies == sorted(energies)
    assert [float(row["energy_uj"]) for row in table("--sort", "-energy_uj")] == energies[::-1]
    accuracies = [float(row["accuracy"]) for row in table("--sort", "accuracy")]
    assert accuracies == sorted(accuracies, reverse=True)
    rows = [int(row["hardware.rows"]) for row in table("--sort", "hardware.rows", "--columns", "all")]
    assert rows == sorted(rows)
    by_json = searched.aster("pareto", "s", "--json", "--sort", "energy_uj").document
    assert [point["metrics"]["energy_uj"] for point in by_json] == energies


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--columns", "rowz"], "did you mean rows?"),
        (["--columns", "seed"], "workload.seed or training.seed"),
        (["--sort", "energy"], "did you mean energy_uj?"),
        (["--sort", "interval"], "has no order"),
        (["--format", "word"], "latex"),
        (["--json", "--format", "csv"], "--json"),
    ],
)
def test_what_is_no_column_is_refused(searched: Home, words: Sequence[str], said: str) -> None:
    ran = searched.aster("pareto", "s", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.complaint


def test_markdown_and_latex_for_a_paper(searched: Home) -> None:
    plain = _rows(searched.aster("pareto", "s", "--format", "csv").out)
    lines = searched.aster("pareto", "s", "--format", "markdown").out.splitlines()
    assert len(lines) == len(plain) + 2
    assert len({line.count("|") for line in lines}) == 1
    assert "energy (uJ)" in lines[0]
    text = searched.aster("pareto", "s", "--format", "latex").out
    body = text.partition("\\midrule")[2].partition("\\bottomrule")[0].strip().splitlines()
    align = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)
    assert align is not None
    assert len(body) == len(plain)
    assert {line.count("&") for line in body} == {len(align[1]) - 1}
    assert all(line.endswith("\\\\") for line in body)
    assert "exit\\_threshold" in text
    hostile = replace(front(1)[0], study="50 % & more_")
    assert "x_y" not in as_latex(chosen_columns([hostile], ["mark"], GOALS), about="z")
