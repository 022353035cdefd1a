"""Repeating configurations with other seeds, as a user does."""

from __future__ import annotations

import json
import os
import signal

import pytest
import yaml
from command_line import Home, Ran, start


def test_a_configuration_is_repeated_once_and_shown_everywhere(continued: Home) -> None:
    command = ("repeat", "s", "--select", "best:accuracy", "--seeds", 2, "--workers", 0)
    first = continued.aster(*command, "--json")
    assert first.code == 0, first.err
    assert "2 other seeds: 2 networks to train" in first.err
    (entry,) = first.document["configurations"]
    assert [repeat["seed"] for repeat in entry["repeats"]] == [1, 2]
    assert len({repeat["training_key"] for repeat in entry["repeats"]}) == 2
    figures = [repeat["metrics"]["accuracy"] for repeat in entry["repeats"]]
    assert entry["spread"]["accuracy"]["mean"] == pytest.approx(sum(figures) / 2)
    assert entry["spread"]["area_mm2"]["standard_deviation"] == 0.0
    assert entry["metrics"]["area_mm2"] == entry["spread"]["area_mm2"]["mean"]
    assert entry["feasible_repeats"] == 2
    again = continued.aster(*command, "--json")
    assert "0 networks to train" in again.err
    assert again.document == first.document
    more = continued.aster("repeat", "s", "--select", "best:accuracy", "--seeds", 3, "--workers", 0)
    assert "1 networks to train" in more.err
    assert "3 other seeds" in more.out
    assert "3 of 3" in more.out
    shown = continued.aster("show", "s", entry["trial"], "--index", entry["index"])
    assert "accuracy with 3 other seeds: " in shown.out
    exported = continued.aster("export", "s", "--select", "best:accuracy")
    (point,) = yaml.safe_load(exported.out)["points"]
    assert [repeat["seed"] for repeat in point["repeats"]] == [1, 2, 3]
    assert point["repeats"][:2] == [
        {"seed": repeat["seed"], "metrics": repeat["metrics"]} for repeat in entry["repeats"]
    ]
    assert point["accuracy_interval"] == entry["accuracy_interval"]


def test_a_network_that_fails_is_told(continued: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise FloatingPointError("the loss is nan")

    monkeypatch.setattr("aster_dse.search.job.train", diverge)
    ran = continued.aster("repeat", "s", "--seeds", 1, "--workers", 0, "--json")
    assert ran.code == 1
    assert "none of 1 networks could be trained" in ran.complaint
    assert "the loss is nan" in ran.complaint
    (failure,) = json.loads(ran.out)["failures"]
    assert "the loss is nan" in failure["reason"]


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("nope",), 3, "there is no study 'nope'"),
        (("s", "--select", "best:speed"), 2, "there is no metric"),
        (("s", "--where", "accuracy >= 1.1"), 2, "accuracy"),
        (("s", "--seeds", 0), 2, "--seeds"),
    ],
)
def test_bad_input_is_one_line(searched: Home, words: tuple[object, ...], code: int, problem: str) -> None:
    ran = searched.aster("repeat", *words)
    assert (ran.code, ran.out) == (code, "")
    assert problem in ran.complaint


def test_an_interrupt_finishes_what_runs_and_the_same_command_goes_on(continued: Home) -> None:
    words = ("repeat", "s", "--seeds", 30, "--workers", 0, "--json")
    process = start(*words, folder=continued.folder)
    assert process.stderr is not None
    for line in process.stderr:
        if "1 of 30 networks: seed 1" in line:
            os.killpg(process.pid, signal.SIGINT)
            break
    out, rest = process.communicate(timeout=120)
    ran = Ran(process.returncode, out, rest)
    assert ran.code == 130
    assert "interrupted after a drain" in ran.complaint
    kept = len(ran.document["configurations"][0]["repeats"])
    # Two, or more where the machine was slow to deliver the signal.
    assert 1 <= kept < 30
    again = continued.aster("repeat", "s", "--seeds", kept, "--workers", 0)
    assert again.code == 0
    assert "0 networks to train" in again.err
