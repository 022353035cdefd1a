"""Every command that the program prints can be typed as it stands, and does what its sentence says."""

from __future__ import annotations

import ast
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import DIVERGES, SPACE, Ran, aster, start
from network_commands import SMALL
from sqlalchemy import create_engine
from typer.main import get_command

from aster_dse.cli.program import app
from aster_dse.commands import TAKES, Places, command, file_name
from aster_dse.storage_url import sqlite_file, typed_url

ROOT = Path(__file__).parents[2]
NAME = 'it\'s a/b  "$HOME"'
"""Of a study: quotes, a folder's slash, two blanks, what a shell expands."""
FLAG = "-x"
"""Of another one: what an option looks like."""
STORAGE = "sqlite:///run%ba.db"
ONCE = ("--set", "training.epochs=1", "--set", "network.width=8", "--trials", "1", "--sampler", "random")
QUICK = ("--workers", "0", "--storage", STORAGE, "--artifacts", "other nets", *ONCE)


def commands_in(text: str) -> list[str]:
    """The command lines in what was printed."""
    found = [match.group() for match in re.finditer(r"(?<![\w./'\"-])aster-dse (?!error: ).*$", text, re.M)]
    return [_closed(line) for line in found]


def _closed(line: str) -> str:
    """Without the bracket that the sentence around it closes."""
    while line.endswith(")") and line.count(")") > line.count("("):
        line = line[:-1]
    return line


def typed(line: str) -> Ran:
    """What a command line does, as a shell splits it."""
    words = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True
    ).stdout.split("\0")[:-1]
    assert words[0] == "aster-dse"
    return aster(*words[1:])


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Ran]]]:
    """A working folder with two studies of hostile names, and what their searches printed."""
    folder, before = tmp_path_factory.mktemp("a folder"), Path.cwd()
    os.chdir(folder)
    try:
        Path("tiny.yaml").write_text(SPACE, encoding="utf-8")
        ran = {name: aster("search", "tiny.yaml", "--study", name, *QUICK) for name in (NAME, FLAG)}
        yield folder, ran
    finally:
        os.chdir(before)


@pytest.fixture(autouse=True)
def in_the_folder(here: tuple[Path, dict[str, Ran]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here[0])


def test_the_file_of_a_database_is_called_as_it_was_typed(here: tuple[Path, dict[str, Ran]]) -> None:
    assert {path.name for path in here[0].iterdir()} >= {"run%ba.db", "other nets", "tiny.yaml"}
    for url in (STORAGE, "sqlite:///100%.db", "sqlite:///a b?.db", "sqlite:////x/r%20s.db"):
        assert sqlite_file(typed_url(url)) == sqlite_file(url)
    assert typed_url("postgresql+psycopg://me:p%40:w@h/d?sslpassword=s") == "postgresql+psycopg://me@h/d"


@pytest.mark.parametrize("name", [NAME, FLAG])
def test_what_a_search_ends_with(here: tuple[Path, dict[str, Ran]], name: str) -> None:
    ran = here[1][name]
    assert ran.code == 0, ran.err
    show, export, resume = commands_in(ran.out)
    assert shlex.split(show) == ["aster-dse", "dashboard", "--storage", "sqlite:///run%25ba.db"]
    exported = typed(export)
    assert (exported.code, "without a test figure" in exported.err) == (0, False), exported.err
    (file,) = Path().glob(f"{file_name(name)}-front.yaml")
    first = yaml.safe_load(file.read_text(encoding="utf-8"))["points"][0]
    reproduced = typed(first["reproduce"])
    assert "all figures came out as they were stored" in reproduced.out, reproduced.err

    (the_same,) = commands_in(aster("status", "--storage", STORAGE, "--", name).out)
    assert "--trials 2 " in the_same
    more = typed(resume)
    assert more.code == 0, more.err
    document = aster("status", "--storage", STORAGE, "--json", "--", name).document
    assert document["trials"]["complete"] == 2
    assert "--trials 4" in document["resume"]
    assert not Path("aster_dse_artifacts").exists()


def test_a_study_with_no_network_left_is_not_to_be_resumed() -> None:
    one = ("--set", "training.learning_rate=0.01")
    ran = aster("search", "tiny.yaml", "--study", "both", *QUICK, *one)
    assert "the study has its 1 trials" in ran.out
    assert [line.split()[1] for line in commands_in(ran.out)] == ["dashboard", "export"]
    assert "nothing left to search" in aster("status", "both", "--storage", STORAGE).out


def test_what_is_said_of_a_study_that_found_nothing() -> None:
    ran = aster("search", "tiny.yaml", "--study", "none (yet)", *QUICK, *DIVERGES)
    assert ran.code == 1
    status, trials, resume = commands_in(ran.out)
    assert typed(status).code == typed(trials).code == 0
    assert resume.split()[1] == "resume"
    bound = ("--set", "constraints=[area_mm2 <= 1.0e-9]")
    ran = aster("search", "tiny.yaml", "--study", "never", *QUICK, *bound)
    assert ran.code == 4, ran.err
    (nearest,) = commands_in(ran.err)
    assert "none of them meets" in typed(nearest).out


def test_where_the_other_studies_are() -> None:
    (listing,) = commands_in(aster("status", "something else", "--storage", STORAGE).err)
    assert NAME in typed(listing).out


def test_a_database_of_an_older_version() -> None:
    from alembic import command as alembic
    from alembic.config import Config

    from aster_dse.store.schema import MIGRATIONS

    with create_engine("sqlite:///old.db").begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        alembic.upgrade(config, "0001")
    (upgrade,) = commands_in(aster("studies", "--storage", "sqlite:///old.db").err)
    assert typed(upgrade).code == 0
    assert aster("studies", "--json", "--storage", "sqlite:///old.db").document == []
    assert not Path("aster_dse.db").exists()


def test_what_the_dashboard_shows_can_be_typed_in_any_folder(
    here: tuple[Path, dict[str, Ran]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aster_dse.dashboard.data.detail import read_point
    from aster_dse.dashboard.pages.studies import layout
    from aster_dse.dashboard.pages.study.layout import layout as study_layout
    from aster_dse.store import StudyReader

    with StudyReader(STORAGE) as reader:
        study = reader.study(FLAG)
        point = reader.evaluation(study.id, 0, 0)
        found = [text for _, text in read_point(reader, study, point.id).commands()]
        listed = _copied(layout(reader, (), ""))
        (resume,) = _copied(study_layout(reader, (study.id,), ""))
    assert resume in listed
    monkeypatch.chdir(tmp_path)
    for line in found:
        ran = typed(line)
        assert ran.code == 0, ran.err
    assert "--trials" in resume
    here_too = f"--trials 1 --workers 0 --artifacts {shlex.quote(str(here[0] / 'other nets'))}"
    assert typed(re.sub(r"--trials \d+", here_too, resume)).code == 0
    assert not (tmp_path / "aster_dse.db").exists()


def _copied(component: Any) -> list[str]:
    """What the buttons of a page copy."""
    return [
        part.to_plotly_json()["props"]["data-copy"]
        for part in component._traverse()
        if hasattr(part, "to_plotly_json") and "data-copy" in part.to_plotly_json()["props"]
    ]


def test_the_dashboard_itself(here: tuple[Path, dict[str, Ran]]) -> None:
    words = shlex.split(commands_in(here[1][FLAG].out)[0])[1:]
    running = start(*words, "--port", 0, folder=here[0])
    assert running.stdout is not None
    assert running.stdout.readline().startswith("dashboard: http://")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)


def test_what_a_training_and_a_recording_end_with() -> None:
    recorded = aster("record", "digits", "-o", "-films", "--resolution", 16, "--bins", 4, "--limit", 20)
    (train,) = commands_in(recorded.out)
    ran = typed(train + " " + shlex.join([*SMALL, "--set", "training.epochs=1", "-o", "-net"]))
    assert ran.code == 0, ran.err
    lines = commands_in(ran.out)
    assert [line.split()[1] for line in lines] == ["evaluate", "profile", "sweep"]
    for line in lines:
        ran = typed(line)
        assert ran.code == 0, ran.err


def test_a_server_is_named_without_its_password(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = aster("status", "nothing", "--storage", postgres_url)
    assert "there are none yet" in ran.err
    assert aster("db", "upgrade", "--storage", postgres_url).code == 0
    ran = aster("search", "tiny.yaml", *QUICK, "--storage", postgres_url)
    password = "s3cr@t/word"
    assert "the password is left out: set PGPASSWORD" in ran.out
    assert password not in ran.out + ran.err
    assert "***" not in commands_in(ran.out)[1]
    monkeypatch.setenv("PGPASSWORD", password)
    assert typed(commands_in(ran.out)[1]).code == 0


@pytest.mark.parametrize("word", ["-x", "--", "a'b", '"', "$(false)", "ä ö", "*", "~", "!!", "a\\b", "-"])
def test_words_reach_the_program_as_they_are(word: str) -> None:
    line = command("trials", word, options=["--limit", 3], places=Places(f"sqlite:///{word}.db"))
    ran = subprocess.run(["sh", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True)
    words = ran.stdout.split("\0")[1:-1]
    assert words[0] == "trials"
    context = get_command(app).commands["trials"].make_context("trials", words[1:])  # type: ignore[attr-defined]
    assert (context.params["study"], context.params["limit"]) == (word, 3)
    assert sqlite_file(context.params["storage"]) == Path(f"{word}.db")


def test_it_is_known_what_each_command_has_options_for() -> None:
    found = {}

    def look(node: Any, words: str) -> None:
        for name, inner in getattr(node, "commands", {}).items():
            look(inner, f"{words} {name}".strip())
        if not hasattr(node, "commands"):
            options = {option.name for option in node.params}
            found[words] = frozenset({"storage", "artifacts", "data"} & options)

    look(get_command(app), "")
    assert dict(TAKES) == found


def test_no_other_place_writes_a_command() -> None:
    verbs = "|".join(TAKES)
    allowed = {
        # Names a command, or has a word in capitals where the reader's own belongs.
        "aster_dse/cli/program.py": "Start with: aster-dse search digits_dvs",
        "aster_dse/cli/export.py": "A YAML or JSON file from aster-dse export.",
        "aster_dse/export/reproduce.py": "aster-dse export",
        "aster_dse/export/writers.py": "aster-dse reproduce THIS-FILE",
        "aster_dse/cli/hardware.py": "CHECKPOINT",
        "aster_dse/space/schema.py": "aster-dse search space",
    }
    for path in [
        *ROOT.glob("aster_dse/**/*.py"),
        *ROOT.glob("dashboard/**/*.py"),
        *ROOT.glob("workers/**/*.py"),
    ]:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text if "aster-dse " in text else "")
        told = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in told:
                continue
            # A sentence may speak of a command; what is to be typed has options or what is filled in.
            if re.search(rf"aster-dse ({verbs})( ?$| -| [A-Z]|[)`])|(run|with|try): aster-dse", node.value):
                assert allowed.get(str(path.relative_to(ROOT)), "?") in node.value, (path, node.value)
