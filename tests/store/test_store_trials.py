"""Trials: one transaction when asked, one when ended; the first outcome stands."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from store_examples import HISTORY, begin, create_study, evaluation, failure, finish, pause, result

from aster_dse.errors import AsterError, ExistsError, InputError, NotFoundError
from aster_dse.space import METRICS
from aster_dse.store import (
    Artifact,
    NotFiniteError,
    StudyCounts,
    StudyRow,
    StudyStore,
    TrialState,
    artifact_of,
)

NAN, INFINITY = float("nan"), float("inf")


def test_a_trial_is_on_record_before_its_work_starts(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    trial = store.trial(study.id, 0)
    assert trial.state is TrialState.RUNNING
    assert trial.assignment == {"network.width": 16, "policy.exit_threshold": 0.5}
    assert trial.candidate == {"network": {"width": 16}, "policy": {"exit_threshold": 0.5}}
    assert (trial.training_key, trial.attempts, trial.finished_at, trial.finish_order) == (
        "key0",
        1,
        None,
        None,
    )
    assert store.orphans(study.id) == [trial]
    assert store.counts(study.id) == StudyCounts(running=1)
    [attempt] = store.attempts(study.id, 0)
    assert (attempt.number, attempt.state, attempt.finished_at) == (1, TrialState.RUNNING, None)


def test_a_number_is_given_once(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    with pytest.raises(ExistsError, match="trial 0"):
        begin(store, study, 0)
    begin(store, create_study(store, "other"), 0)


def test_a_finished_trial_comes_back_whole(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    stored = result(0)
    assert store.finish_trial(study.id, stored, [2, 1])

    trial = store.trial(study.id, 0)
    assert trial.state is TrialState.COMPLETE
    assert (trial.wall_s, trial.node, trial.peak_memory_mib) == (4.5, "node-1", 300.5)
    assert (trial.evaluations, trial.feasible, trial.finish_order, trial.reused) == (4, 2, 1, False)
    assert (trial.failure_kind, trial.failure_reason) == ("", "")
    assert trial.finished_at is not None
    assert trial.finished_at >= trial.started_at
    assert store.counts(study.id) == StudyCounts(complete=1, evaluations=4, feasible=2, told=2, trainings=1)
    assert store.study_with_id(study.id).updated_at == trial.finished_at

    for index, scored in enumerate(stored.evaluations):
        row = store.evaluation(study.id, 0, index)
        assert row.evaluation == scored
        assert row.assignment == {"network.width": 16, "policy.exit_threshold": index / 8}
        assert row.told_order == {2: 1, 1: 2}.get(index)
        assert store.evaluation_with_id(row.id) == row
    with pytest.raises(NotFoundError):
        store.evaluation(study.id, 0, 4)
    with pytest.raises(NotFoundError):
        store.evaluation_with_id(99)

    [attempt] = store.attempts(study.id, 0)
    assert (attempt.state, attempt.node, attempt.executions, attempt.wall_s) == ("complete", "node-1", 2, 4.5)
    assert store.finished_keys() == {"key0"}
    [training] = store.trainings(study.id)
    assert (training.accuracy, training.epochs, training.parameters) == (0.75, 2, 12345)
    assert (training.wall_s, training.cpu_s, training.resumed_from_epoch) == (3.5, 3.25, 0)
    assert training.detail == {"device": "cpu"}
    assert store.training_history("key0") == HISTORY


def test_figures_come_back_to_the_last_bit(store: StudyStore, study: StudyRow) -> None:
    awkward = [0.1 + 0.2, 1e-300, 1.7976931348623157e308, 5e-324, -0.0, 1 / 3]
    scored = evaluation(0, 0, metrics=dict(zip(METRICS, itertools.cycle(awkward), strict=False)))
    begin(store, study, 0)
    store.finish_trial(study.id, result(0, evaluations=(scored,)), [0])
    assert store.evaluation(study.id, 0, 0).evaluation.metrics == scored.metrics
    assert store.told_evaluations(study.id)[0].metrics == scored.metrics
    assert store.evaluations(study.id).loc[0, list(METRICS)].tolist() == list(scored.metrics.values())


def test_the_sampler_is_told_again_in_the_same_order(store: StudyStore, study: StudyRow) -> None:
    for number in range(3):
        begin(store, study, number)
    for number, told in [(2, [3, 0]), (0, []), (1, [1])]:
        store.finish_trial(study.id, result(number), told)
    replay = store.told_evaluations(study.id)
    assert [(told.order, told.trial, told.index) for told in replay] == [(1, 2, 3), (2, 2, 0), (3, 1, 1)]
    assert replay[0].assignment == {"network.width": 32, "policy.exit_threshold": 3 / 8}
    assert replay[0].metrics == evaluation(2, 3).metrics
    assert replay[0].violation == 0.25
    assert [trial.finish_order for trial in store.trials(study.id)] == [2, 3, 1]


def test_a_second_outcome_is_ignored(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    begin(store, study, 1)
    assert store.finish_trial(study.id, result(0), [0])
    first = (store.trials(study.id), store.told_evaluations(study.id), store.counts(study.id))
    assert not store.finish_trial(study.id, result(0, wall_s=9.0), [1])
    assert not store.fail_trial(study.id, failure(0))
    assert (store.trials(study.id), store.told_evaluations(study.id), store.counts(study.id)) == first
    assert store.fail_trial(study.id, failure(1))
    assert not store.finish_trial(study.id, result(1), [0])
    assert store.trial(study.id, 1).state is TrialState.FAILED


def test_a_failure_keeps_its_reason(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    assert store.fail_trial(study.id, failure(0, reason="bad \0 byte and \udcff", trace="line 1\nline 2"))
    trial = store.trial(study.id, 0)
    assert (trial.state, trial.failure_kind, trial.node) == (TrialState.FAILED, "diverged", "node-2")
    assert trial.failure_reason == "bad \ufffd byte and ?"
    [attempt] = store.attempts(study.id, 0)
    assert (attempt.state, attempt.kind, attempt.trace) == (TrialState.FAILED, "diverged", "line 1\nline 2")
    assert attempt.wall_s >= 0
    assert store.counts(study.id) == StudyCounts(failed=1)
    assert store.trainings(study.id) == []


def test_an_orphan_is_tried_again(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    assert store.requeue(study.id, 0) == 2
    assert store.trial(study.id, 0).state is TrialState.RUNNING
    assert store.finish_trial(study.id, result(0), [0])
    first, second = store.attempts(study.id, 0)
    assert (first.state, first.kind) == (TrialState.LOST, "driver")
    assert first.finished_at is not None
    assert (second.number, second.state) == (2, TrialState.COMPLETE)
    assert store.orphans(study.id) == []
    with pytest.raises(AsterError, match="complete"):
        store.requeue(study.id, 0)


def test_a_failed_trial_can_be_tried_again(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    store.fail_trial(study.id, failure(0))
    assert store.requeue(study.id, 0) == 2
    trial = store.trial(study.id, 0)
    assert (trial.state, trial.failure_kind, trial.finished_at) == (TrialState.RUNNING, "", None)
    assert store.finish_trial(study.id, result(0), [])
    assert store.trial(study.id, 0).failure_reason == ""
    assert [attempt.state for attempt in store.attempts(study.id, 0)] == ["failed", "complete"]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"evaluations": (evaluation(0, 0), evaluation(0, 1, metrics={"energy_uj": NAN}))},
        {"evaluations": (evaluation(0, 0, violation=INFINITY),)},
        {"evaluations": (evaluation(0, 0, detail={"by_layer": [{"energy_pj": NAN}]}),)},
        {"training": {"accuracy": NAN}},
        {"training": {"history": [{"epoch": 1, "loss": -INFINITY}]}},
        {"wall_s": NAN},
    ],
)
def test_a_result_with_a_figure_that_is_not_finite_leaves_no_trace(
    store: StudyStore, study: StudyRow, spoilt: dict[str, object]
) -> None:
    begin(store, study, 0)
    with pytest.raises(NotFiniteError):
        store.finish_trial(study.id, result(0, **spoilt), [])
    assert store.trial(study.id, 0).state is TrialState.RUNNING
    assert store.evaluations(study.id).empty
    assert store.finished_keys() == frozenset()
    assert store.finish_trial(study.id, result(0), [])


def test_a_result_must_fit_its_trial(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    with pytest.raises(AsterError, match="network other"):
        store.finish_trial(study.id, result(0, key="other"), [])
    with pytest.raises(AsterError, match="every metric"):
        store.finish_trial(study.id, result(0, evaluations=(replace(evaluation(0, 0), metrics={}),)), [])
    for told in ([0, 0], [4], [-1]):
        with pytest.raises(ValueError, match="distinct indices"):
            store.finish_trial(study.id, result(0), told)
    with pytest.raises(NotFoundError):
        store.finish_trial(study.id, result(7), [])
    with pytest.raises(NotFoundError):
        store.fail_trial(study.id, failure(7))
    with pytest.raises(NotFoundError):
        store.requeue(study.id, 7)
    with pytest.raises(NotFoundError):
        begin(store, replace(study, id=99), 0)
    assert store.trial(study.id, 0).state is TrialState.RUNNING


def test_trials_share_the_network_they_train_to(store: StudyStore, study: StudyRow) -> None:
    for number in range(3):
        begin(store, study, number, key="same")
    store.finish_trial(study.id, result(0, key="same"), [])
    found = {**result(1).training, "accuracy": 0.5, "history": []}
    store.finish_trial(study.id, result(1, key="same", reused=True, training=found), [])
    assert [training.accuracy for training in store.trainings(study.id)] == [0.75]
    assert store.training_history("same") == HISTORY
    assert store.counts(study.id).trainings == store.counts(study.id).reused == 1

    again = {**result(2).training, "accuracy": 0.875, "history": HISTORY[:1]}
    store.finish_trial(study.id, result(2, key="same", training=again), [])
    assert [training.accuracy for training in store.trainings(study.id)] == [0.875]
    assert store.training_history("same") == HISTORY[:1]


def test_artifacts_are_catalogued(store: StudyStore, study: StudyRow, tmp_path: Path) -> None:
    (tmp_path / "key0").mkdir()
    (tmp_path / "key0" / "trace.npz").write_bytes(b"spikes")
    seen = artifact_of(tmp_path, "key0", tmp_path / "key0" / "trace.npz")
    begin(store, study, 0)
    sent = result(0, files={"model.safetensors": b"weights"})
    assert store.finish_trial(study.id, sent, [], artifacts=[seen])
    model, trace = store.artifacts("key0")
    assert (model.kind, model.path, model.bytes) == ("checkpoint", "key0/model.safetensors", 7)
    assert (trace.kind, trace.path, trace.bytes) == ("trace", "key0/trace.npz", 6)
    assert replace(trace, id=0) == seen
    assert store.artifact(model.id) == model
    with pytest.raises(NotFoundError):
        store.artifact(99)


@pytest.mark.parametrize("path", ["/etc/passwd", "../up.npz", "key0/../../up.npz", "", "a\\..\\b"])
def test_an_artifact_stays_in_its_folder(sqlite_url: str, path: str) -> None:
    with StudyStore(sqlite_url) as store:
        study = create_study(store)
        begin(store, study, 0)
        with pytest.raises(InputError, match="leaves the artifacts folder"):
            store.finish_trial(
                study.id, result(0), [], artifacts=[Artifact("key0", "trace", path, "0" * 64, 1)]
            )
        assert store.orphans(study.id)


def test_a_result_without_evaluations_is_still_a_result(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    assert store.finish_trial(study.id, result(0, evaluations=()), [])
    assert store.counts(study.id) == StudyCounts(complete=1, trainings=1)


def test_numpy_values_are_stored_as_plain_ones(store: StudyStore, study: StudyRow) -> None:
    np = pytest.importorskip("numpy")
    store.begin_trial(
        study.id, 0, assignment={"network.width": np.int64(16)}, candidate={}, training_key="key0"
    )
    scored = evaluation(0, 0, metrics={"accuracy": np.float32(0.5)}, detail={"histogram": np.arange(3)})
    store.finish_trial(study.id, result(0, evaluations=(scored,)), [0])
    row = store.evaluation(study.id, 0, 0)
    assert row.evaluation.detail == {"histogram": [0, 1, 2]}
    assert row.assignment["network.width"] == 16
    assert row.evaluation.metrics["accuracy"] == 0.5


def test_finished_trials_of_other_studies_stay_out(store: StudyStore, study: StudyRow) -> None:
    other = create_study(store, "other")
    finish(store, study, 0, told=(0, 1))
    finish(store, other, 0, told=(2,))
    assert [told.index for told in store.told_evaluations(other.id)] == [2]
    assert [told.order for told in store.told_evaluations(other.id)] == [1]
    assert store.counts(other.id).told == 1
    assert len(store.evaluations(other.id)) == 4


def test_a_pause_keeps_what_was_seen_and_goes_on(store: StudyStore, study: StudyRow) -> None:
    for number in range(3):
        begin(store, study, number)
    assert store.pause_trial(study.id, pause(1, 2))
    assert store.pause_trial(study.id, pause(0, 2))
    trial = store.trial(study.id, 1)
    assert (trial.state, trial.paused_epoch, trial.wall_s) == (TrialState.PAUSED, 2, 1.5)
    assert [t.number for t in store.trials(study.id, state=TrialState.PAUSED)] == [0, 1]
    assert [t.number for t in store.orphans(study.id)] == [2]
    counts = store.counts(study.id)
    assert (counts.running, counts.paused, counts.complete, counts.trials) == (1, 2, 0, 3)
    looks = store.looks(study.id)
    assert [(look.trial, look.epoch, look.accuracy) for look in looks] == [(1, 2, 0.5), (0, 2, 0.5)]
    assert [e.metrics for e in looks[0].evaluations] == [evaluation(1, i).metrics for i in range(2)]
    assert [e.assignment for e in looks[0].evaluations] == [evaluation(1, i).assignment for i in range(2)]

    assert store.continue_trial(study.id, 1) == 2
    assert store.trial(study.id, 1).state is TrialState.RUNNING
    assert store.finish_trial(study.id, result(1), [0])
    trial = store.trial(study.id, 1)
    assert (trial.state, trial.paused_epoch, trial.wall_s, trial.attempts) == ("complete", None, 6.0, 2)
    assert [attempt.state for attempt in store.attempts(study.id, 1)] == ["complete", "complete"]
    assert len(store.looks(study.id)) == 2


def test_a_paused_trial_ends_only_after_it_went_on(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    with pytest.raises(AsterError, match="not paused"):
        store.continue_trial(study.id, 0)
    store.pause_trial(study.id, pause(0, 2))
    assert not store.pause_trial(study.id, pause(0, 3))
    assert not store.finish_trial(study.id, result(0), [])
    assert not store.fail_trial(study.id, failure(0))
    with pytest.raises(AsterError, match="paused"):
        store.requeue(study.id, 0)
    assert store.trial(study.id, 0).state is TrialState.PAUSED


def test_a_look_that_is_not_finite_leaves_no_trace(store: StudyStore, study: StudyRow) -> None:
    begin(store, study, 0)
    with pytest.raises(NotFiniteError):
        store.pause_trial(study.id, pause(0, 2, evaluations=(evaluation(0, 0, metrics={"energy_uj": NAN}),)))
    assert store.looks(study.id) == []
    assert store.trial(study.id, 0).state is TrialState.RUNNING
