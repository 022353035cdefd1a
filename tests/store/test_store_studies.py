"""Studies: created once, found by name, deleted with all that is theirs."""

from __future__ import annotations

from datetime import UTC

import pytest
from sqlalchemy import func, select
from store_examples import begin, create_study, evaluation, finish, result

from aster_dse.errors import ExistsError, InputError, NotFoundError
from aster_dse.store import LeaseHeldError, NotFiniteError, RepeatRow, StudyRow, StudyStore
from aster_dse.store.tables import metadata

HOSTILE = [
    "'; DROP TABLE aster_studies; --",
    '"quoted" \\ % _ ? :name %(name)s {name}',
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "../../etc/passwd",
    "Jagdschloß 東京 🧠 ñ",
    "ñ",
]


def rows(store: StudyStore) -> dict[str, int]:
    """Rows of every table that has any."""
    with store._database.reading() as connection:
        counted = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
    return {name: count for name, count in counted.items() if count}


def test_a_study_comes_back_as_it_was_created(store: StudyStore) -> None:
    created = create_study(store)
    assert store.study("digits") == store.study_with_id(created.id) == created
    assert store.studies() == [created]
    assert list(created.objectives.items()) == [("energy_uj", "min"), ("accuracy", "max")]
    assert created.constraints == ("area_mm2 <= 4", "latency_us <= 900")
    assert created.reference_point is None
    assert created.seed == 2**40
    assert created.created_at == created.updated_at
    assert created.created_at.tzinfo is UTC


def test_a_second_study_of_the_same_name_is_refused(store: StudyStore, study: StudyRow) -> None:
    with pytest.raises(ExistsError, match="'digits' already"):
        create_study(store, study.name)
    assert store.studies() == [study]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_line_of_text_is_a_name_and_stays_text(sqlite_url: str, name: str) -> None:
    with StudyStore(sqlite_url) as store:
        other = create_study(store, "other")
        study = create_study(store, name)
        assert store.study(name) == study
        finish(store, study, 0)
        store.delete_study(name)
        assert store.studies() == [other]


def test_names_are_compared_letter_by_letter(store: StudyStore) -> None:
    names = ["Digits", "digits", "digits%", "ñ", "n\u0303"]
    ids = {name: create_study(store, name).id for name in names}
    assert {name: store.study(name).id for name in names} == ids


@pytest.mark.parametrize("name", ["", " ", " digits", "two\nlines", "nul\0", "x" * 201, "\ud800"])
def test_what_is_no_line_of_text_is_refused(sqlite_url: str, name: str) -> None:
    with StudyStore(sqlite_url) as store, pytest.raises(InputError, match="name"):
        create_study(store, name)


def test_a_missing_study_is_told_with_those_that_sound_alike(store: StudyStore) -> None:
    with pytest.raises(NotFoundError, match="none yet"):
        store.study("digits")
    create_study(store, "digits-dvs")
    create_study(store, "unrelated")
    with pytest.raises(NotFoundError, match="did you mean 'digits-dvs'") as caught:
        store.study("digitsdvs")
    assert "unrelated" not in str(caught.value)
    with pytest.raises(NotFoundError):
        store.study_with_id(99)
    with pytest.raises(NotFoundError):
        store.study("digits-dv_")


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ({}, "there are none"),
        ({"speed": "max"}, "'speed' is no metric"),
        ({"accuracy": "up"}, "objectives.accuracy"),
    ],
)
def test_objectives_are_metrics_with_a_direction(
    sqlite_url: str, objectives: dict[str, str], message: str
) -> None:
    with StudyStore(sqlite_url) as store:
        with pytest.raises(InputError, match=message):
            create_study(store, objectives=objectives)
        assert store.studies() == []


def test_a_space_can_be_extended(store: StudyStore, study: StudyRow) -> None:
    extended = store.update_space(study.id, space={"search": {"more": [1]}}, space_hash="b2")
    assert extended == store.study(study.name)
    assert (extended.space, extended.space_hash) == ({"search": {"more": [1]}}, "b2")
    assert extended.updated_at > study.updated_at
    with pytest.raises(NotFoundError):
        store.update_space(99, space={}, space_hash="c3")


def test_the_reference_point_is_set_once(store: StudyStore, study: StudyRow) -> None:
    point = {"accuracy": 0.1, "energy_uj": 1e3}
    store.set_reference_point(study.id, point)
    store.set_reference_point(study.id, point)
    with pytest.raises(ExistsError, match="already"):
        store.set_reference_point(study.id, {**point, "accuracy": 0.2})
    assert store.study(study.name).reference_point == point


def test_a_reference_point_names_every_objective(store: StudyStore, study: StudyRow) -> None:
    with pytest.raises(InputError, match="energy_uj, accuracy"):
        store.set_reference_point(study.id, {"accuracy": 0.1})
    with pytest.raises(NotFiniteError):
        store.set_reference_point(study.id, {"accuracy": 0.1, "energy_uj": float("inf")})
    assert store.study(study.name).reference_point is None


def test_deleting_a_study_leaves_nothing_of_it(store: StudyStore) -> None:
    study = create_study(store)
    finish(store, study, 0)
    begin(store, study, 1)
    with store.lease(study.id) as lease:
        with pytest.raises(LeaseHeldError):
            store.delete_study(study.name)
        assert not lease.lost
    store.keep_repeats(study.id, [RepeatRow(0, 1, 7, "key0-7", evaluation(0, 1).metrics)])
    store.keep_analysis(study.id, "question", {"answer": 1}, upto=store.last_evaluation(study.id))
    assert store.delete_study(study.name) == ("key0", "key0-7", "key1")
    assert rows(store) == {}
    with pytest.raises(NotFoundError):
        store.delete_study(study.name)


def test_deleting_a_study_keeps_the_networks_that_others_use(store: StudyStore) -> None:
    one, other = create_study(store, "one"), create_study(store, "other")
    finish(store, one, 0)
    finish(store, one, 1)
    begin(store, other, 0, key="key1")
    store.finish_trial(other.id, result(0, key="key1", reused=True), ())
    before = rows(store)
    store.keep_repeats(one.id, [RepeatRow(0, 1, 7, "key1", evaluation(0, 1).metrics)])
    assert store.delete_study("one") == ("key0",)
    assert [training.key for training in store.trainings(other.id)] == ["key1"]
    assert rows(store)["aster_evaluations"] == before["aster_evaluations"] - 8
    assert len(store.training_history("key1")) == 2


def test_ids_are_never_used_again(store: StudyStore, study: StudyRow) -> None:
    finish(store, study, 0)
    last = store.summaries()[0].last_evaluation
    store.delete_study(study.name)
    again = create_study(store)
    finish(store, again, 0)
    assert again.id > study.id
    assert store.evaluations(again.id)["id"].min() > last
