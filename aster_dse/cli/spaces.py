"""``aster-dse spaces`` and ``aster-dse space check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aster_dse.cli.options import Json
from aster_dse.cli.output import number, print_json, print_table, table

if TYPE_CHECKING:
    from aster_dse.space import SearchSpace

__all__ = ["check", "spaces"]


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
    from aster_dse.search.space_checks import check_space
    from aster_dse.space import json_schema, load_space

    if schema:
        print_json(json_schema())
        return
    if file is None:
        raise typer.BadParameter("name a file, or ask for --schema", param_hint="'FILE'")
    space = load_space(file)
    checked = check_space(space, file)
    reference, notes = checked.reference_point, checked.notes
    if json:
        print_json({**_facts(space), "reference_point": reference, "notes": list(notes)})
        return
    print(f"{file}: good, {space.size()}")
    rows = table(["searched", "needs", "values"])
    for parameter in space.parameters:
        values = ", ".join(f"{key} {_words(value)}" for key, value in parameter.as_dict().items())
        rows.add_row(parameter.path, "a training" if parameter.needs_training else "the trace", values)
    print_table(rows)
    bounds = ", ".join(map(str, space.constraints)) or "none"
    print(f"objectives: {', '.join(space.objectives)}; constraints: {bounds}")
    point = ", ".join(f"{name} {number(value)}" for name, value in reference.items())
    print(f"hypervolumes are measured from: {point}")
    for note in notes:
        print(f"note: {note}")


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
