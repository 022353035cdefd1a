"""All commands by name, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import cast

import typer
from typer.main import get_command

from aster_dse.cli import (
    database,
    doctor,
    evaluate,
    export,
    front,
    hardware,
    hardware_compare,
    hardware_sweep,
    hardware_validate,
    importance,
    profile,
    record,
    repeat,
    resume,
    search,
    serve,
    show,
    spaces,
    stop,
    studies,
    sweep,
    train,
    trials,
)
from aster_dse.cli.extras import why_missing
from aster_dse.cli.options import FAILURES
from aster_dse.cli.passwords import hide_passwords
from aster_dse.errors import AsterError, InputError, UnreachableError, problems_of

__all__ = ["app", "run"]

PROGRAM = "aster-dse"
DEBUG = "ASTER_DSE_DEBUG"

# Typer names the base of wrong options and missing arguments in a private module only.
_UsageError = cast(
    type[typer.BadParameter],
    next(base for base in typer.BadParameter.__mro__ if base.__name__ == "UsageError"),
)


def _group(description: str) -> typer.Typer:
    return typer.Typer(help=description, no_args_is_help=True, rich_markup_mode=None)


app = typer.Typer(
    help="Search networks, policies and accelerators for spiking transformers together.\n\n"
    "Start with: aster-dse search digits_dvs",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
space_app = _group("Work on a search space.")
hardware_app = _group("Ask the cost model of the accelerator.")
database_app = _group("Look after the database.")

_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Search": {"search": search.search, "resume": resume.resume, "stop": stop.stop},
    "Results": {
        "studies": studies.studies,
        "status": studies.status,
        "trials": trials.trials,
        "show": show.show,
        "pareto": front.pareto,
        "importance": importance.importance,
        "slice": importance.slice_,
        "dashboard": serve.dashboard,
        "export": export.export,
        "reproduce": export.reproduce,
        "repeat": repeat.repeat,
    },
    "Networks": {
        "train": train.train,
        "finetune": train.finetune,
        "profile": profile.profile,
        "evaluate": evaluate.evaluate,
        "sweep": sweep.sweep,
        "record": record.record,
    },
    "Setup": {"spaces": spaces.spaces, "doctor": doctor.doctor, "delete": studies.delete},
}
for panel, commands in _COMMANDS.items():
    for name, function in commands.items():
        app.command(name, rich_help_panel=panel)(function)
space_app.command("check")(spaces.check)
hardware_app.command("estimate")(hardware.estimate)
hardware_app.command("compare")(hardware_compare.compare)
hardware_app.command("sweep")(hardware_sweep.sweep)
hardware_app.command("validate")(hardware_validate.validate)
database_app.command("upgrade")(database.upgrade)
app.add_typer(space_app, name="space", rich_help_panel="Setup")
app.add_typer(hardware_app, name="hardware", rich_help_panel="Results")
app.add_typer(database_app, name="db", rich_help_panel="Setup")


@app.callback(invoke_without_command=True)
def _program(
    version: bool = typer.Option(False, "--version", is_eager=True, help="Show the version and exit."),
) -> None:
    if version:
        from aster_dse import __version__

        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _with_kind(words: list[str]) -> list[str]:
    """``--retry-failed`` without its kind, which may be left out, with that of all."""
    for place, word in enumerate(words):
        following = words[place + 1].split(",") if place + 1 < len(words) else [""]
        if word == "--retry-failed" and not set(following) <= set(FAILURES):
            return [*words[: place + 1], "all", *words[place + 1 :]]
    return words


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code and prints a line about each thing that went wrong."""
    words = _with_kind(sys.argv[1:] if arguments is None else list(arguments))

    def fail(message: str, code: int, remedy: str = "") -> int:
        line = " ".join(part.strip() for part in message.splitlines() if part.strip())
        line = hide_passwords(line + (f" ({remedy})" if remedy else ""), words)
        print(f"{PROGRAM}: error: {line}", file=sys.stderr)
        return code

    try:
        code = get_command(app).main(args=words, prog_name=PROGRAM, standalone_mode=False)
    except InputError as error:
        for problem in problems_of(error):
            fail(str(problem), error.exit_code)
        return error.exit_code
    except AsterError as error:
        return fail(str(error), error.exit_code)
    except _UsageError as error:
        # Asked for nothing, the program has shown its help.
        return fail(error.format_message(), 2, "see --help") if error.format_message() else 2
    except typer.Abort:
        return fail("cancelled", 1)
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        missing = why_missing(error) if isinstance(error, ModuleNotFoundError) else None
        if missing is not None:
            return fail(str(missing), missing.exit_code)
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, ConnectionError) or type(error).__module__.partition(".")[0] == "ray":
            return fail(text, UnreachableError.exit_code, "the cluster or the database went away")
        if isinstance(error, OSError):
            return fail(text, AsterError.exit_code)
        return fail(text, AsterError.exit_code, f"an internal error; {DEBUG}=1 shows where")
    return code if isinstance(code, int) else 0
