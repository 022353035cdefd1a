"""``aster-dse resume``: the command."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from aster_dse.cli.data import identified_data
from aster_dse.cli.networks import Data
from aster_dse.cli.options import (
    DEFAULT_STORAGE,
    FAILURES,
    Address,
    Artifacts,
    GpuShare,
    Json,
    RetryFailed,
    Storage,
    StudyName,
    Workers,
    artifacts_folder,
)
from aster_dse.cli.study_run import Timeout, Trials, need_search, run_study, say_of_model, with_settings
from aster_dse.errors import InputError

__all__ = ["resume"]


def resume(
    study: StudyName,
    trials: Trials = None,
    timeout: Timeout = None,
    workers: Workers = None,
    address: Address = None,
    gpus_per_worker: GpuShare = None,
    data: Data = None,
    rescore: Annotated[
        bool,
        typer.Option(
            "--rescore",
            help="First score all networks anew from their traces, with the present model and libraries.",
        ),
    ] = False,
    retry_failed: RetryFailed = None,
    artifacts: Artifacts = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Resume a study after any interruption, with the space that is in the store."""
    need_search(workers)
    from aster_dse.cli.machines import Machines, check_machines
    from aster_dse.cli.spaces import check_data
    from aster_dse.cli.written import made_folder
    from aster_dse.hardware.sources import model_record
    from aster_dse.search.space_checks import check_space
    from aster_dse.search.study import check_networks, check_same_model, keep_data
    from aster_dse.space import SearchSpace
    from aster_dse.store import StudyReader, StudyStore

    machines = Machines(workers, address, gpus_per_worker, data)
    with StudyReader(storage) as reader:  # which, unlike a store, makes no database where there is none
        reader.study(study)
    with StudyStore(storage) as store:
        row = store.study(study)
        space = SearchSpace.from_mapping(row.space, f"study {study}")
        space = with_settings(space, {} if trials is None else {"trials": trials})
        check_machines(machines, space.search.resources_per_training)
        check_data(space, data)
        found = identified_data(space, data)
        row = keep_data(store, row, found)
        folder = made_folder(artifacts_folder(storage, artifacts))
        model = model_record(space, known=row.model)
        if rescore:
            check_networks(store.scored_keys(row.id), folder)
            check_space(space, f"study {study}", data=data, known=row.model)
        else:
            check_same_model(row, model)
            say_of_model(row)
        run_study(
            store,
            study,
            partial(store.study, study),
            space,
            machines,
            timeout,
            storage,
            folder,
            json,
            data=found,
            rescored=model if rescore else None,
            retry_failed=() if retry_failed is None else _kinds_of_failure(retry_failed),
        )


def _kinds_of_failure(words: str) -> tuple[str, ...]:
    kinds = tuple(word.strip() for word in words.split(","))
    for kind in kinds:
        if kind not in FAILURES:
            raise InputError("--retry-failed", f"{kind!r} is no kind of failure", ", ".join(FAILURES))
    return kinds
