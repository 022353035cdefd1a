"""What ``aster-dse search`` and ``resume`` have in common: a run of a study, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.data import say_unverified
from aster_dse.cli.extras import need
from aster_dse.cli.interrupt import SearchInterruptedError
from aster_dse.cli.output import say
from aster_dse.commands import Places, command
from aster_dse.errors import NotFoundError

if TYPE_CHECKING:
    from aster_dse.cli.machines import Machines
    from aster_dse.hardware.sources import ModelRecord
    from aster_dse.space import SearchSpace
    from aster_dse.store import StudyRow, StudyStore
    from aster_dse.workload import KnownData

__all__ = ["Timeout", "Trials", "need_search", "run_study", "say_of_model", "with_settings"]

Trials = Annotated[
    int | None,
    typer.Option(
        min=1, max=1_000_000, help="Trials that the study shall have in all, those it has included."
    ),
]
Timeout = Annotated[
    float | None, typer.Option(min=0.0, metavar="SECONDS", help="Begin no trial after this time.")
]


def say_of_model(study: StudyRow) -> None:
    """Notes on what the figures of a study are computed with."""
    if study.model is None:
        say(
            f"note: cost model and libraries of study {study.name} are unknown, since an older version began "
            "it: its figures may be of others than those to come (resume --rescore scores all anew)"
        )
        return
    for source in study.model.sources:
        if source.path is not None and not Path(source.path).exists():
            say(f"note: {source.path} is gone; the text that is stored with the study is used")


def need_search(workers: int | None) -> None:
    """Refuse before there is a study; trainings in this process need no Ray."""
    need("a search", "search", but=("ray",) if workers == 0 else ())


def run_study(
    store: StudyStore,
    name: str,
    opened: Callable[[], StudyRow],
    space: SearchSpace,
    machines: Machines,
    timeout_s: float | None,
    storage: str,
    artifacts: Path,
    json: bool,
    *,
    data: Sequence[KnownData],
    rescored: ModelRecord | None = None,
    retry_failed: Collection[str] = (),
) -> None:
    """Search, and print what was found.

    Args:
        opened: gives the study, once the machines are there.
        data: what its data sets are.
        rescored: with what its networks are scored anew first.
        retry_failed: kinds of failure whose trials are run again.
    """
    from aster_dse.cli.outcome import conclude, judge
    from aster_dse.cli.run import run

    places = Places(storage, artifacts, machines.data)
    on_machines = machines.words()
    go_on = command(
        "resume", name, options=["--trials", space.search.trials, *on_machines], places=places
    ) + (f" ({places.note})" if places.note else "")
    with suppress(NotFoundError):
        say_unverified(store, store.study(name))
    summary, interrupted = run(
        store,
        name,
        opened,
        space,
        machines,
        artifacts=artifacts,
        timeout_s=timeout_s,
        go_on=go_on,
        data=data,
        rescored=rescored,
        retry_failed=retry_failed,
    )
    study = store.study(name)
    conclude(store, study, summary, places=places, on_machines=on_machines, json=json)
    if interrupted:
        raise SearchInterruptedError(f"interrupted after a drain; resume with: {go_on}")
    judge(store, study, summary, places)


def with_settings(space: SearchSpace, settings: Mapping[str, Any]) -> SearchSpace:
    return replace(space, search=space.search.model_copy(update=dict(settings)))
