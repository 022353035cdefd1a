"""Whatever goes wrong, the user reads one line and a script reads the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import SPACE, Home, aster

from aster_dse.cli import studies

SECRET = "hunter2secret"
UNREACHABLE = f"postgresql+psycopg://user:{SECRET}@127.0.0.1:1/db"

BAD_SPACES = {
    "an unknown key": (SPACE + "extra: 1\n", "extra: unknown key", "did you mean|one of"),
    "a wrong type": (SPACE.replace("depth: 1", 'depth: "1"'), 'network.depth: "1" is text', "integer"),
    "an empty list": (SPACE.replace("[8, 16]}, depth", "[]}, depth"), "network.width.choices: empty", "list"),
    "an empty range": (
        SPACE.replace("low: 0.005, high: 0.02", "low: 0.005, high: 0.005"),
        "training.learning_rate: low and high are both 0.005",
        "to fix it",
    ),
    "a range upside down": (
        SPACE.replace("low: 0.005, high: 0.02", "low: 0.02, high: 0.005"),
        "training.learning_rate: low 0.02 is greater than high 0.005",
        "swap them",
    ),
    "an unknown objective": (
        SPACE.replace("energy_uj: min", "energy: min"),
        "objectives.energy: unknown objective",
        "energy_uj",
    ),
    "a constraint on nothing": (SPACE.replace("area_mm2 <= 50", "size <= 50"), "constraints.0: ", "area_mm2"),
    "no mapping": ("- just\n- a list\n", "a list", "mapping"),
    "an unknown data set": (SPACE.replace("digits-dvs", "digits-dsv"), "workload.name: ", "digits"),
}


@pytest.mark.parametrize("problem", BAD_SPACES)
@pytest.mark.parametrize("command", [("space", "check"), ("search",)])
def test_a_bad_space_is_one_line_with_path_value_and_remedy(
    problem: str, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, said, remedy = BAD_SPACES[problem]
    Path("bad.yaml").write_text(text, encoding="utf-8")
    ran = aster(*command, "bad.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.complaint.startswith("bad.yaml: ")
    assert said in ran.complaint
    assert any(word in ran.complaint for word in remedy.split("|"))
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.yaml"]


def test_a_space_file_that_is_not_there(tmp_path: Path) -> None:
    ran = aster("search", tmp_path / "none.yaml")
    assert ran.code == 2
    assert (
        "no such file (a path, or one that ships: cifar10, cifar100, cifar10_dvs, digits, digits_dvs, "
        "dvs_gesture, hardware_only, imagenet)" in ran.complaint
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serch"], "Did you mean 'search'"),
        (["search"], "SPACE"),
        (["search", "digits_dvs", "--trails", "3"], "--trials"),
        (["search", "digits_dvs", "--trials", "none"], "--trials"),
        (["search", "digits_dvs", "--sampler", "best"], "nsga3"),
        (["search", "digits_dvs", "--workers", "0", "--address", "h:1"], "--workers"),
        (
            ["search", "digits_dvs", "--workers", "0", "--set", "search.resources_per_training.workers=2"],
            "--workers",
        ),
        (["space", "check"], "FILE"),
        (["status", "s", "--watch", "--json"], "--watch"),
        (["hardware", "estimate", "--network", "resnet"], "sdt-8-512"),
        (["hardware", "estimate", "--network", "imagenet-8-521"], "did you mean imagenet-8-512?"),
        (["hardware", "estimate", "--set", "hardware.adc_levels=3"], "did you mean 4?"),
        (["studies", "--storage", "mysql://host/db"], "sqlite:///FILE"),
    ],
)
def test_wrong_words_are_2(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = aster(*words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.complaint


@pytest.mark.parametrize(
    "words",
    [
        ["status", "nope"],
        ["resume", "nope"],
        ["trials", "nope"],
        ["show", "s", "99"],
        ["show", "s", "0", "--index", "99"],
        ["pareto", "nope"],
        ["importance", "nope"],
        ["slice", "nope", "network.width"],
        ["export", "nope"],
        ["export", "s", "--select", "trial:99"],
        ["delete", "nope", "--yes"],
        ["stop", "s"],
    ],
    ids=" ".join,
)
def test_what_does_not_exist_is_3(words: list[str], searched: Home) -> None:
    ran = searched.aster(*words)
    assert (ran.code, ran.out) == (3, "")
    assert ran.complaint


@pytest.mark.parametrize("command", ["studies", "status s", "resume s", "delete s --yes", "db upgrade"])
def test_a_database_that_is_not_there_is_3_and_is_not_made(command: str, tmp_path: Path) -> None:
    ran = aster(*command.split(), "--storage", f"sqlite:///{tmp_path}/none.db")
    assert ran.code == 3
    assert "there is no such file" in ran.complaint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_5_and_is_not_made(home: Home) -> None:
    ran = aster("search", home.space, "--storage", f"sqlite:///{home.folder}/none/x.db")
    assert ran.code == 5
    assert not (home.folder / "none").exists()


@pytest.mark.parametrize("command", ["studies", "status s", "search digits_dvs", "db upgrade", "export s"])
def test_an_unreachable_database_is_5_and_its_password_stays_secret(command: str) -> None:
    ran = aster(*command.split(), "--storage", UNREACHABLE)
    assert ran.code == 5
    assert "user:***@127.0.0.1:1/db" in ran.complaint
    assert SECRET not in ran.out + ran.err


def test_doctor_keeps_the_password_too() -> None:
    ran = aster("doctor", "--json", "--storage", UNREACHABLE)
    assert ran.code == 1
    assert [check["check"] for check in ran.document if not check["ok"]] == ["storage"]
    assert SECRET not in ran.out + ran.err


def test_artifacts_that_cannot_be_made_are_said_before_any_training(home: Home) -> None:
    ran = home.search("--artifacts", "/dev/null/x")
    assert ran.code == 2
    assert ran.complaint.startswith("--artifacts: /dev/null/x cannot be made")


def test_a_fault_of_the_program_is_one_line_too(monkeypatch: pytest.MonkeyPatch, searched: Home) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault\nof two lines")

    monkeypatch.setattr(studies, "_identity", broken)
    ran = searched.aster("studies")
    assert ran.code == 1
    assert "ZeroDivisionError: a fault of two lines" in ran.complaint
    assert "ASTER_DSE_DEBUG=1" in ran.complaint
    monkeypatch.setenv("ASTER_DSE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        searched.aster("studies")
