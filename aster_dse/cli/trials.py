"""``aster-dse trials`` and ``aster-dse show``: what was tried, and everything known about one of them."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.layers import effects_of, print_effects
from aster_dse.cli.networks import Data
from aster_dse.cli.options import DEFAULT_STORAGE, Artifacts, Json, Storage, StudyName, artifacts_folder
from aster_dse.cli.output import duration, heading, iso, number, print_json, print_table, table
from aster_dse.cli.trial_facts import (
    NO_BEST,
    breakdown_of,
    constraints_of,
    geometry_of,
    in_order,
    lines_of_files,
    lines_of_passes,
    most_accurate,
    outcome_of,
)
from aster_dse.errors import InputError

if TYPE_CHECKING:
    from aster_dse.export import Point
    from aster_dse.store import StudyReader, StudyRow, TrialRow

__all__ = ["show", "trials"]


class State(StrEnum):
    """What ``--state`` takes."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    FAILED = "failed"


def trials(
    study: StudyName,
    state: Annotated[State | None, typer.Option(help="Only trials in this state.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """List the trials of a study: each is a network with all that was scored on it."""
    from aster_dse.store import StudyReader, TrialState
    from aster_dse.store.shown import accuracy_is, arrays_of_study

    with StudyReader(storage) as reader:
        row = reader.study(study)
        found = reader.trials(row.id, state=None if state is None else TrialState(state.value))
        accuracies = {training.key: training.accuracy for training in reader.trainings(row.id)}
        seen = {look.trial: look.accuracy for look in reader.looks(row.id)}
        best = most_accurate(reader, row)
    found = found[-limit:] if limit is not None else found
    if json:
        print_json(
            [
                {
                    **_trial(study, trial, accuracies.get(trial.training_key)),
                    **best.get(trial.number, NO_BEST),
                }
                for trial in found
            ]
        )
        return
    real = arrays_of_study(row) == "real"
    of_network = "ideal\naccuracy" if real else "accuracy"
    columns = ["trial", "state", *(["accuracy"] if real else []), of_network]
    columns += ["configurations", "feasible", "time", "tries"]
    rows = table([*columns, "outcome"], right=["trial", *columns[2:]])
    for trial in found:
        accuracy = accuracies.get(trial.training_key) if trial.state == TrialState.COMPLETE else None
        if trial.state == TrialState.PAUSED:
            accuracy = seen.get(trial.number)
        on_arrays = best.get(trial.number, NO_BEST)
        if real and trial.number in best:
            accuracy = on_arrays["accuracy_ideal"]
        rows.add_row(
            str(trial.number),
            str(trial.state),
            *([number(on_arrays["accuracy"])] if real else []),
            number(accuracy),
            number(trial.evaluations),
            number(trial.feasible),
            duration(trial.wall_s) if trial.finished_at or trial.paused_epoch else "-",
            str(trial.attempts),
            outcome_of(trial),
        )
    print_table(rows)
    if real:
        print(f"{accuracy_is(row)}: of each trial's most accurate configuration")


def show(
    study: StudyName,
    number_: Annotated[int, typer.Argument(metavar="NUMBER", min=0, help="Number of the trial.")],
    index: Annotated[
        int | None,
        typer.Option(min=0, help="Which of its configurations; by default where its trade-off bends."),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Run its network to see what each layer's real arrays do.")
    ] = False,
    sets: Annotated[
        int, typer.Option(min=4, max=64, metavar="N", help="Calibration sets that --layers averages over.")
    ] = 4,
    data: Data = None,
    storage: Storage = DEFAULT_STORAGE,
    artifacts: Artifacts = None,
    json: Json = False,
) -> None:
    """Show everything about one trial: configuration, figures, breakdowns, exits, firing rates, attempts."""
    from aster_dse.store import StudyReader
    from aster_dse.store.shown import accuracy_is, shown_metrics

    with StudyReader(storage) as reader:
        row = reader.study(study)
        facts = _everything(reader, row, reader.trial(row.id, number_), index)
    if layers:
        folder = artifacts_folder(storage, artifacts)
        facts["layers"] = effects_of(facts["configuration"], folder, data, sets)
    if json:
        print_json(facts)
        return
    _print_everything(facts, shown_metrics(row), accuracy_is(row))
    if layers:
        print_effects(facts["layers"])


def _trial(study: str, trial: TrialRow, accuracy: float | None) -> dict[str, Any]:
    from aster_dse.store.shown import data_of_trial

    return {
        "study": study,
        "trial": trial.number,
        "state": str(trial.state),
        "training_key": trial.training_key,
        "data": data_of_trial(trial),
        "network_accuracy": accuracy,
        "paused_epoch": trial.paused_epoch,
        "reused": trial.reused,
        "passes": trial.passes,
        "evaluations": trial.evaluations,
        "feasible": trial.feasible,
        "assignment": trial.assignment,
        "wall_s": trial.wall_s,
        "peak_memory_mib": trial.peak_memory_mib,
        "node": trial.node,
        "attempts": trial.attempts,
        "started": iso(trial.started_at),
        "finished": iso(trial.finished_at),
        "failure": {"kind": trial.failure_kind, "reason": trial.failure_reason}
        if trial.failure_reason
        else None,
    }


def _everything(reader: StudyReader, study: StudyRow, trial: TrialRow, index: int | None) -> dict[str, Any]:
    training = next((t for t in reader.trainings(study.id) if t.key == trial.training_key), None)
    facts: dict[str, Any] = {
        **_trial(study.name, trial, None if training is None else training.accuracy),
        "attempts": [
            {
                "number": attempt.number,
                "state": str(attempt.state),
                "node": attempt.node,
                "executions": attempt.executions,
                "started": iso(attempt.started_at),
                "finished": iso(attempt.finished_at),
                "wall_s": attempt.wall_s,
                "kind": attempt.kind,
                "reason": attempt.reason,
                "trace": attempt.trace,
            }
            for attempt in reader.attempts(study.id, trial.number)
        ],
        "training": None,
        "artifacts": [
            {"kind": file.kind, "path": file.path, "sha256": file.sha256, "bytes": file.bytes}
            for file in reader.artifacts(trial.training_key)
        ],
    }
    if training is not None:
        facts["training"] = {
            "accuracy": training.accuracy,
            "epochs": training.epochs,
            "parameters": training.parameters,
            "wall_s": training.wall_s,
            "cpu_s": training.cpu_s,
            "resumed_from_epoch": training.resumed_from_epoch,
            **{name: value for name, value in training.detail.items() if name != "firing_rate"},
            "history": reader.training_history(trial.training_key),
        }
        rates = training.detail.get("firing_rate", {})
        facts["firing_rate"] = in_order(rates, [layer.name for layer in geometry_of(trial).neurons])
    if trial.evaluations:
        facts |= _configuration(reader, study, trial, index)
    elif index is not None:
        raise InputError("--index", f"trial {trial.number} has no configurations", f"it is {trial.state}")
    else:
        facts["configuration"] = trial.candidate
    return facts


def _configuration(
    reader: StudyReader, study: StudyRow, trial: TrialRow, index: int | None
) -> dict[str, Any]:
    """One evaluated configuration of the trial, and the trial's other good ones."""
    from aster_dse.export.points import points_at
    from aster_dse.export.repeats import spread_of
    from aster_dse.export.select import select

    front = select(reader, study, f"trial:{trial.number}")
    chosen = _bend(front, study) if index is None else points_at(reader, study, [(trial.number, index)])[0]
    row = reader.evaluation(study.id, trial.number, chosen.index)
    detail = row.evaluation.detail
    place = (trial.number, chosen.index)
    repeated = [repeat for repeat in reader.repeats(study.id) if (repeat.trial, repeat.index) == place]
    return {
        **chosen.as_dict(),
        "accuracy_samples": chosen.samples,
        "objectives": {name: chosen.metrics[name] for name in study.objectives},
        "repeats": [{"seed": repeat.seed, "metrics": repeat.metrics} for repeat in repeated],
        "spread": {name: spread.as_dict() for name, spread in spread_of(repeated).items()},
        "constraints": constraints_of(study, row),
        "told": row.told_order is not None,
        "breakdown": breakdown_of(detail.get("hardware", {}), trial),
        "exit_histogram": detail.get("exit_histogram", []),
        "skipped_blocks": detail.get("skipped_blocks", []),
        "front": [{"index": point.index, "metrics": point.metrics} for point in front],
    }


def _bend(front: list[Point], study: StudyRow) -> Point:
    from aster_dse.pareto import knee_point
    from aster_dse.space import METRICS

    signs = {name: -1.0 if METRICS[name].direction == "max" else 1.0 for name in study.objectives}
    return front[knee_point([[sign * p.metrics[name] for name, sign in signs.items()] for p in front])]


def _print_everything(facts: dict[str, Any], shown: Collection[str], accuracy_is: str) -> None:
    place = f", configuration {facts['index']}" if "index" in facts else ""
    print(
        f"{facts['study']}: trial {facts['trial']}{place}, {facts['state']}, network {facts['training_key']}"
    )
    if facts["data"]:
        print(f"data {facts['data']}")
    if facts["failure"]:
        print(f"failed ({facts['failure']['kind']}): {facts['failure']['reason']}")
    for group, knobs in facts["configuration"].items():
        if knobs:
            print(f"  {group:9} " + ", ".join(f"{name} {number(value)}" for name, value in knobs.items()))
    if "metrics" in facts:
        _print_figures(facts, shown)
    print(accuracy_is)
    for line in lines_of_passes(facts["passes"]):
        print(line)
    training = facts["training"]
    if training is not None:
        found = " (found trained)" if facts["reused"] else ""
        print(
            f"\ntraining: accuracy {number(training['accuracy'])} after {number(training['epochs'])} epochs, "
            f"{number(training['parameters'])} parameters, {duration(training['wall_s'] or 0.0)}{found}"
        )
    if facts.get("firing_rate"):
        rows = table(["firing rate", "by step"])
        for layer, rates in facts["firing_rate"].items():
            rows.add_row(layer, "  ".join(f"{rate:.3f}" for rate in rates))
        print_table(rows)
    for attempt in facts["attempts"]:
        reason = f": {attempt['reason']}" if attempt["reason"] else ""
        print(f"attempt {attempt['number']} on {attempt['node'] or '-'}: {attempt['state']}{reason}")
    for line in lines_of_files(facts["artifacts"]):
        print(line)


def _print_figures(facts: dict[str, Any], shown: Collection[str]) -> None:
    metrics = {name: value for name, value in facts["metrics"].items() if name in shown}
    rows = table([heading(name) for name in metrics], right=[heading(name) for name in metrics])
    rows.add_row(*map(number, metrics.values()))
    print_table(rows)
    if facts["accuracy_interval"]:
        low, high = facts["accuracy_interval"]
        samples = facts["accuracy_samples"]
        print(f"accuracy on {samples} validation samples: 95 % interval {low:.4f} to {high:.4f}")
    for name, spread in facts["spread"].items():
        if name in facts["objectives"]:
            print(f"{name} with {len(facts['repeats'])} other seeds: {_words(spread)}")
    for constraint in facts["constraints"]:
        broken = f"broken by {constraint['violation']:.3g}" if constraint["violation"] > 0 else "holds"
        print(f"{constraint['expression']}: {number(constraint['value'])}, {broken}")
    shares = ", ".join(f"{share:.1%} after {step}" for step, share in enumerate(facts["exit_histogram"], 1))
    print(f"exits: {shares or '-'}; attention skipped in blocks: {facts['skipped_blocks'] or 'none'}")
    cost = facts["breakdown"]
    for title, unit, key, scale in (
        ("energy by component", "nJ", "energy_pj_by_component", 1e-3),
        ("energy by layer", "nJ", "energy_pj_by_layer", 1e-3),
        ("latency by layer", "us", "latency_ns_by_layer", 1e-3),
        ("area by component", "mm²", "area_um2_by_component", 1e-6),
    ):
        parts = cost.get(key, {})
        total = sum(parts.values())
        rows = table([title, unit, "share"], right=[unit, "share"])
        for name, value in parts.items():
            if value:
                rows.add_row(name.replace("_", " "), number(value * scale), f"{value / total:.1%}")
        print_table(rows)


def _words(spread: dict[str, Any]) -> str:
    deviation = spread["standard_deviation"]
    around = "" if deviation is None else f" ± {number(deviation)}"
    return f"{number(spread['mean'])}{around} ({number(spread['least'])} to {number(spread['greatest'])})"
