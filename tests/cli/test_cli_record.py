"""record: what it prints, and that its folder is a data set."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import aster

from aster_dse.space import WorkloadConfig
from aster_dse.workload import load_workload

SMALL = ("--resolution", "16", "--bins", "2", "--limit", "20")


def test_digits_become_a_data_set_and_a_second_run_keeps_them(tmp_path: Path) -> None:
    first = aster("record", "digits", "-o", tmp_path / "mine", *SMALL, "--json").document
    assert (first["recorded"], first["kept"], first["classes"], first["duration_us"]) == (40, 0, 10, 50_000)
    config = WorkloadConfig(name="event-folder", folder="mine", classes=10, resolution=16, split_by="number")
    assert len(load_workload(config, data=tmp_path, cache=tmp_path / "cache").test) == 20
    again = aster("record", "digits", "-o", tmp_path / "mine", *SMALL)
    assert "0 recordings of 50 ms made, 40 were there" in again.out
    assert "train event-folder --set workload.folder=mine --set workload.classes=10" in again.out
    other = aster("record", "digits", "-o", tmp_path / "mine", *SMALL, "--seed", "1")
    assert (other.code, other.out) == (3, "")
    assert "other settings" in other.complaint


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["digits-dvs"], 2, "digits-dvs has no still images"),
        (["digitz"], 2, "there is no workload 'digitz'"),
        (["digits", "--set", "workload.folder=/there"], 2, "does not match"),
        (["digits", "--set", "training.epochs=3"], 2, "there is no knob training.epochs"),
        (["digits", "--resolution", "4"], 2, "--resolution"),
        (["cifar10", "--data", "nowhere"], 3, "nowhere"),
    ],
)
def test_what_cannot_be_recorded(words: list[str], code: int, complaint: str, tmp_path: Path) -> None:
    ran = aster("record", *words, "-o", tmp_path / "mine")
    assert ran.code == code
    assert complaint in ran.complaint
    assert not (tmp_path / "mine").exists()
