"""The time left counts passes, and lines say where a trial is."""

from __future__ import annotations

import re
import time

import pytest

from aster_dse.cli import progress
from aster_dse.cli.progress import report_lines, search_progress
from aster_dse.search.protocol import EpochReport, NetworkResult, PassReport
from aster_dse.search.telling import Progress
from aster_dse.space import Candidate, HardwareConfig, WorkloadConfig

REAL = Candidate(workload=WorkloadConfig(name="digits-dvs"), hardware=HardwareConfig(arrays="real"))
IDEAL = Candidate(workload=WorkloadConfig(name="digits-dvs"))


def ended(trial: int, passes_s: float) -> NetworkResult:
    training = {"accuracy": 0.9, "passes_made": 4, "passes_s": passes_s, "passes_failed": ["it is on fire"]}
    return NetworkResult(trial, "key", False, training, (), 10.0)


def how_far(done: int) -> Progress:
    return Progress(done, 0, 0, 4, 0, 0, 0, 0.0, {})


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [time.monotonic()]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    return now


def seconds_left(line: str) -> float:
    (left,) = re.findall(r"about (\d+) s left", line)
    return float(left)


@pytest.mark.parametrize(
    ("candidate", "left"), [(IDEAL, 10.0), (REAL, 10.0 * 1.3 / 0.7)], ids=["ideal", "real"]
)
def test_a_trained_network_is_not_yet_done_where_arrays_are_real(
    candidate: Candidate, left: float, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with search_progress(2, 0) as observer:
        observer.trial_started(0, candidate)
        clock[0] += 10.0
        observer.epoch(EpochReport(0, 3, 3, 0.9, 0.1))
    assert seconds_left(capsys.readouterr().err.splitlines()[-1]) == pytest.approx(left, abs=1)


def test_passes_count_by_what_they_took_of_earlier_trials(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with search_progress(4, 0) as observer:
        observer.trial_started(0, REAL)
        clock[0] += 10.0
        observer.trial_ended(ended(0, 8.0), how_far(1))
        observer.trial_started(1, REAL)
        clock[0] += 2.0
        observer.epoch(EpochReport(1, 3, 3, 0.9, 0.1))
        clock[0] += 4.0
        observer.passes(PassReport(1, 7, 12))
    lines = capsys.readouterr().err.splitlines()
    assert "4 passes made); a pass failed: it is on fire" in lines[1]
    assert "trial 1: epoch 3 of 3, accuracy 0.900" in lines[-2]
    assert seconds_left(lines[-2]) == pytest.approx(12.0 / 1.2 * 2.8, abs=1)
    assert "trial 1: pass 7 of at most 12" in lines[-1]
    assert seconds_left(lines[-1]) == pytest.approx(16.0 / 1.6 * 2.4, abs=1)


def test_whoever_only_evaluates_is_told_of_passes_too(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_lines(lambda at: f"network {at.trial + 1} of 2")
    report(PassReport(1, 3, 12))
    assert capsys.readouterr().err == "network 2 of 2: pass 3 of at most 12\n"
