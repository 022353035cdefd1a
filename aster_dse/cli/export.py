"""``aster-dse export`` and ``aster-dse reproduce``: configurations out of the store, and evaluated again."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from aster_dse.cli.data import say_unverified
from aster_dse.cli.networks import Data
from aster_dse.cli.options import (
    DEFAULT_STORAGE,
    Artifacts,
    Json,
    Select,
    Storage,
    StudyName,
    Where,
    artifacts_folder,
    bounds_of,
)
from aster_dse.cli.output import heading, number, print_json, print_table, say, stdout_kept_clean, table
from aster_dse.cli.terminal import write_exactly
from aster_dse.cli.written import STDOUT, checked_output
from aster_dse.commands import Places, command
from aster_dse.errors import AsterError, InputError

if TYPE_CHECKING:
    from aster_dse.export import Reproduction
    from aster_dse.export.document import Interval
    from aster_dse.search.scoring import TestScorer
    from aster_dse.space import Candidate

__all__ = ["export", "reproduce"]


class Format(StrEnum):
    """What ``--format`` takes."""

    YAML = "yaml"
    JSON = "json"
    CSV = "csv"


_ENDINGS = {
    ".yaml": Format.YAML,
    ".yml": Format.YAML,
    ".json": Format.JSON,
    ".csv": Format.CSV,
    "": Format.YAML,
}


def export(
    study: StudyName,
    select: Select = "pareto",
    where: Where = None,
    format: Annotated[
        Format | None, typer.Option(help="By default what the name of the file says, else yaml.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PATH", help="File to write; by default, and for -, stdout."),
    ] = None,
    data: Data = None,
    artifacts: Artifacts = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Export configurations with their figures, test accuracy included, and what reproduces them."""
    from aster_dse.export import build_document, render, write_atomically
    from aster_dse.export import select as chosen
    from aster_dse.store import StudyReader
    from aster_dse.store.shown import accuracy_is

    form = format or _format_of(output, study, storage)
    if output != STDOUT:
        checked_output(output)
    bounds = bounds_of(where)
    words = select + "".join(f" where {bound}" for bound in bounds)
    folder = artifacts_folder(storage, artifacts)
    with StudyReader(storage) as reader, _Tester(folder, data) as tester, stdout_kept_clean():
        row = reader.study(study)
        points = chosen(reader, row, select, where=bounds)
        say(f"{len(points)} configurations; testing them ... ({accuracy_is(row)})")
        say_unverified(reader, row, [point.trial for point in points])
        document = build_document(
            row,
            points,
            selection=words,
            test_score=tester,
            repeats=reader.repeats(row.id),
            path=None if output == STDOUT else output,
            data=data,
        )
    text = render(document, form.value)
    if output is None or output == STDOUT:
        write_exactly(text)
        return
    write_atomically(output, text)
    untested = sum(point.test is None for point in document.points)
    missing = f"; {untested} without a test figure, their networks are not in {folder}" if untested else ""
    say(f"wrote {len(points)} configurations to {output}{missing}")


def reproduce(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML or JSON file from aster-dse export.")],
    point: Annotated[
        int | None, typer.Option(min=0, metavar="K", help="Only the point at this position in the file.")
    ] = None,
    points: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N points.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Evaluate exported configurations again from scratch, and compare with the stored figures."""
    from aster_dse.cli.progress import report_lines
    from aster_dse.export import load_document
    from aster_dse.export import reproduce as evaluate_again

    document = load_document(file)
    if point is not None and points is not None:
        raise InputError("--point, --points", "both are given", "choose one")
    if point is not None and point >= len(document.points):
        raise InputError("--point", f"{point}, but {file} has {len(document.points)}", "counted from 0")
    chosen = document.points[:points] if point is None else document.points[point : point + 1]
    networks = list(dict.fromkeys(entry.configuration.training_key() for entry in chosen))
    _compare_data([entry.configuration for entry in chosen], file, data)
    if document.model == "unknown":
        say("note: the cost model and the libraries of the stored figures are unknown")
    elif changes := document.model.changes():
        say(f"note: costs are computed otherwise than the stored ones: {'; '.join(changes)}")
    say(f"{len(chosen)} configurations on {len(networks)} networks, trained anew ...")
    with (
        stdout_kept_clean(),
        tempfile.TemporaryDirectory(prefix="aster-reproduce-") as folder,
        _Tester(Path(folder), data) as tester,
    ):
        from aster_dse.search.serial import SerialExecutor

        found = list(
            evaluate_again(
                document.study,
                chosen,
                SerialExecutor(data=data),
                artifacts=Path(folder),
                test_score=tester,
                constraints=document.constraints,
                texts={} if document.model == "unknown" else document.model.texts,
                on_report=report_lines(lambda report: f"network {report.trial + 1} of {len(networks)}"),
            )
        )
    order = {(entry.trial, entry.index): position for position, entry in enumerate(chosen)}
    found.sort(key=lambda result: order[result.trial, result.index])
    if json:
        print_json(_document(found))
    else:
        _print_comparison(found)
    differing = [result for result in found if not result.agrees]
    if differing:
        worst = max(max(result.relative_difference.values()) for result in differing)
        raise AsterError(
            f"{len(differing)} of {len(found)} configurations came out differently, by up to {worst:.3g} of "
            "what was stored (another machine, or another version of torch, trains to other weights)"
        )


def _compare_data(configurations: list[Candidate], file: Path, data: Path | None) -> None:
    """Before anything is trained: is the data that lies here the data of the file?

    Raises:
        DataMismatchError: it is not.
        NotFoundError: a data set, or a file of it, is missing.
    """
    from aster_dse.cli.data import identified
    from aster_dse.workload import UNVERIFIED, data_of

    for candidate in {candidate.workload: candidate for candidate in configurations}.values():
        identified(candidate, data)
    unverified = sum(data_of(candidate.workload) == UNVERIFIED for candidate in configurations)
    if unverified:
        say(
            f"data unverified: {file} does not say which data {unverified} of its configurations are of; "
            "they are compared with what comes of the data that lies here"
        )


def _format_of(output: Path | None, study: str, storage: str) -> Format:
    """The format that the name of a file says; YAML where it has no ending.

    Raises:
        InputError: an ending of something else.
    """
    suffix = output.suffix.lower() if output is not None else ""
    if suffix not in _ENDINGS:
        remedy = "end it in .yaml, .json or .csv, or say --format"
        if suffix in (".tex", ".md"):
            kind = "markdown" if suffix == ".md" else "latex"
            tables = command("pareto", study, options=["--format", kind], places=Places(storage))
            remedy += f"; a table for a paper: {tables}"
        raise InputError("--output", f"{output}: nothing is exported as {suffix}", remedy)
    return _ENDINGS[suffix]


class _Tester:
    """Scores configurations on test data; torch is imported with the first network that is there."""

    def __init__(self, artifacts: Path, data: Path | None) -> None:
        self._artifacts, self._data = artifacts, data
        self._scorer: TestScorer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._scorer is not None:
            self._scorer.close()

    def __call__(self, candidate: Candidate) -> Interval | None:
        if not (self._artifacts / candidate.training_key()).is_dir():
            return None
        if self._scorer is None:
            from aster_dse.search.scoring import TestScorer

            self._scorer = TestScorer(self._artifacts, data=self._data)
        return self._scorer(candidate)


def _document(found: list[Reproduction]) -> dict[str, Any]:
    """The figures themselves for one point; for several the same by ``trial:index``, and a list."""
    if len(found) == 1:
        return found[0].as_dict()
    names = {f"{result.trial}:{result.index}": result for result in found}
    return {
        "stored": {name: result.stored for name, result in names.items()},
        "now": {name: result.now for name, result in names.items()},
        "relative_difference": {name: result.relative_difference for name, result in names.items()},
        "agrees": all(result.agrees for result in found),
        "points": [result.as_dict() for result in found],
    }


def _print_comparison(found: list[Reproduction]) -> None:
    right = ["trial", "index", "stored", "now", "relative\ndifference"]
    rows = table(["trial", "index", "figure", *right[2:]], right=right)
    for result in found:
        names = list(result.stored)
        for name in names:
            rows.add_row(
                str(result.trial),
                str(result.index),
                " ".join(heading(name).split("\n")).strip(),
                number(result.stored[name]),
                number(result.now[name]),
                f"{result.relative_difference[name]:.1g}",
                end_section=name == names[-1],
            )
    print_table(rows)
    if all(result.agrees for result in found):
        print("all figures came out as they were stored")
