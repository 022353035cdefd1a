"""A database with a flipped bit, cut off, emptied or replaced: no figure is served that was not written."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from damages import DAMAGES

from aster_dse.errors import AsterError
from aster_dse.evaluation import METRICS, Evaluation
from aster_dse.search.protocol import NetworkResult
from aster_dse.store import RepeatRow, StudyReader, StudyStore

TRIALS, EACH = 5, 12
FLIPS = 60


def _evaluation(trial: int, index: int) -> Evaluation:
    return Evaluation(
        assignment={"policy.exit_threshold": index / 64},
        metrics={name: 1.0 + trial + index / 7 + place for place, name in enumerate(METRICS)},
        violation=0.0 if index % 2 else 0.3,
        detail={"energy_pj_by_layer": {f"layer {n}": trial + n / 3 for n in range(9)}},
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "studies.db"
    with StudyStore(f"sqlite:///{path}") as store:
        study = store.create_study(
            "s",
            space={"name": "x", "policy": {"exit_threshold": [0, 1]}},
            space_hash="a1",
            objectives={"energy_uj": "min", "accuracy": "max"},
        )
        for number in range(TRIALS):
            store.begin_trial(
                study.id,
                number,
                assignment={"network.width": 16 + number, "policy.exit_threshold": 0.5},
                candidate={"network": {"width": 16 + number}},
                training_key=f"key{number}",
            )
            scored = tuple(_evaluation(number, index) for index in range(EACH))
            training = {"accuracy": 0.75, "epochs": 2, "weights": f"{number}" * 64}
            result = NetworkResult(number, f"key{number}", False, training, scored, 1.0)
            assert store.finish_trial(study.id, result, [0, 3])
        repeat = {name: 0.5 + place for place, name in enumerate(METRICS)}
        store.keep_repeats(study.id, [RepeatRow(0, 0, 1, "other", repeat)])
        store.keep_analysis(study.id, "front", {"figures": [0.25, 0.5]}, upto=TRIALS * EACH)
    assert not path.with_name("studies.db-wal").exists()
    return path


def _figures(path: Path) -> dict[str, Any]:
    """Every figure that can be read, by each way that there is to it."""
    with StudyReader(f"sqlite:///{path}") as reader:
        study = reader.study("s").id
        frame = reader.evaluations(study)
        places = [(trial, index) for trial in range(TRIALS) for index in range(EACH)]
        read = {
            "frame": frame.drop(columns="id").to_dict("list"),
            "some": reader.evaluations(study, columns=["accuracy", "network.width"]).to_dict("list"),
            "bare": [row.evaluation for row in reader.evaluations_at(study, places)],
            "whole": [reader.evaluation(study, *place).evaluation for place in places],
            "told": reader.told_evaluations(study),
            "trials": [(t.number, t.assignment, t.candidate, t.training_key) for t in reader.trials(study)],
            "repeats": reader.repeats(study),
        }
        found = reader.analysis(study, "front")
        assert found in (None, {"figures": [0.25, 0.5]})  # made again where it is gone
        reader.summaries()
        return read


def _judge(path: Path, expected: dict[str, Any]) -> str:
    """Empty where all figures are right, else the one line that says why there are none."""
    try:
        assert _figures(path) == expected
    except AsterError as error:
        (line,) = str(error).splitlines()
        return line
    return ""


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_refused_in_one_line_or_read_right(
    whole: Path, tmp_path: Path, damage: str
) -> None:
    path = Path(shutil.copy(whole, tmp_path))
    expected = _figures(whole)
    if damage == "replaced":
        path.write_bytes(b"no database at all, but text " * 100)
    else:
        DAMAGES[damage](path)
    said = _judge(path, expected)
    assert said or damage == "flipped"


def test_no_flipped_bit_makes_another_figure(whole: Path, tmp_path: Path) -> None:
    expected = _figures(whole)
    content = whole.read_bytes()
    drawn = random.Random(0)
    path = tmp_path / "studies.db"
    refused = 0
    for _ in range(FLIPS):
        spoilt = bytearray(content)
        spoilt[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
        path.write_bytes(spoilt)
        refused += bool(_judge(path, expected))
    assert refused


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("aster_evaluations", "accuracy", 0.125),
        ("aster_evaluations", "violation", 0.0),
        ("aster_evaluations", "assignment", '{"policy.exit_threshold":0.9}'),
        ("aster_evaluations", "told_order", None),
        ("aster_trials", "assignment", '{"network.width":99,"policy.exit_threshold":0.5}'),
        ("aster_trials", "candidate", '{"network":{"width":99}}'),
        ("aster_repeats", "energy_uj", 0.125),
        ("aster_evaluation_details", "packed", b"x"),
        ("aster_evaluations", "checksum", 1),
    ],
)
def test_a_figure_that_was_changed_under_the_program_is_refused(
    whole: Path, tmp_path: Path, table: str, column: str, value: Any
) -> None:
    path = Path(shutil.copy(whole, tmp_path))
    expected = _figures(whole)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = 1", (value,))
    connection.close()
    assert "damaged" in _judge(path, expected)


def test_a_changed_answer_that_is_kept_is_worked_out_again(whole: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(whole, tmp_path))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE aster_analyses SET document = '{\"figures\":[9]}'")
    connection.close()
    with StudyReader(f"sqlite:///{path}") as reader:
        assert reader.analysis(reader.study("s").id, "front") is None


def test_a_lost_evaluation_is_noticed(whole: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(whole, tmp_path))
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM aster_evaluations WHERE rowid = 7")
    connection.close()
    with StudyReader(f"sqlite:///{path}") as reader, pytest.raises(AsterError, match="59 of 60"):
        reader.evaluations(reader.study("s").id)


def test_rows_of_an_older_version_are_read(whole: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(whole, tmp_path))
    with sqlite3.connect(path) as connection:
        for table in ("aster_evaluations", "aster_trials", "aster_repeats", "aster_analyses"):
            connection.execute(f"UPDATE {table} SET checksum = NULL")
    connection.close()
    assert _figures(path) == _figures(whole)
