"""``aster-dse repeat``: how much of a configuration's figures was luck of the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.data import identified, say_unverified
from aster_dse.cli.interrupt import SearchInterruptedError, drained_by_signals
from aster_dse.cli.networks import Data
from aster_dse.cli.options import (
    DEFAULT_STORAGE,
    Address,
    Artifacts,
    GpuShare,
    Json,
    Select,
    Storage,
    StudyName,
    Where,
    Workers,
    artifacts_folder,
    bounds_of,
)
from aster_dse.cli.output import heading, number, print_json, print_table, say, stdout_kept_clean, table
from aster_dse.commands import Places, command
from aster_dse.errors import AsterError

if TYPE_CHECKING:
    from pathlib import Path

    from aster_dse.cli.machines import Machines
    from aster_dse.export import Point
    from aster_dse.search.protocol import NetworkFailure
    from aster_dse.space import Candidate, Constraint, WorkloadConfig
    from aster_dse.store import RepeatRow, StudyRow

__all__ = ["repeat"]

_NOTICE = "finishing the trainings that run; Ctrl-C again stops them at once"


def repeat(
    study: StudyName,
    select: Select = "knee",
    where: Where = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="Other seeds of the training, for each configuration.")
    ] = 3,
    workers: Workers = None,
    address: Address = None,
    gpus_per_worker: GpuShare = None,
    data: Data = None,
    artifacts: Artifacts = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Train the networks of configurations with other seeds, and show how much the figures vary."""
    from aster_dse.cli.machines import Machines
    from aster_dse.cli.written import made_folder
    from aster_dse.export import select as chosen
    from aster_dse.export.repeats import waiting_networks
    from aster_dse.search.study import check_same_model
    from aster_dse.space import parse_constraint
    from aster_dse.store import StudyReader

    with StudyReader(storage) as reader:  # which, unlike a store, makes no database where there is none
        row = reader.study(study)
        points = chosen(reader, row, select, where=bounds_of(where))
        networks = waiting_networks(points, seeds, reader.repeats(row.id))
        say_unverified(reader, row, [point.trial for point in points])
        if networks and row.model is not None:
            check_same_model(row, row.model.now())
    _compare_data([candidate for candidate, _ in networks], data)
    say(f"{len(points)} configurations, {seeds} other seeds: {len(networks)} networks to train")
    folder = made_folder(artifacts_folder(storage, artifacts))
    machines = Machines(workers, address, gpus_per_worker, data)
    options = ["--select", select, *(word for bound in where or () for word in ("--where", bound))]
    options += ["--seeds", str(seeds), *machines.words()]
    go_on = command("repeat", study, options=options, places=Places(storage, folder, data))
    done, failures = _train(storage, row, networks, machines, folder, go_on)
    bounds = [parse_constraint(text) for text in row.constraints]
    with StudyReader(storage) as reader:
        known = reader.repeats(row.id)
    found = [_facts(point, known, seeds, bounds) for point in points]
    if json:
        broken = [{"kind": f.kind, "reason": f.reason, "training_key": f.training_key} for f in failures]
        print_json({"study": study, "configurations": found, "failures": broken})
    else:
        _print(found, row.objectives, bool(bounds))
    if done < len(networks):
        raise SearchInterruptedError(
            f"interrupted after a drain, {done} of {len(networks)} networks done; resume with: {go_on}"
        )
    if failures and not any(entry["repeats"] for entry in found):
        raise AsterError(f"none of {len(networks)} networks could be trained: {failures[0].reason}")
    if failures:
        say(f"{len(failures)} of {len(networks)} networks failed")


def _compare_data(candidates: Sequence[Candidate], data: Path | None) -> None:
    """Before anything is trained: is the data that lies here the data of the study?

    Raises:
        DataMismatchError: it is not.
        NotFoundError: a data set, or a file of it, is missing.
    """
    for candidate in {candidate.workload: candidate for candidate in candidates}.values():
        identified(candidate, data)


def _read_by_workers(candidates: Sequence[Candidate], data: Path | None) -> list[WorkloadConfig]:
    """The workloads whose files every machine that trains has to have."""
    from aster_dse.workload import read_by_batch

    workloads = {candidate.workload for candidate in candidates if candidate.workload.data is not None}
    return [workload for workload in workloads if read_by_batch(workload, data=data)]


def _train(
    storage: str,
    study: StudyRow,
    networks: Sequence[tuple[Candidate, tuple[Point, ...]]],
    machines: Machines,
    folder: Path,
    go_on: str,
) -> tuple[int, list[NetworkFailure]]:
    """Train networks and keep what came of them; how many ended, and those that failed.

    Raises:
        SearchInterruptedError: a second interrupt stopped it at once.
    """
    from aster_dse.cli.progress import report_lines
    from aster_dse.cli.run import executor_for
    from aster_dse.export.repeats import repeat as run_again
    from aster_dse.space import SearchSpace
    from aster_dse.store import StudyStore

    resources = SearchSpace.from_mapping(study.space, f"study {study.name}").search.resources_per_training
    report = report_lines(lambda at: f"network {at.trial + 1} of {len(networks)}")
    failures: list[NetworkFailure] = []
    done = 0
    with StudyStore(storage) as store, stdout_kept_clean(), drained_by_signals(_NOTICE) as stopping:
        try:
            with executor_for(
                machines,
                resources,
                len(networks),
                data_needed=lambda: _read_by_workers([candidate for candidate, _ in networks], machines.data),
            ) as executor:
                for rows, failure in run_again(
                    study.name,
                    networks,
                    executor,
                    artifacts=folder,
                    constraints=study.constraints,
                    texts={} if study.model is None else study.model.texts,
                    on_report=report,
                    stop=stopping,
                ):
                    done += 1
                    store.keep_repeats(study.id, rows)
                    failures += [failure] if failure is not None else []
                    say(f"{done} of {len(networks)} networks: {_outcome(rows, failure)}")
        except KeyboardInterrupt:
            raise SearchInterruptedError(
                f"stopped at once; what had ended is kept, resume with: {go_on}"
            ) from None
    return done, failures


def _outcome(rows: Sequence[RepeatRow], failure: NetworkFailure | None) -> str:
    if failure is not None:
        return f"failed, {failure.reason}"
    return f"seed {rows[0].seed}, accuracy {number(rows[0].metrics['accuracy'])}"


def _facts(
    point: Point, known: Sequence[RepeatRow], seeds: int, bounds: Sequence[Constraint]
) -> dict[str, Any]:
    from aster_dse.export.repeats import spread_of

    first = point.candidate.training.seed
    rows = [
        row
        for row in known
        if (row.trial, row.index) == (point.trial, point.index) and 0 < (row.seed - first) % 2**32 <= seeds
    ]
    return {
        **point.as_dict(),
        "repeats": [
            {"seed": row.seed, "training_key": row.training_key, "metrics": row.metrics} for row in rows
        ],
        "spread": {name: spread.as_dict() for name, spread in spread_of(rows).items()},
        "feasible_repeats": sum(not any(bound.violation(row.metrics) for bound in bounds) for row in rows),
    }


def _print(found: Sequence[dict[str, Any]], objectives: Mapping[str, str], bounded: bool) -> None:
    names = [heading(name) for name in objectives]
    columns = ["trial", "index", "", *names, *(["meets the\nconstraints"] if bounded else [])]
    rows = table(columns, right=["trial", "index", *names])
    for entry in found:
        place = (str(entry["trial"]), str(entry["index"]))
        spread, count = entry["spread"], len(entry["repeats"])
        met = (["yes" if entry["feasible"] else "no"], [f"{entry['feasible_repeats']} of {count}"])
        searched = [number(entry["metrics"][name]) for name in objectives]
        rows.add_row(*place, "searched", *searched, *(met[0] if bounded else []), end_section=not spread)
        if not spread:
            continue
        means = [_mean(spread[name]) for name in objectives]
        rows.add_row(*place, f"{count} other seeds", *means, *(met[1] if bounded else []))
        ends = [
            f"{number(spread[name]['least'])} to {number(spread[name]['greatest'])}" for name in objectives
        ]
        rows.add_row(*place, "least to greatest", *ends, end_section=True)
    print_table(rows)


def _mean(spread: Mapping[str, Any]) -> str:
    deviation = spread["standard_deviation"]
    return number(spread["mean"]) + ("" if deviation is None else f" ± {number(deviation)}")
