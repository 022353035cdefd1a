"""Readers: live beside a driver, never in its way, and unable to write."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import delete, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from store_examples import begin, create_study, failure, finish, result

from aster_dse.errors import InputError, NotFoundError, UnreachableError
from aster_dse.evaluation import METRICS
from aster_dse.store import StudyReader, StudyRow, StudyStore, TrialState
from aster_dse.store.tables import studies


def test_a_reader_sees_what_the_store_sees(database_url: str, store: StudyStore, study: StudyRow) -> None:
    finish(store, study, 0, told=(1, 0))
    begin(store, study, 1)
    store.fail_trial(study.id, failure(1))
    begin(store, study, 2)
    with StudyReader(database_url) as reader:
        assert reader.studies() == store.studies()
        assert reader.trials(study.id) == store.trials(study.id)
        assert reader.trials(study.id, state=TrialState.FAILED)[0].failure_reason == failure(1).reason
        assert reader.attempts(study.id, 1) == store.attempts(study.id, 1)
        assert reader.counts(study.id) == store.counts(study.id)
        assert reader.evaluation(study.id, 0, 3) == store.evaluation(study.id, 0, 3)
        assert reader.training_history("key0") == store.training_history("key0")
        [summary] = reader.summaries()
        assert summary.study == reader.study("digits")
        assert (summary.counts.trials, summary.counts.told) == (3, 2)
        assert summary.last_evaluation == reader.evaluations(study.id)["id"].max()


def test_a_study_without_trials_has_a_summary(store: StudyStore, study: StudyRow) -> None:
    [summary] = store.summaries()
    assert (summary.study, summary.counts.trials, summary.last_evaluation) == (study, 0, 0)


def test_a_reader_cannot_write(database_url: str, store: StudyStore, study: StudyRow) -> None:
    with StudyReader(database_url) as reader:
        for statement in (
            delete(studies),
            text("DROP TABLE aster_trials"),
            text("CREATE TABLE t (x INTEGER)"),
        ):
            for transaction in (reader._database.writing, reader._database.reading):
                with (
                    pytest.raises((DBAPIError, UnreachableError), match=r"(?i)read-?only"),
                    transaction() as link,
                ):
                    link.execute(statement)
    assert store.studies() == [study]


def test_a_reader_sees_the_last_commit_while_a_writer_is_at_work(
    database_url: str, store: StudyStore, study: StudyRow
) -> None:
    begin(store, study, 0)
    with StudyReader(database_url) as reader:
        with store._changing(study.id) as recorder:
            recorder.finish(result(0), [0], [])
            assert reader.trial(study.id, 0).state is TrialState.RUNNING
            assert reader.evaluations(study.id).empty
        assert reader.trial(study.id, 0).state is TrialState.COMPLETE
        assert len(reader.evaluations(study.id)) == 4


def test_a_live_reader_gets_every_row_once_and_in_order(
    database_url: str, store: StudyStore, study: StudyRow
) -> None:
    done = threading.Event()
    stopped: list[BaseException] = []

    def drive() -> None:
        try:
            for number in range(40):
                finish(store, study, number, told=(number % 4,))
        except BaseException as error:
            stopped.append(error)
        finally:
            done.set()

    driver = threading.Thread(target=drive)
    seen: list[pd.DataFrame] = []
    since = 0
    with StudyReader(database_url) as reader:
        driver.start()
        last_look = False
        while not last_look:
            last_look = done.is_set()
            done.wait(0.01)
            delta = reader.evaluations(study.id, since=since)
            if len(delta):
                assert delta["id"].min() > since
                assert delta.groupby("trial").size().eq(4).all()
                since = int(delta["id"].max())
                seen.append(delta)
        driver.join()
        assert not stopped
        whole = reader.evaluations(study.id)
    pd.testing.assert_frame_equal(pd.concat(seen, ignore_index=True), whole)
    assert len(whole) == 160


def test_a_table_has_the_columns_asked_for(store: StudyStore, study: StudyRow) -> None:
    finish(store, study, 0, told=(2, 1))
    finish(store, study, 1, told=())
    frame = store.evaluations(study.id)
    knobs = ["network.width", "policy.exit_threshold"]
    assert list(frame) == ["id", "trial", "index", *METRICS, "violation", "feasible", "told", *knobs]
    assert frame["trial"].tolist() == [0] * 4 + [1] * 4
    assert frame["index"].tolist() == [0, 1, 2, 3] * 2
    assert frame["network.width"].tolist() == [16] * 4 + [24] * 4
    assert frame["policy.exit_threshold"].tolist() == [0.0, 0.125, 0.25, 0.375] * 2
    assert frame["told"].tolist() == [False, True, True, False] + [False] * 4
    assert frame["feasible"].tolist() == [True, False] * 4
    assert frame["feasible"].dtype == frame["told"].dtype == bool
    assert frame["accuracy"].dtype == "float64"

    few = store.evaluations(study.id, columns=["told_order", "energy_uj", "network.width", "training_key"])
    assert set(few) == {"id", "trial", "index", "told_order", "energy_uj", "network.width", "training_key"}
    assert few["told_order"].dropna().tolist() == [2, 1]
    assert few["training_key"].tolist() == ["key0"] * 4 + ["key1"] * 4
    assert store.evaluations(study.id, trial=1, columns=["policy.absent"])["policy.absent"].isna().all()


def test_rows_are_chosen_by_feasibility_and_trial(store: StudyStore, study: StudyRow) -> None:
    finish(store, study, 0)
    finish(store, study, 1)
    assert store.evaluations(study.id, feasible=True)["index"].tolist() == [0, 2, 0, 2]
    assert store.evaluations(study.id, feasible=False)["index"].tolist() == [1, 3, 1, 3]
    assert store.evaluations(study.id, feasible=True, trial=1)["trial"].tolist() == [1, 1]


def test_a_table_without_rows_keeps_its_columns_and_types(store: StudyStore, study: StudyRow) -> None:
    empty = store.evaluations(study.id)
    assert list(empty) == ["id", "trial", "index", *METRICS, "violation", "feasible", "told"]
    assert empty.dtypes.astype(str).to_dict() == {
        **dict.fromkeys(("id", "trial", "index"), "int64"),
        **dict.fromkeys((*METRICS, "violation"), "float64"),
        **dict.fromkeys(("feasible", "told"), "bool"),
    }


def test_an_unknown_column_is_told(store: StudyStore, study: StudyRow) -> None:
    with pytest.raises(InputError, match="did you mean accuracy"):
        store.evaluations(study.id, columns=["acuracy"])


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no such file") as caught:
        StudyReader(f"sqlite:///{tmp_path}/missing.db")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_studies_of_ours_is_told(empty_postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for url in (empty_postgres_url, f"sqlite:///{tmp_path}/empty.db"):
        with pytest.raises(NotFoundError, match="no studies of aster-dse"):
            StudyReader(url)


def test_a_folder_where_sqlite_can_create_nothing_is_told(sqlite_url: str) -> None:
    # As in a folder without write access, which would not stop a test that runs as root.
    path = make_url(sqlite_url).database
    assert path is not None
    Path(f"{path}-shm").symlink_to("absent/absent")
    with pytest.raises(UnreachableError, match="write access to the folder"):
        StudyReader(sqlite_url)


def test_a_file_with_awkward_characters_is_read(sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "a b%20#ñ;&'c"
    folder.mkdir()
    path = make_url(sqlite_url).database
    assert path is not None
    shutil.copy(path, folder / "x.db")
    url = URL.create("sqlite", database=f"{folder}/x.db").render_as_string()
    with StudyStore(url) as store:
        study = create_study(store)
        with StudyReader(url) as reader:
            assert reader.studies() == [study]
    assert {item.name.split("-")[0] for item in folder.iterdir()} == {"x.db"}


def test_a_role_that_may_only_select_is_enough(postgres_url: str) -> None:
    with StudyStore(postgres_url) as store:
        study = create_study(store)
        finish(store, study, 0)
        with store._database.writing() as connection:
            connection.execute(text("DROP ROLE IF EXISTS viewer"))
            connection.execute(text("CREATE ROLE viewer LOGIN PASSWORD 'v'"))
            connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO viewer"))
        url = make_url(postgres_url).set(username="viewer", password="v")
        with StudyReader(url.render_as_string(hide_password=False)) as reader:
            assert reader.trials(study.id) == store.trials(study.id)
            assert len(reader.evaluations(study.id)) == 4
            assert reader.summaries() == store.summaries()
        with store._database.writing() as connection:
            connection.execute(text("DROP OWNED BY viewer"))
            connection.execute(text("DROP ROLE viewer"))
