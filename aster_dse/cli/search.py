"""``aster-dse search``: which space is searched, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.data import identified_data
from aster_dse.cli.networks import Data
from aster_dse.cli.options import (
    DEFAULT_STORAGE,
    Address,
    Artifacts,
    GpuShare,
    Json,
    Storage,
    Workers,
    artifacts_folder,
)
from aster_dse.cli.output import say
from aster_dse.cli.study_run import Timeout, Trials, need_search, run_study, say_of_model, with_settings
from aster_dse.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from aster_dse.space import SearchSpace
    from aster_dse.store import StudyStore

__all__ = ["search"]


class Sampler(StrEnum):
    """What ``--sampler`` takes."""

    AUTO = "auto"
    GP = "gp"
    TPE = "tpe"
    NSGA3 = "nsga3"
    SOBOL = "sobol"
    RANDOM = "random"


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
    """Search a space: start a study, or resume it."""
    need_search(workers)
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
    chosen = with_settings(chosen, flags)
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
            chosen = with_settings(chosen, {"start": _starts(store, start_from, chosen)})
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
            say_of_model(opened())
        run_study(store, name, opened, chosen, machines, timeout, storage, folder, json, data=found)


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
    return with_settings(space, {**kept, "start": tuple(kept["start"])})
