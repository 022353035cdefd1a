"""The program explains itself without loading what it explains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Home, aster
from typer.main import get_command

from aster_dse import __version__
from aster_dse.cli.program import app

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = ("torch", "ray", "optuna", "dash", "plotly", "pandas", "numpy", "scipy", "sklearn", "sqlalchemy")

_EVERY_HELP = """
import contextlib, io, json, sys
from aster_dse.cli import main
codes = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        codes.append(main([*words, "--help"]))
loaded = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
print(json.dumps({"codes": codes, "loaded": loaded}))
"""


def commands() -> list[list[str]]:
    """Every command and group of commands, as words."""
    found: list[list[str]] = [[]]

    def walk(command: object, words: list[str]) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            found.append([*words, name])
            walk(inner, [*words, name])

    walk(get_command(app), [])
    return found


def test_help_on_every_level_loads_nothing_heavy() -> None:
    levels = commands()
    ran = subprocess.run(
        [sys.executable, "-c", _EVERY_HELP, json.dumps(levels), json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout) == {"codes": [0] * len(levels), "loaded": []}


@pytest.mark.parametrize("words", [words for words in commands() if words], ids=" ".join)
def test_every_command_and_option_is_documented(words: list[str]) -> None:
    command = get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    text = DOCUMENT.read_text(encoding="utf-8")
    if not hasattr(command, "commands"):
        assert f"`aster-dse {' '.join(words)}" in text
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert [option for option in options - {"--help"} if option not in text] == []


def test_version() -> None:
    assert aster("--version").out == f"aster-dse {__version__}\n"


def test_study_names_are_completed(searched: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTER_DSE_STORAGE", searched.storage)
    monkeypatch.setenv("_ASTER_DSE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "aster-dse status ")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert _completed() == "s"


def test_completion_is_silent_where_there_is_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTER_DSE_STORAGE", f"sqlite:///{tmp_path}/none.db")
    monkeypatch.setenv("_ASTER_DSE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "aster-dse status ")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert _completed() == ""


def _completed() -> str:
    program = "import sys; from aster_dse.cli import main; sys.argv = ['aster-dse']; sys.exit(main())"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    return ran.stdout.strip()
