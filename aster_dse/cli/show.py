"""``aster-dse show``: everything known about one trial."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import typer

from aster_dse.cli.layers import effects_of, print_effects
from aster_dse.cli.networks import Data
from aster_dse.cli.options import DEFAULT_STORAGE, Artifacts, Json, Storage, StudyName, artifacts_folder
from aster_dse.cli.output import duration, heading, number, print_json, print_table, table
from aster_dse.cli.trial_document import everything
from aster_dse.cli.trial_facts import lines_of_files, lines_of_passes

__all__ = ["show"]


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
        facts = everything(reader, row, reader.trial(row.id, number_), index)
    if layers:
        folder = artifacts_folder(storage, artifacts)
        facts["layers"] = effects_of(facts["configuration"], folder, data, sets)
    if json:
        print_json(facts)
        return
    _print_everything(facts, shown_metrics(row), accuracy_is(row))
    if layers:
        print_effects(facts["layers"])


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
        found = " (reused)" if facts["reused"] else ""
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
