"""``aster-dse hardware sweep``: one trained network through the arrays of many designs."""

from __future__ import annotations

import csv
import io
import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.accelerator import passes_of
from aster_dse.cli.networks import (
    CheckpointPath,
    Data,
    Device,
    DeviceName,
    ExitMetric,
    Library,
    Metric,
    Opened,
    PresetName,
    Split,
    Threads,
    Weights,
    WorkloadName,
    opened,
    wishes,
)
from aster_dse.cli.options import Json
from aster_dse.cli.output import heading, number, print_json, print_table, say, stdout_kept_clean, table
from aster_dse.cli.swept_knobs import base_knobs, swept_values
from aster_dse.cli.written import checked_output

if TYPE_CHECKING:
    from aster_dse.evaluation.design_sweep import DesignSweep
    from aster_dse.space import Candidate

__all__ = ["sweep"]

_OUTPUTS = (".png", ".svg", ".html", ".csv", ".json")
_METRICS = ("accuracy", "accuracy_ideal", "energy_uj", "latency_us", "area_mm2")
_OF_CHIPS = ("accuracy_min", "accuracy_std")


def sweep(
    checkpoint: CheckpointPath,
    over: Annotated[
        list[str],
        typer.Option(
            metavar="KNOB[=A,B,...]",
            help="A knob of the accelerator to sweep, over the named values or the usual ones; repeatable.",
        ),
    ],
    base: Annotated[
        str | None, typer.Option(metavar="NAME", help="Accelerator by name, or a YAML file of your own.")
    ] = None,
    hardware: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML with knobs of the accelerator.")
    ] = None,
    library: Library = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KNOB=VALUE", help="Set another knob, as in rows=64; repeatable."),
    ] = None,
    conditions: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Conditions of the cells, as in 'variation=0.1'; cell.")
    ] = None,
    chips: Annotated[
        int | None,
        typer.Option(min=1, max=64, metavar="N", help="Chips to draw; default 8 under conditions."),
    ] = None,
    skip_threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, metavar="X", help="Skip attention of blocks at most this active."),
    ] = None,
    exit_threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="Y", help="Exit at the first step that exceeds it.")
    ] = 1.0,
    exit_metric: ExitMetric = Metric.CONFIDENCE,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write a picture (.png, .svg, .html) or the figures (.csv, .json).",
        ),
    ] = None,
    split: Split = None,
    data: Data = None,
    workload: WorkloadName = None,
    preset: PresetName = None,
    weights: Weights = None,
    device: Device = DeviceName.AUTO,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Run a trained network through the arrays of every combination of some knobs of an accelerator."""
    checked_output(output, _OUTPUTS)
    knobs = base_knobs(base, hardware, library, set_, conditions, chips)
    values = swept_values(over, knobs)
    policy = {
        "skip_threshold": skip_threshold,
        "exit_threshold": exit_threshold,
        "exit_metric": exit_metric.value,
    }
    with stdout_kept_clean():
        from aster_dse.evaluation.design_sweep import designs_of, sweep_designs

        found = opened(
            checkpoint,
            wishes(workload, preset, [], weights),
            data=data,
            split=split,
            device=device,
            threads=threads,
        )
        candidate = _candidate(found, knobs, policy)
        designs, left_out = designs_of(candidate, found.subject.trained.geometry, values)
        with passes_of(found) as passes:
            classes = list(dict.fromkeys(design.computes for design in designs))
            needed = sum(1 if one.conditions.ideal else one.chips for one in classes)
            say(f"{len(designs)} designs compute in {len(classes)} ways: at most {needed} passes")
            result = sweep_designs(passes, candidate, values, designs)
            made = passes.log.made
    document = _document(found, candidate, result, left_out, made)
    if json:
        print_json(document)
    else:
        _print(found, result, left_out)
    if output is not None:
        with stdout_kept_clean():
            _write(output, found, result, document)
        say(f"wrote {output}")


def _candidate(found: Opened, knobs: dict[str, Any], policy: dict[str, Any]) -> Candidate:
    from aster_dse.space import Candidate, HardwareConfig, PolicyConfig

    return Candidate(
        workload=found.checkpoint.workload,
        policy=PolicyConfig(**policy),
        hardware=HardwareConfig(**knobs),
    )


def _document(
    found: Opened, candidate: Candidate, result: DesignSweep, left_out: list[str], made: int
) -> dict[str, Any]:
    from aster_dse.hardware import resolve

    return {
        **found.about,
        "samples": result.samples,
        "base": resolve(candidate.hardware).knobs(),
        "policy": candidate.policy.model_dump(mode="json"),
        "over": {name: list(values) for name, values in result.over.items()},
        "designs": [
            {
                "knobs": row.values,
                **row.evaluation.metrics,
                "interval": list(row.interval),
                "exit_histogram": row.evaluation.detail["exit_histogram"],
                "notes": row.evaluation.detail["hardware"]["notes"],
            }
            for row in result.rows
        ],
        "passes_made": made,
        "left_out": left_out,
        "failures": list(result.failures),
    }


def _print(found: Opened, result: DesignSweep, left_out: list[str]) -> None:
    first = result.rows[0].evaluation
    chips = first.detail["hardware"]["knobs"]["chips"]
    print(
        f"{found.checkpoint.path} on {result.samples} {found.subject.split} samples, "
        f"{chips} chip{'s' * (chips > 1)} of each design"
    )
    metrics = [*_METRICS[:2], *(_OF_CHIPS if chips > 1 else ()), *_METRICS[2:]]
    heads = [heading(name) for name in metrics]
    heads.insert(1, "95 %\ninterval")
    rows = table([*result.over, *heads], right=[*result.over, *heads])
    for row in result.rows:
        cells = [number(row.evaluation.metrics[name]) for name in metrics]
        cells.insert(1, "{:.3f}-{:.3f}".format(*row.interval))
        rows.add_row(*(number(row.values[name]) for name in result.over), *cells)
    print_table(rows)
    for note in dict.fromkeys(
        note for row in result.rows for note in row.evaluation.detail["hardware"]["notes"]
    ):
        print(f"note: {note}")
    for line in left_out:
        print(f"left out, {line}")
    for failure in result.failures:
        print(f"failed: {failure}")


def _write(path: Path, found: Opened, result: DesignSweep, document: dict[str, Any]) -> None:
    from aster_dse.export.writers import write_atomically

    kind = path.suffix.lower()
    if kind == ".json":
        write_atomically(path, json_format.dumps(document, indent=2) + "\n")
    elif kind == ".csv":
        write_atomically(path, _csv(result))
    else:
        from aster_dse.export.design_sweep_figure import design_sweep_figure
        from aster_dse.export.drawing import write_figure

        network = found.checkpoint.network
        title = (
            f"{found.checkpoint.workload.name}, depth {network.depth}, width {network.width}, on "
            f"{document['base']['base']}: {result.samples} {found.subject.split} samples"
        )
        write_figure(design_sweep_figure(result, title=title), path)


def _csv(result: DesignSweep) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    metrics = list(result.rows[0].evaluation.metrics)
    writer.writerow([*result.over, *metrics, "low", "high"])
    for row in result.rows:
        writer.writerow([*row.values.values(), *row.evaluation.metrics.values(), *row.interval])
    return text.getvalue()
