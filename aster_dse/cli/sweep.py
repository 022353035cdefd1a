"""``aster-dse sweep``: accuracy, steps and energy over skipped attention x exit threshold, and pictures."""

from __future__ import annotations

import csv
import io
import json as json_format
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from aster_dse.cli.accelerator import (
    Arrays,
    activity_of,
    hardware_of,
    measured_on_arrays,
    without_hardware,
)
from aster_dse.cli.network_progress import samples_progress
from aster_dse.cli.networks import (
    CheckpointPath,
    Data,
    Device,
    DeviceName,
    ExitMetric,
    HardwareFile,
    Library,
    LogFile,
    Metric,
    Opened,
    PresetName,
    Settings,
    Split,
    Threads,
    Weights,
    WorkloadName,
    opened,
    wishes,
)
from aster_dse.cli.options import Json
from aster_dse.cli.output import number, print_json, print_table, say, stdout_kept_clean, table
from aster_dse.cli.written import checked_output
from aster_dse.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aster_dse.evaluation.array_subject import OnArrays
    from aster_dse.evaluation.sweep import Row, Sweep
    from aster_dse.export.published_curves import PublishedCurves
    from aster_dse.policy import ExitMetric as ExitName
    from aster_dse.space import HardwareConfig

__all__ = ["sweep"]

_EXITS = (0.5, 0.7, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 1.0)
_OUTPUTS = (".png", ".html", ".csv", ".json")
_NumberT = TypeVar("_NumberT", int, float)


def sweep(
    checkpoint: CheckpointPath,
    skip: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Numbers of skipped blocks, least active first; default all."),
    ] = None,
    skip_threshold: Annotated[
        str | None, typer.Option(metavar="X,X,...", help="Skip thresholds instead of numbers of blocks.")
    ] = None,
    exit: Annotated[
        str | None,
        typer.Option(metavar="Y,Y,...", help="Exit thresholds; default from 0.5 to 1, which never leaves."),
    ] = None,
    exit_metric: ExitMetric = Metric.CONFIDENCE,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write a picture (.png, .html) or the figures (.csv, .json).",
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Published curves to draw along: imagenet100, cifar10-dvs, dvs128-gesture or none; default "
            "those of the data set.",
        ),
    ] = None,
    split: Split = None,
    hardware: HardwareFile = None,
    library: Library = None,
    arrays: Arrays = None,
    firing_log: LogFile = None,
    data: Data = None,
    workload: WorkloadName = None,
    preset: PresetName = None,
    set_: Settings = None,
    weights: Weights = None,
    device: Device = DeviceName.AUTO,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Sweep skipped attention and exit thresholds, every cell exact, and draw the heat map."""
    checked_output(output, _OUTPUTS)
    if skip is not None and skip_threshold is not None:
        raise InputError("--skip, --skip-threshold", "both are given", "choose one")
    counts = None if skip is None else _list(skip, "--skip", int)
    thresholds = None if skip_threshold is None else _shares(skip_threshold, "--skip-threshold")
    exits = _EXITS if exit is None else _shares(exit, "--exit")
    curves = None if reference in (None, "none") else _curves(str(reference))
    wanted = wishes(workload, preset, without_hardware(set_), weights)
    design = hardware_of(hardware, library, set_, arrays)
    with stdout_kept_clean():
        from aster_dse.evaluation.sweep import rows_by_count, rows_by_threshold

        found = opened(checkpoint, wanted, data=data, split=split, device=device, threads=threads)
        measured = None
        if design is not None and design.arrays == "real":
            measured = measured_on_arrays(found, design, firing_log)
            activity = measured.plain.block_activity
        else:
            activity = activity_of(found, firing_log)
        rows = (
            rows_by_count(activity, counts) if thresholds is None else rows_by_threshold(activity, thresholds)
        )
        result = _swept(found, measured, design, activity, rows, exits, exit_metric.value)
        if curves is None and reference is None:
            curves = _curves_for(found)
    document = _document(found, result, activity, curves)
    if json:
        print_json(document)
    else:
        _print(found, result)
    if output is not None:
        with stdout_kept_clean():
            _write(output, found, result, document, curves)
        say(f"wrote {output}")


def _swept(
    found: Opened,
    measured: OnArrays | None,
    design: HardwareConfig | None,
    activity: NDArray[np.float64],
    rows: list[Row],
    exits: Sequence[float],
    metric: ExitName,
) -> Sweep:
    from aster_dse.evaluation.sweep import sweep, sweep_on_arrays
    from aster_dse.hardware import resolve

    subject = found.subject
    if measured is not None:
        return sweep_on_arrays(measured, rows, exits, metric=metric, class_names=subject.class_names)
    costs = None
    if design is not None:
        say("counting the events of every skip set ...")
        costs = subject.costs(activity, resolve(design))
    with samples_progress("sweeping", len(subject.feed)) as subject.on_samples:
        return sweep(subject, rows, exits, metric=metric, costs=costs)


def _list(text: str, option: str, kind: Callable[[str], _NumberT]) -> list[_NumberT]:
    try:
        return [kind(word.strip()) for word in text.split(",")]
    except ValueError:
        raise InputError(option, f"{text!r} is no list of numbers", "with commas, as in 0,1,2") from None


def _shares(text: str, option: str) -> list[float]:
    values = _list(text, option, float)
    for value in values:
        if not 0.0 <= value <= 1.0:
            raise InputError(option, f"{value} is out of range", "0 to 1")
    return values


def _curves(name: str) -> PublishedCurves:
    from aster_dse.export.published_curves import published_curves

    return published_curves(name)


def _curves_for(found: Opened) -> PublishedCurves | None:
    from aster_dse.export.published_curves import reference_for

    name = reference_for(found.checkpoint.workload.name)
    return None if name is None else _curves(name)


def _document(
    found: Opened, result: Sweep, activity: NDArray[np.float64], curves: PublishedCurves | None
) -> dict[str, Any]:
    known = found.subject.labels is not None
    document: dict[str, Any] = {
        **found.about,
        "skip": [row.asked for row in result.rows],
        "skip_threshold": [row.threshold for row in result.rows],
        "skipped_blocks": [sorted(row.skipped) for row in result.rows],
        "block_activity": activity.tolist(),
        "exit": list(result.exits),
        "exit_metric": result.metric,
        "accuracy": result.accuracy.tolist() if known else None,
        "interval": [[cell.interval for cell in row] for row in result.cells] if known else None,
        "mean_timesteps": result.mean_timesteps.tolist(),
    }
    if result.costs is not None:
        first = result.costs[0][0]
        document |= {
            "energy_uj": [[cost.energy_uj for cost in row] for row in result.costs],
            "latency_us": [[cost.latency_us for cost in row] for row in result.costs],
            "area_mm2": first.area_mm2,
            "library": first.library,
            "hardware": first.knobs,
        }
    if result.ideal is not None and result.costs is not None:
        document |= {
            "arrays": "real",
            "samples": result.samples,
            "accuracy_ideal": result.ideal.tolist(),
            "chips": result.costs[0][0].knobs["chips"],
        }
    return document | {"reference": None if curves is None else curves.as_dict()}


def _print(found: Opened, result: Sweep) -> None:
    exits = [f"{threshold:.8g}" for threshold in result.exits]
    by_threshold = any(isinstance(row.asked, float) for row in result.rows)
    head = "skip threshold" if by_threshold else "skipped"
    print(f"{found.checkpoint.path} on {result.samples} {found.about.get('split', 'recorded')} samples")
    maps: list[tuple[str, Any, str]] = [("mean time steps", result.mean_timesteps, ".3f")]
    if found.subject.labels is not None:
        maps.insert(0, ("accuracy, %", result.accuracy * 100, ".2f"))
    if result.ideal is not None:
        maps[0] = ("accuracy on the arrays, %", result.accuracy * 100, ".2f")
        maps.insert(1, ("accuracy of the plain network, %", result.ideal * 100, ".2f"))
    if result.energy_uj is not None:
        maps.append(("energy of an inference, uJ", result.energy_uj, ".4g"))
    for title, values, digits in maps:
        rows = table([head, "blocks", *exits], right=[head, *exits], title=f"{title}, by exit threshold")
        for row, line in zip(result.rows, values, strict=True):
            blocks = ", ".join(map(str, sorted(row.skipped))) or "none"
            rows.add_row(number(row.asked), blocks, *(f"{value:{digits}}" for value in line))
        print_table(rows)


def _write(
    path: Path, found: Opened, result: Sweep, document: dict[str, Any], curves: PublishedCurves | None
) -> None:
    from aster_dse.export.writers import write_atomically

    kind = path.suffix.lower()
    if kind == ".json":
        write_atomically(path, json_format.dumps(document, indent=2) + "\n")
    elif kind == ".csv":
        write_atomically(path, _csv(result))
    else:
        from aster_dse.export.drawing import write_figure
        from aster_dse.export.sweep_figure import sweep_figure

        network = found.checkpoint.network
        samples = f"{result.samples} {found.subject.split} samples"
        title = f"{found.checkpoint.workload.name}, depth {network.depth}, width {network.width}: {samples}"
        write_figure(sweep_figure(result, title=title, reference=curves), path)


def _csv(result: Sweep) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["skipped", "skip_threshold", "exit_metric", "exit_threshold", "accuracy", "low", "high"]
    head += ["mean_timesteps"] + ([] if result.costs is None else ["energy_uj", "latency_us"])
    head += [] if result.ideal is None else ["accuracy_ideal"]
    writer.writerow(head)
    for number_, row in enumerate(result.rows):
        for column, threshold in enumerate(result.exits):
            cell = result.cells[number_][column]
            entry = [len(row.skipped), row.threshold, result.metric, threshold, cell.accuracy]
            entry += [*(cell.interval or (None, None)), cell.mean_timesteps]
            if result.costs is not None:
                cost = result.costs[number_][column]
                entry += [cost.energy_uj, cost.latency_us]
            if result.ideal is not None:
                entry += [result.ideal[number_, column]]
            writer.writerow(["" if value is None else value for value in entry])
    return text.getvalue()
