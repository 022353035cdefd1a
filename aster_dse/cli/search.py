"""``aster-dse search`` and ``resume``: which space is searched, with what, and whether a study goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.data import identified_data, say_unverified
from aster_dse.cli.extras import need
from aster_dse.cli.interrupt import SearchInterruptedError
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
from aster_dse.cli.output import say
from aster_dse.commands import Places, command
from aster_dse.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from aster_dse.cli.machines import Machines
    from aster_dse.hardware.sources import ModelRecord
    from aster_dse.space import SearchSpace
    from aster_dse.store import StudyRow, StudyStore
    from aster_dse.workload import KnownData

__all__ = ["resume", "search"]


class Sampler(StrEnum):
    """What ``--sampler`` takes."""

    AUTO = "auto"
    GP = "gp"
    TPE = "tpe"
    NSGA3 = "nsga3"
    SOBOL = "sobol"
    RANDOM = "random"


Trials = Annotated[
    int | None,
    typer.Option(
        min=1, max=1_000_000, help="Trials that the study shall have in all, those it has included."
    ),
]
Timeout = Annotated[
    float | None, typer.Option(min=0.0, metavar="SECONDS", help="Begin no trial after this time.")
]


def search(
    space: Annotated[
        str, typer.Argument(metavar="SPACE", help="A space file, or the name of one that ships.")
    ],
    study: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the study; by default the space's.")
    ] = None,
    trials: Trials = None,
    timeout: Timeout = None,
    workers: Workers = None,
    address: Address = None,
    gpus_per_worker: GpuShare = None,
    sampler: Annotated[Sampler | None, typer.Option(help="What proposes networks.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of the search.")] = None,
    inner: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000_000,
            help="Pairs of a policy and an accelerator scored on every trained network at most.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Change one entry of the space for this run, as in network.width=32; repeatable.",
        ),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY|FILE",
            help="Begin with the networks (alone) on the front of another study, or of an exported file.",
        ),
    ] = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Take a changed space that only adds to the study's.")
    ] = False,
    data: Data = None,
    artifacts: Artifacts = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Search a space: start a study, or go on with it."""
    _need(workers)
    from aster_dse import __version__
    from aster_dse.cli.machines import Machines, check_machines
    from aster_dse.cli.spaces import check_data
    from aster_dse.cli.written import made_folder
    from aster_dse.search.space_checks import check_space
    from aster_dse.search.study import open_study
    from aster_dse.space import load_space
    from aster_dse.store import StudyStore, require_place

    machines = Machines(workers, address, gpus_per_worker, data)
    chosen = load_space(space).override(*(set_ or ()))
    flags = {
        "sampler": None if sampler is None else sampler.value,
        "trials": trials,
        "inner": inner,
        "seed": seed,
    }
    flags = {name: value for name, value in flags.items() if value is not None}
    asked = {name: f"--{name}" for name in flags}
    asked |= {
        name: f"--set search.{name}"
        for name in ("sampler", "inner", "seed", "start")
        if any(setting.partition("=")[0].strip() == f"search.{name}" for setting in set_ or ())
    }
    chosen = _with_settings(chosen, flags)
    name = study if study is not None else chosen.name
    checked = check_space(chosen, space, data=data)
    for note in checked.notes:
        say(f"note: {note}")
    check_machines(machines, chosen.search.resources_per_training)
    check_data(chosen, data)
    require_place(storage)
    found = identified_data(chosen, data)
    folder = made_folder(artifacts_folder(storage, artifacts))
    with StudyStore(storage) as store:
        chosen = _as_begun(store, name, chosen, asked, start_from)
        if start_from is not None:
            chosen = _with_settings(chosen, {"start": _starts(store, start_from, chosen)})
        opened = partial(
            open_study,
            store,
            chosen,
            name,
            extend=extend,
            code_version=__version__,
            data=found,
            checked=checked,
        )
        with suppress(NotFoundError):
            # One that is refused is refused before any machine is asked for.
            store.study(name)
            _say_of_model(opened())
        _search(store, name, opened, chosen, machines, timeout, storage, folder, json, data=found)


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
    """Go on with a study after anything, with the space that is in the store."""
    _need(workers)
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
        space = _with_settings(space, {} if trials is None else {"trials": trials})
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
            _say_of_model(row)
        _search(
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


def _say_of_model(study: StudyRow) -> None:
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


def _need(workers: int | None) -> None:
    """Refuse before there is a study; trainings in this process need no Ray."""
    need("a search", "search", but=("ray",) if workers == 0 else ())


def _search(
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
        raise SearchInterruptedError(f"interrupted after a drain; go on with: {go_on}")
    judge(store, study, summary, places)


def _kinds_of_failure(words: str) -> tuple[str, ...]:
    kinds = tuple(word.strip() for word in words.split(","))
    for kind in kinds:
        if kind not in FAILURES:
            raise InputError("--retry-failed", f"{kind!r} is no kind of failure", ", ".join(FAILURES))
    return kinds


def _with_settings(space: SearchSpace, settings: Mapping[str, Any]) -> SearchSpace:
    return replace(space, search=space.search.model_copy(update=dict(settings)))


def _starts(store: StudyStore, source: str, space: SearchSpace) -> tuple[dict[str, Any], ...]:
    """The networks of a study's front, or of an exported file, that lie in the space."""
    from aster_dse.export import load_document, study_front
    from aster_dse.export.starts import starts_of

    path = Path(source)
    if path.suffix in (".yaml", ".yml", ".json") or path.is_file():
        candidates = [point.configuration for point in load_document(path).points]
    else:
        candidates = [point.candidate for point in study_front(store, store.study(source))]
    starts, outside = starts_of(candidates, space)
    if not starts:
        raise InputError("--start-from", f"no network of {source} lies in the space", "widen it, or drop it")
    elsewhere = f", {outside} lie elsewhere" if outside else ""
    say(f"begins with {len(starts)} networks of {source}{elsewhere}; policies and accelerators are not taken")
    return tuple(starts)


def _as_begun(
    store: StudyStore, name: str, space: SearchSpace, asked: Mapping[str, str], start_from: str | None
) -> SearchSpace:
    """The space with sampler, seed and inner points as the study began with, where it exists.

    Raises:
        InputError: the command line asks for others.
    """
    try:
        begun = store.study(name).space["search"]
    except NotFoundError:
        return space
    if start_from is not None:
        raise InputError(
            "--start-from", f"study {name!r} has begun", "leave it out, or begin another with --study"
        )
    kept = {key: begun[key] for key in ("sampler", "inner", "seed")} | {"start": begun.get("start", [])}
    wanted = space.search.model_dump(mode="json")
    for key, value in kept.items():
        if key in asked and wanted[key] != value:
            raise InputError(
                asked[key],
                f"{wanted[key]}, but study {name!r} began with {value}",
                "leave it out, or begin another study with --study",
            )
    return _with_settings(space, {**kept, "start": tuple(kept["start"])})
