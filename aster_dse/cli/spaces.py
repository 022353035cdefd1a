"""``aster-dse spaces`` and ``aster-dse space check``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.options import Json
from aster_dse.cli.output import print_json, print_table, table
from aster_dse.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from aster_dse.space import SearchSpace

__all__ = ["check", "check_accelerators", "check_workload", "spaces"]


def spaces(json: Json = False) -> None:
    """List the search spaces that ship; each can be named without a path."""
    from aster_dse.space import load_space, shipped_spaces

    names = [name for name, _ in shipped_spaces()]
    facts = [{"space": name, **_facts(load_space(name))} for name in names]
    if json:
        print_json(facts)
        return
    rows = table(["space", "networks", "objectives", "description"])
    for fact in facts:
        networks = fact["networks"]
        rows.add_row(
            fact["space"],
            "continuous" if networks is None else f"{networks:,}",
            ", ".join(fact["objectives"]),
            fact["description"],
        )
    print_table(rows)


def check(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A space file, or the name of one that ships.")
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of space files.")] = False,
    json: Json = False,
) -> None:
    """Say what is wrong with a space file, or how large the space is."""
    from aster_dse.space import json_schema, load_space

    if schema:
        print_json(json_schema())
        return
    if file is None:
        raise typer.BadParameter("name a file, or ask for --schema", param_hint="'FILE'")
    space = load_space(file)
    check_workload(space, file)
    notes = check_accelerators(space, file)
    if json:
        print_json(_facts(space))
        return
    print(f"{file}: good, {space.size()}")
    rows = table(["searched", "needs", "values"])
    for parameter in space.parameters:
        values = ", ".join(f"{key} {_words(value)}" for key, value in parameter.as_dict().items())
        rows.add_row(parameter.path, "a training" if parameter.needs_training else "the trace", values)
    print_table(rows)
    bounds = ", ".join(map(str, space.constraints)) or "none"
    print(f"objectives: {', '.join(space.objectives)}; constraints: {bounds}")
    for note in notes:
        print(f"note: {note}")


def check_workload(space: SearchSpace, source: str, data: Path | None = None) -> None:
    """Refuse a data set that does not exist before every trial fails for it.

    Args:
        data: folder in which data sets lie; None for the usual one.

    Raises:
        InputError: there is no such workload, none of this size, or too few samples to calibrate real arrays
            on.
    """
    from aster_dse.space import WorkloadConfig
    from aster_dse.workload import training_samples, workload_shape

    if any(parameter.group == "workload" for parameter in space.parameters):
        return
    fixed = {path: value for path, value in space.fixed.items() if path.startswith("workload.")}
    try:
        config = WorkloadConfig(**{path.partition(".")[2]: value for path, value in fixed.items()})
        workload_shape(config)
        if space.fixed["hardware.arrays"] == "real":
            from aster_dse.numerics.calibration import check_sample_count

            # What cannot be found here may lie where the study runs.
            with suppress(NotFoundError):
                check_sample_count(training_samples(config, data=data))
    except InputError as error:
        raise InputError(f"{source}: {error.where}", error.problem, error.remedy) from None


def check_data(space: SearchSpace, data: Path | None = None) -> None:
    """Refuse a data set that is not there before a study, or a further run of one, begins.

    Args:
        data: folder in which data sets lie; None for the usual one.

    Raises:
        NotFoundError: its folder is missing.
    """
    from aster_dse.workload import require_data

    name = space.fixed.get("workload.name")
    if isinstance(name, str):
        require_data(name, space.fixed.get("workload.folder"), data=data)


def check_accelerators(space: SearchSpace, source: str) -> tuple[str, ...]:
    """Refuse values that no accelerator can have; notes on those that are of no use.

    Raises:
        InputError: naming the knob.
    """
    from aster_dse.evaluation.design_checks import check_values, spare_levels
    from aster_dse.space import HardwareConfig

    fixed = {path: value for path, value in space.fixed.items() if path.startswith("hardware.")}
    hardware = HardwareConfig(**{path.partition(".")[2]: value for path, value in fixed.items()})
    try:
        check_values(space.inner, hardware)
    except InputError as error:
        raise InputError(f"{source}: {error.where}", error.problem, error.remedy) from None
    return spare_levels(space.inner, hardware)


def _words(value: object) -> str:
    """A value as a space file has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_words(inside)}" for key, inside in value.items()) + "}"
    return str(value)


def _facts(space: SearchSpace) -> dict[str, Any]:
    size = space.size()
    return {
        "name": space.name,
        "description": space.description,
        "hash": space.hash,
        "objectives": dict(space.objectives),
        "constraints": [str(constraint) for constraint in space.constraints],
        "networks": size.outer,
        "configurations_per_network": size.inner,
        "bounds_only": size.bounds_only,
        "searched": {parameter.path: parameter.as_dict() for parameter in space.parameters},
    }
