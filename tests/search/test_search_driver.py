"""The driver: a search on a real store, with cheap jobs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from analytic_jobs import AnalyticJobs, content, nothing, search, space

from aster_dse.errors import AsterError, InputError
from aster_dse.search.automatic import Choice
from aster_dse.search.driver import run_search
from aster_dse.search.protocol import (
    EpochReport,
    FileReport,
    NetworkFailure,
    NetworkJob,
    NetworkResult,
    Outcome,
    PassReport,
    Report,
)
from aster_dse.search.serial import SerialExecutor
from aster_dse.search.study import open_study
from aster_dse.search.telling import Progress
from aster_dse.space import Candidate
from aster_dse.store import LeaseHeldError, StudyStore
from aster_dse.store.errors import DatabaseGoneError


def failing(when: Callable[[int], bool]) -> AnalyticJobs:
    def change(job: NetworkJob, result: NetworkResult) -> Outcome:
        if when(job.trial):
            return NetworkFailure(job.trial, result.training_key, "diverged", "the loss is nan in epoch 2")
        return result

    return AnalyticJobs(change)


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.chosen: list[Choice] = []
        self.started: list[int] = []
        self.epochs: list[int] = []
        self.ended: list[tuple[Outcome, Progress]] = []

    def sampler_chosen(self, choice: Choice) -> None:
        self.chosen.append(choice)

    def trial_started(self, number: int, candidate: Candidate) -> None:
        assert candidate.workload.name == "digits"
        self.started.append(number)

    def epoch(self, report: EpochReport) -> None:
        self.epochs.append(report.trial)

    def passes(self, report: PassReport) -> None:
        raise AssertionError(f"no arrays are real here, but there is {report}")

    def file(self, report: FileReport) -> None:
        raise AssertionError(f"no file is damaged here, but there is {report}")

    def trial_ended(self, outcome: Outcome, progress: Progress) -> None:
        self.ended.append((outcome, progress))


class ShuffledExecutor(SerialExecutor):
    """Several jobs at once, the newest ends first, and every outcome is delivered twice."""

    slots = 3  # type: ignore[assignment]

    def __init__(self, jobs: AnalyticJobs) -> None:
        super().__init__(run=jobs, load=nothing)
        self.cancelled = False
        self._again: list[Outcome] = []

    def wait(self, on_report: Callable[[Report], None] | None = None) -> Outcome:
        if self._again:
            return self._again.pop()
        self._queue.rotate(1)
        outcome = super().wait(on_report)
        if self._queue:
            self._again.append(outcome)
        return outcome

    def cancel(self) -> None:
        self.cancelled = True
        super().cancel()


def test_a_search_fills_the_study_and_says_how_it_went(database_url: str) -> None:
    recorder = Recorder()
    summary = search(database_url, space(), 9, observer=recorder)
    assert (summary.study, summary.complete, summary.failed, summary.running) == ("s", 9, 0, 0)
    assert (summary.trainings, summary.trainings_reused) == (9, 0)
    assert summary.scored == 9 * 32
    assert 9 <= summary.evaluations <= 9 * 32
    assert list(summary.hypervolumes) == sorted(summary.hypervolumes)
    assert (len(summary.hypervolumes), summary.hypervolumes[-1]) == (9, summary.hypervolume)
    assert summary.sampler == "gp"
    (choice,) = recorder.chosen
    assert choice.sampler == "gp"
    assert "4 objectives, 0 networks known" in choice.reason
    assert summary.hypervolume > 0.0
    assert "9 trials" in summary.stopped
    assert recorder.started == recorder.epochs == list(range(9))
    progress = recorder.ended[-1][1]
    assert (progress.complete, progress.failed, progress.target) == (9, 0, 9)
    assert (progress.evaluations, progress.scored) == (summary.evaluations, 9 * 32)
    assert progress.hypervolume == summary.hypervolume
    assert progress.front_size > 0
    assert progress.best.keys() == space().objectives.keys()
    with StudyStore(database_url) as store:
        study = store.study("s")
        assert study.reference_point is not None
        told = [one.trial for one in store.told_evaluations(study.id)]
        assert (told, set(told)) == (sorted(told), set(range(9)))
        for trial in store.trials(study.id):
            assert space().candidate(trial.assignment).model_dump(mode="json") == trial.candidate


def test_both_databases_keep_the_same_study(sqlite_url: str, postgres_url: str) -> None:
    search(sqlite_url, space(), 9)
    search(postgres_url, space(), 9)
    assert content(sqlite_url) == content(postgres_url)


def test_a_study_with_all_its_trials_is_left_as_it_is(sqlite_url: str) -> None:
    first = search(sqlite_url, space(), 4)
    jobs = AnalyticJobs()
    again = search(sqlite_url, space(), 4, jobs=jobs)
    assert jobs.jobs == []
    assert replace(again, wall_s=first.wall_s, scored=first.scored) == first


def test_going_on_gives_what_one_run_gives(sqlite_url: str) -> None:
    for trials in (1, 4, 5, 11):
        search(sqlite_url, space(), trials, study="parts")
    search(sqlite_url, space(), 11, study="whole")
    assert content(sqlite_url, "parts") == content(sqlite_url, "whole")


def test_several_at_once_in_any_order_and_twice_delivered(sqlite_url: str) -> None:
    jobs = AnalyticJobs()
    summary = search(sqlite_url, space(), 12, executor=ShuffledExecutor(jobs))
    assert (summary.complete, summary.running, len(jobs.jobs)) == (12, 0, 12)
    with StudyStore(sqlite_url) as store:
        trials = store.trials(store.study("s").id)
    assert [trial.number for trial in trials] == list(range(12))
    assert [trial.finish_order for trial in trials] != list(range(1, 13))
    assert search(sqlite_url, space(), 14).complete == 14


def test_failures_are_recorded_and_the_search_goes_on(sqlite_url: str) -> None:
    recorder = Recorder()
    summary = search(sqlite_url, space(), 8, jobs=failing(lambda n: n % 2 == 0), observer=recorder)
    assert (summary.complete, summary.failed) == (4, 4)
    with StudyStore(sqlite_url) as store:
        trials = store.trials(store.study("s").id)
    assert {(t.failure_kind, t.failure_reason) for t in trials if t.number % 2 == 0} == {
        ("diverged", "the loss is nan in epoch 2")
    }
    assert [progress.failed for _, progress in recorder.ended] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_a_failed_study_goes_on_as_if_never_interrupted(sqlite_url: str) -> None:
    def mixed() -> AnalyticJobs:
        return failing(lambda number: number in (0, 3, 7))

    search(sqlite_url, space(), 4, jobs=mixed(), study="parts")
    search(sqlite_url, space(), 11, jobs=mixed(), study="parts")
    search(sqlite_url, space(), 11, jobs=mixed(), study="whole")
    assert content(sqlite_url, "parts") == content(sqlite_url, "whole")


def test_a_search_in_which_everything_fails_gives_up(sqlite_url: str) -> None:
    summary = search(sqlite_url, space(), 40, jobs=failing(lambda _: True))
    assert (summary.complete, summary.failed, summary.hypervolume) == (0, 5, 0.0)
    assert "the first 5 trials all failed" in summary.stopped
    assert "the loss is nan in epoch 2" in summary.stopped
    assert search(sqlite_url, space(), 40).complete == 35


def spoil(**figures: float) -> Callable[[NetworkJob, NetworkResult], Outcome]:
    def change(job: NetworkJob, result: NetworkResult) -> Outcome:
        if job.trial != 1:
            return result
        first, *rest = result.evaluations
        return replace(result, evaluations=(replace(first, metrics={**first.metrics, **figures}), *rest))

    return change


def drop_all(job: NetworkJob, result: NetworkResult) -> Outcome:
    return replace(result, evaluations=()) if job.trial == 1 else result


def answer_something_else(job: NetworkJob, result: NetworkResult) -> Outcome:
    if job.trial == 1:
        del result.evaluations[0].assignment["hardware.rows"]
    return result


def lose_a_metric(job: NetworkJob, result: NetworkResult) -> Outcome:
    if job.trial == 1:
        del result.evaluations[0].metrics["edp_uj_us"]
    return result


def nan_in_detail(job: NetworkJob, result: NetworkResult) -> Outcome:
    if job.trial == 1:
        result.evaluations[0].detail["by_layer"] = [{"energy_uj": math.nan}]
    return result


EARLY = ("search.early_stopping=3", "search.sampler=random")


def test_the_best_are_trained_on_and_the_others_stay_paused(database_url: str, tmp_path: Path) -> None:
    jobs, recorder = AnalyticJobs(), Recorder()
    summary = search(database_url, space(*EARLY), 20, jobs=jobs, artifacts=tmp_path, observer=recorder)
    assert (summary.complete + summary.paused, summary.failed, summary.running) == (20, 0, 0)
    assert 20 // 3 <= summary.complete < 18
    assert summary.stopped == "the study has its 20 trials"
    with StudyStore(database_url) as store:
        study = store.study("s")
        trials, looks, counts = store.trials(study.id), store.looks(study.id), store.counts(study.id)
    assert counts.paused == summary.paused == recorder.ended[-1][1].paused
    assert [look.trial for look in looks] == list(range(20))  # each was looked at once, in this order
    assert {look.epoch for look in looks} == {2}
    assert all(len(look.evaluations) <= 8 for look in looks)
    assert any(look.evaluations for look in looks)
    for trial in trials:
        kept = tmp_path / trial.training_key / "epoch.safetensors"
        if trial.state == "paused":
            assert (trial.paused_epoch, trial.attempts, trial.evaluations) == (2, 1, 0)
            assert kept.read_bytes() == b"2"
        else:
            assert (trial.paused_epoch, trial.attempts) == (None, 2)
            assert trial.wall_s == pytest.approx(0.02)
            assert not kept.exists()
    assert all(trial.state == "complete" for trial in trials[:6])
    # Who goes on does so from where it stood, wherever the worker's disk is.
    assert {job.files.get("epoch.safetensors") for job in jobs.jobs if job.pause_at is None} == {b"2"}
    keys = [job.candidate.training_key() for job in jobs.jobs if job.pause_at is not None]
    assert len(keys) == len(set(keys)) == 20


def test_who_was_stopped_goes_on_when_more_may(sqlite_url: str, tmp_path: Path) -> None:
    few, many = space("search.early_stopping=1000"), space("search.early_stopping=1.5")
    assert search(sqlite_url, few, 13, artifacts=tmp_path).paused == 7
    jobs = AnalyticJobs()
    summary = search(sqlite_url, many, 13, artifacts=tmp_path, jobs=jobs)
    assert 0 < summary.paused < 7
    assert {job.pause_at for job in jobs.jobs} <= {None, 3, 5, 7}
    assert all(job.trial < 13 and job.files for job in jobs.jobs)


@pytest.mark.parametrize("sampler", ["gp", "tpe", "random"])
def test_pauses_are_replayed(sqlite_url: str, tmp_path: Path, sampler: str) -> None:
    early = space(*EARLY, f"search.sampler={sampler}")
    for trials in (1, 2, 5, 9, 17):
        search(sqlite_url, early, trials, study="parts", artifacts=tmp_path / "parts")
    search(sqlite_url, early, 17, study="whole", artifacts=tmp_path / "whole")
    assert content(sqlite_url, "parts") == content(sqlite_url, "whole")


def test_several_pause_at_once_in_any_order(sqlite_url: str, tmp_path: Path) -> None:
    summary = search(
        sqlite_url, space(*EARLY), 16, executor=ShuffledExecutor(AnalyticJobs()), artifacts=tmp_path
    )
    assert (summary.complete + summary.paused, summary.running) == (16, 0)
    assert summary.paused


def test_a_search_whose_trainings_begin_well_does_not_give_up(sqlite_url: str, tmp_path: Path) -> None:
    jobs = failing(lambda number: number < 6)  # who goes on fails, and those do first
    summary = search(sqlite_url, space(*EARLY), 12, jobs=jobs, artifacts=tmp_path)
    assert (summary.failed, summary.complete + summary.paused) == (6, 6)


def test_early_stopping_can_be_turned_off_in_the_middle(sqlite_url: str, tmp_path: Path) -> None:
    search(sqlite_url, space(*EARLY), 9, artifacts=tmp_path)
    summary = search(sqlite_url, space(), 12, artifacts=tmp_path)
    assert (summary.complete, summary.paused) == (12, 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (spoil(energy_uj=math.nan), "energy_uj of evaluation 0 is nan"),
        (spoil(mean_timesteps=math.inf), "mean_timesteps of evaluation 0 is inf"),
        (lose_a_metric, "evaluation 0 has no edp_uj_us"),
        (drop_all, "there is no evaluation"),
        (answer_something_else, "evaluation 0 is not one of the searched knobs"),
        (nan_in_detail, "NaN"),
    ],
)
def test_a_result_that_is_none_fails_its_trial(
    sqlite_url: str, change: Callable[[NetworkJob, NetworkResult], Outcome], reason: str
) -> None:
    summary = search(sqlite_url, space(), 4, jobs=AnalyticJobs(change))
    assert (summary.complete, summary.failed) == (3, 1)
    with StudyStore(sqlite_url) as store:
        trial = store.trial(store.study("s").id, 1)
        assert store.evaluations(trial.study_id, trial=1).empty
    assert trial.failure_kind == "error"
    assert reason in trial.failure_reason


def test_networks_are_trained_once(sqlite_url: str) -> None:
    """Three networks in all: the search ends with them."""
    few = space("network.depth=1", "training.learning_rate=0.01")
    jobs = AnalyticJobs()
    summary = search(sqlite_url, few, 8, jobs=jobs)
    assert (summary.complete, summary.trainings, summary.trainings_reused) == (3, 3, 0)
    assert summary.stopped == "every network of the space has been tried"
    with StudyStore(sqlite_url) as store:
        table = store.evaluations(store.study("s").id)
    knobs = [parameter.path for parameter in few.parameters]
    assert not table.duplicated(subset=knobs).any()
    again = search(sqlite_url, few, 8, jobs=jobs, study="another")
    assert (again.trainings, again.trainings_reused) == (0, 3)


def test_budgets_end_a_search_and_say_so(sqlite_url: str) -> None:
    trained = search(sqlite_url, space("search.trainings=3"), 9, study="trained")
    assert (trained.complete, trained.stopped) == (3, "3 networks are trained")
    standing = search(sqlite_url, space("search.patience=2"), 60, study="patient")
    assert standing.complete < 60
    assert "has stood still for 2 networks" in standing.stopped
    volumes = standing.hypervolumes
    assert volumes[-1] <= volumes[-3] * 1.001 < volumes[-3] * 1.01
    again = search(sqlite_url, space("search.patience=2"), 60, study="patient")
    assert (again.complete, again.stopped) == (standing.complete, standing.stopped)
    executor = SerialExecutor(run=AnalyticJobs(), load=nothing, gpus=2.0)
    hours = space(f"search.gpu_hours={2 * 3.5 * 0.01 / 3600}")
    spent = search(sqlite_url, hours, 9, study="spent", executor=executor)
    assert (spent.complete, "GPU hours are used up" in spent.stopped) == (4, True)
    with pytest.raises(InputError, match=r"search\.gpu_hours"):
        search(sqlite_url, hours, 9, study="none")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_any_number_of_objectives(sqlite_url: str, count: int) -> None:
    goals = dict(list(space().objectives.items())[-count:])
    summary = search(sqlite_url, space(objectives=goals, constraints=[]), 8)
    assert summary.complete == 8
    assert summary.hypervolume > 0.0


def test_a_search_without_a_feasible_point_ends_and_says_so(sqlite_url: str) -> None:
    recorder = Recorder()
    summary = search(sqlite_url, space(constraints=["energy_uj <= 1e-9"]), 7, observer=recorder)
    assert (summary.complete, summary.hypervolume) == (7, 0.0)
    assert (recorder.ended[-1][1].front_size, recorder.ended[-1][1].best) == (0, {})


def test_stop_lets_what_runs_end_and_begins_nothing(sqlite_url: str) -> None:
    stop = threading.Event()

    def change(job: NetworkJob, result: NetworkResult) -> Outcome:
        if job.trial == 4:
            stop.set()
        return result

    summary = search(sqlite_url, space(), 20, executor=ShuffledExecutor(AnalyticJobs(change)), stop=stop)
    assert summary.stopped == "asked to stop"
    assert (summary.complete, summary.running) == (len(range(summary.complete)), 0)
    assert 5 <= summary.complete < 10


def test_a_job_that_makes_passes_ends_after_the_deadline(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, late = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now() + late[0])

    class Late(AnalyticJobs):
        """Still makes passes when the time is over."""

        def __call__(self, job: NetworkJob, **options: Any) -> Outcome:
            for number in (1, 2):
                options["on_report"](PassReport(job.trial, number, 2))
                late[0] = 10_000.0
            return super().__call__(job, **options)

    class Watching(Recorder):
        def passes(self, report: PassReport) -> None:
            made.append((report.trial, report.number))

    made: list[tuple[int, int]] = []
    summary = search(sqlite_url, space(), 4, jobs=Late(), timeout_s=5_000.0, observer=Watching())
    assert made == [(0, 1), (0, 2)]
    assert (summary.complete, summary.running) == (1, 0)
    assert summary.stopped == "the 5000 s allowed are over"


def test_a_search_without_time_begins_nothing(sqlite_url: str) -> None:
    summary = search(sqlite_url, space(), 4, timeout_s=0.0)
    assert (summary.complete, summary.running) == (0, 0)
    assert "0 s" in summary.stopped


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupt_cancels_and_loses_nothing_told(sqlite_url: str, error: type[BaseException]) -> None:
    class Interrupted(ShuffledExecutor):
        def wait(self, on_report: Callable[[Report], None] | None = None) -> Outcome:
            if len(jobs.jobs) == 4:
                raise error
            return super().wait(on_report)

    jobs = AnalyticJobs()
    executor = Interrupted(jobs)
    with pytest.raises(error):
        search(sqlite_url, space(), 12, executor=executor)
    assert executor.cancelled
    with StudyStore(sqlite_url) as store:
        study = store.study("s")
        assert store.counts(study.id).complete == 4
        assert len(store.orphans(study.id)) >= 2
        assert store.lease_holder(study.id) is None
    again = AnalyticJobs()
    summary = search(sqlite_url, space(), 12, jobs=again)
    assert (summary.complete, summary.running) == (12, 0)
    assert len(again.jobs) == 8


def test_two_drivers_on_one_study_are_one_too_many(sqlite_url: str) -> None:
    with StudyStore(sqlite_url) as store:
        study = open_study(store, space(), "s", code_version="test")
        other = store.lease(study.id, holder="the other search")
        with other, pytest.raises(LeaseHeldError, match="the other search"):
            search(sqlite_url, space(), 2)
    assert search(sqlite_url, space(), 2).complete == 2


def test_a_search_ends_when_its_database_file_is_deleted_and_goes_on_from_the_copy(
    sqlite_url: str, tmp_path: Path
) -> None:
    def delete(job: NetworkJob, result: NetworkResult) -> Outcome:
        if job.trial == 3:
            (tmp_path / "aster.db").unlink()
        return result

    executor = ShuffledExecutor(AnalyticJobs(delete))
    with pytest.raises(DatabaseGoneError, match="deleted, or replaced") as caught:
        search(sqlite_url, space(), 12, executor=executor)
    assert (caught.value.exit_code, executor.cancelled) == (5, True)
    copy = caught.value.copy
    assert copy is not None
    with StudyStore(f"sqlite:///{copy}") as store:
        study = store.study("s")
        # The outcome that was about to be stored is among them.
        assert store.trial(study.id, 3).state == "complete"
    assert search(f"sqlite:///{copy}", space(), 12).complete == 12


def test_files_that_a_worker_sends_are_kept_and_catalogued(sqlite_url: str, tmp_path: Path) -> None:
    def send(job: NetworkJob, result: NetworkResult) -> Outcome:
        return replace(result, files={"network.safetensors": b"weights %d" % job.trial})

    search(sqlite_url, space(), 2, jobs=AnalyticJobs(send), artifacts=tmp_path / "artifacts")
    with StudyStore(sqlite_url) as store:
        for trial in store.trials(store.study("s").id):
            (file,) = store.artifacts(trial.training_key)
            kept = tmp_path / "artifacts" / file.path
            assert kept.read_bytes() == b"weights %d" % trial.number
            assert {path.name for path in kept.parent.iterdir()} == {kept.name, f"{kept.name}.sha256"}


def test_a_file_name_that_leads_elsewhere_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    def send(_: NetworkJob, result: NetworkResult) -> Outcome:
        return replace(result, files={"../../outside": b""})

    with pytest.raises(AsterError, match="outside"):
        search(sqlite_url, space(), 1, jobs=AnalyticJobs(send), artifacts=tmp_path / "a" / "b")
    assert not (tmp_path / "outside").exists()


# --- the space of a study


def test_another_space_is_refused_with_the_difference(sqlite_url: str) -> None:
    search(sqlite_url, space(), 2)
    for extend in (False, True):
        with pytest.raises(InputError, match=r"network\.depth.*--study"):
            search(sqlite_url, space("network.depth.high=3"), 3, extend=extend)


def test_search_settings_may_change(sqlite_url: str) -> None:
    search(sqlite_url, space(), 2)
    summary = search(sqlite_url, space("search.inner=3", "search.sampler=random"), 4)
    assert (summary.scored, summary.sampler) == (6, "random")


def test_a_space_that_adds_is_taken_on_demand(sqlite_url: str) -> None:
    search(sqlite_url, space(), 7)
    wider: dict[str, Any] = {"network.width": "[16, 32, 64, 128]", "hardware.cell_bits": "[1, 2, null]"}
    added = space(*(f"{path}={{choices: {choices}}}" for path, choices in wider.items()))
    with pytest.raises(InputError, match=r"network\.width.*--extend"):
        search(sqlite_url, added, 12)
    assert search(sqlite_url, added, 12, extend=True).complete == 12
    with StudyStore(sqlite_url) as store:
        study = store.study("s")
        trials = store.trials(study.id)
    assert study.space_hash == added.hash
    assert "hardware.cell_bits" not in trials[0].assignment
    assert "hardware.cell_bits" in trials[-1].assignment
    with pytest.raises(InputError):
        search(sqlite_url, space(), 13)
    # Knobs that are searched by now, but were not, are read as what they were fixed at.
    assert search(sqlite_url, added, 14).complete == 14


def test_a_space_that_is_not_the_studys_is_refused(sqlite_url: str) -> None:
    with StudyStore(sqlite_url) as store:
        study = open_study(store, space(), "s", code_version="test")
        executor = SerialExecutor(run=AnalyticJobs(), load=nothing)
        with pytest.raises(InputError, match="study s"):
            run_search(store, study, space("network.width=32"), executor, artifacts=Path(), trials=1)
