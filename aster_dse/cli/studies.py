"""``aster-dse studies``, ``status`` and ``delete``: how far the studies are."""

from __future__ import annotations

import itertools
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.options import (
    DEFAULT_STORAGE,
    Artifacts,
    Json,
    Storage,
    StudyName,
    artifacts_folder,
)
from aster_dse.cli.output import (
    console,
    duration,
    files_in_words,
    iso,
    number,
    print_json,
    print_table,
    table,
)

if TYPE_CHECKING:
    from aster_dse.hardware.sources import ModelRecord
    from aster_dse.store import StudyCounts, StudyReader, StudyRow, TrialRow

__all__ = ["delete", "status", "studies"]

WATCH_S = 2.0
_RECENT = 20
"""Trials from which the present rate is taken."""


def studies(storage: Storage = DEFAULT_STORAGE, json: Json = False) -> None:
    """List the studies in the database."""
    from aster_dse.store import StudyReader

    with StudyReader(storage) as reader:
        found = [
            {
                **_identity(summary.study),
                **_progress(summary.counts),
                "driver": _driver(reader, summary.study),
            }
            for summary in reader.summaries()
        ]
    if json:
        print_json(found)
        return
    rows = table(
        ["study", "trials", "running", "failed", "configurations", "feasible", "objectives", "changed"],
        right=["trials", "running", "failed", "configurations", "feasible"],
    )
    for study in found:
        counts = study["trials"]
        rows.add_row(
            study["study"],
            number(counts["complete"]),
            number(counts["running"]),
            number(counts["failed"]),
            number(study["evaluations"]),
            number(study["feasible"]),
            ", ".join(study["objectives"]),
            study["updated"],
        )
    print_table(rows)


def status(
    study: StudyName,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Show how far a study is: counts, best values, rate, time left, failures with their reasons."""
    from aster_dse.store import StudyReader

    if watch and json:
        raise typer.BadParameter(
            "one document cannot be watched; drop --json or --watch", param_hint="--watch"
        )
    with StudyReader(storage) as reader:
        row = reader.study(study)
        facts = _status(reader, row)
        if json:
            print_json(facts)
            return
        _print_status(facts)
        while watch and facts["driver"] is not None:
            time.sleep(WATCH_S)
            facts = _status(reader, row)
            if sys.stdout.isatty():
                console().clear()
            _print_status(facts)


def delete(
    study: StudyName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    artifacts: Artifacts = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Delete a study from the database; the files of its networks stay in the artifacts folder."""
    from aster_dse.store import StudyReader, StudyStore
    from aster_dse.store.network_files import files_of_networks

    with StudyReader(storage) as reader:
        counts = reader.counts(reader.study(study).id)
    if not yes:
        question = (
            f"Delete study {study!r} with {counts.trials} trials and {counts.evaluations} configurations?"
        )
        typer.confirm(question, abort=True, err=True)
    with StudyStore(storage) as store:
        keys = store.delete_study(study)
    folder = artifacts_folder(storage, artifacts)
    files = files_of_networks(folder, keys)
    if json:
        unused = {kind: asdict(count) for kind, count in files.items()}
        print_json(
            {
                "study": study,
                "deleted": True,
                "trials": counts.trials,
                "unused_networks": list(keys),
                "unused_files": unused,
            }
        )
    else:
        left = f": {files_in_words(files)} left in {folder}" if files else ""
        print(f"deleted {study}; no study uses {len(keys)} of its networks any more{left}")


def _identity(study: StudyRow) -> dict[str, Any]:
    from aster_dse.store.shown import arrays_of_study

    return {
        "study": study.name,
        "space": study.space["name"],
        "space_hash": study.space_hash,
        "objectives": dict(study.objectives),
        "constraints": list(study.constraints),
        "arrays": arrays_of_study(study),
        "seed": study.seed,
        "sampler": study.sampler,
        "model": "unknown" if study.model is None else _model(study.model),
        "created": iso(study.created_at),
        "updated": iso(study.updated_at),
    }


def _model(record: ModelRecord) -> dict[str, Any]:
    from aster_dse.export.model import Model

    return Model.of(record).model_dump(
        exclude={"presets": {"__all__": {"text"}}, "libraries": {"__all__": {"text"}}}
    )


def _progress(counts: StudyCounts) -> dict[str, Any]:
    return {
        "trials": {
            "complete": counts.complete,
            "failed": counts.failed,
            "paused": counts.paused,
            "running": counts.running,
        },
        "trainings": counts.trainings,
        "trainings_reused": counts.reused,
        "evaluations": counts.evaluations,
        "feasible": counts.feasible,
    }


def _driver(reader: StudyReader, study: StudyRow) -> dict[str, Any] | None:
    holder = reader.lease_holder(study.id)
    if holder is None:
        return None
    return {**asdict(holder), "since": iso(holder.since), "expires_at": iso(holder.expires_at)}


def _status(reader: StudyReader, study: StudyRow) -> dict[str, Any]:
    from aster_dse.cli.figures import front_figures
    from aster_dse.store.going_on import resume_command
    from aster_dse.store.shown import accuracy_is, unverified_trials

    trials = reader.trials(study.id)
    counts = reader.counts(study.id)
    driver = _driver(reader, study)
    target = max(int(study.space["search"]["trials"]), counts.trials)
    pace = _seconds_per_trial(trials)
    left = target - counts.complete - counts.failed - counts.paused
    return {
        **_identity(study),
        "driver": driver,
        **_progress(counts),
        "target": target,
        **front_figures(reader, study),
        **_passes(trials),
        "accuracy_is": accuracy_is(study),
        "data": None if study.data is None else [dict(entry) for entry in study.data],
        "data_unverified": unverified_trials(trials),
        "trials_per_hour": None if pace is None else 3600.0 / pace,
        "time_left_s": left * pace if pace is not None and driver is not None else None,
        "failures": [
            {
                "trial": trial.number,
                "kind": trial.failure_kind,
                "reason": trial.failure_reason,
                "attempts": trial.attempts,
            }
            for trial in trials
            if trial.state == "failed"
        ],
        "resume": resume_command(study, counts, reader.places),
        "storage": reader.url,
    }


def _data_in_words(facts: dict[str, Any]) -> str:
    """The data sets in folders; empty where all are made."""
    found = {
        f"{entry['workload']['folder'] or entry['workload']['name']} {entry['sha256'][:12]} "
        f"({number(entry['files'])} files, {number(entry['bytes'])} bytes)": None
        for entry in facts["data"] or ()
    }
    return ", ".join(found)


def _passes(trials: list[TrialRow]) -> dict[str, Any]:
    """What all trials' passes came to; zeros where arrays are ideal."""
    made = [(trial.number, trial.passes) for trial in trials if trial.passes is not None]
    return {
        "array_classes": sum(passes["array_classes"] for _, passes in made),
        "passes_made": sum(passes["passes_made"] for _, passes in made),
        "passes_failed": [
            {"trial": number, "reason": reason}
            for number, passes in made
            for reason in passes["passes_failed"]
        ],
    }


def _seconds_per_trial(trials: list[TrialRow]) -> float | None:
    """Pace of the last trials, pauses between two runs of the search left out."""
    ended = sorted(trial.finished_at for trial in trials if trial.finished_at is not None)[-_RECENT:]
    if len(ended) < 2:
        return None
    gaps = sorted((b - a).total_seconds() for a, b in itertools.pairwise(ended))
    usual = gaps[len(gaps) // 2]
    working = [gap for gap in gaps if gap <= max(10.0 * usual, 60.0)]
    return max(sum(working) / len(working), 1e-3)


def _costs(model: Any) -> str:
    """What costs are computed with, in a line."""
    if model == "unknown":
        return "by an unknown version of the cost model and of the libraries"
    sources = [
        f"{kind} {name} {source['digest']}"
        for kind, entries in (("preset", model["presets"]), ("library", model["libraries"]))
        for name, source in entries.items()
    ]
    return ", ".join([f"cost model {model['cost_model']}", *sources])


def _print_status(facts: dict[str, Any]) -> None:
    trials = facts["trials"]
    driver = facts["driver"]
    if driver is None:
        left = f"{trials['running']} trials were interrupted" if trials["running"] else "idle"
        more = f"resume with: {facts['resume']}" if facts["resume"] else "there is nothing left to search"
        print(f"{facts['study']}: {left}; {more}")
    else:
        print(f"{facts['study']}: driven by {driver['label']}, process {driver['pid']} on {driver['host']}")
    done = trials["complete"] + trials["failed"] + trials["paused"]
    pace = facts["trials_per_hour"]
    lines = {
        "trials": f"{done} of {facts['target']} ended, {trials['failed']} of them failed, "
        f"{trials['paused']} stopped early, {trials['running']} running",
        "trained": f"{facts['trainings']} networks, {facts['trainings_reused']} trials found theirs trained",
        "configurations": f"{number(facts['evaluations'])}, {number(facts['feasible'])} meet the constraints",
        "front": f"{facts['front_size']} configurations, hypervolume {number(facts['hypervolume'])}",
        "arrays": facts["accuracy_is"],
        "passes": f"{number(facts['passes_made'])} for {number(facts['array_classes'])} classes of arrays"
        if facts["arrays"] == "real"
        else "",
        "best": ", ".join(f"{name} {number(value)}" for name, value in facts["best"].items()) or "-",
        "pace": "-" if pace is None else f"{number(round(pace, 1))} trials per hour",
        "time left": "-" if facts["time_left_s"] is None else f"about {duration(facts['time_left_s'])}",
        "data": _data_in_words(facts),
        "costs": _costs(facts["model"]),
        "stored in": facts["storage"],
    }
    for name, text in lines.items():
        if text:
            print(f"  {name:15} {text}")
    if facts["data_unverified"]:
        numbers = ", ".join(map(str, facts["data_unverified"]))
        print(
            f"  data unverified: a version that did not record which data it read made the trials {numbers}"
        )
    for failed in facts["passes_failed"]:
        print(f"  trial {failed['trial']}: a pass failed: {failed['reason']}")
    for failure in facts["failures"]:
        print(f"  trial {failure['trial']} failed ({failure['kind']}): {failure['reason']}")
