"""What the pages say to type can be typed: every command, snippet and file in them is run or parsed here."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.main import get_command

from aster_dse.cli import main
from aster_dse.cli.program import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
STANDS_FOR = {
    "STUDY": "s",
    "NUMBER": "0",
    "KNOB": "network.width",
    "SPACE": "digits_dvs",
    "FILE": "file.yaml",
    "CHECKPOINT": "checkpoint",
    "WORKLOAD": "digits-dvs",
    "NAME": "cifar10-2-256",
    "PRESET": "isaac-32nm",
    "DIR": "data",
    "DATA": "data",
    "FOLDER": "folder",
    "[WORKLOAD]": "digits-dvs",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(kind: str) -> list[Block]:
    """The fenced blocks of all pages that are of one kind."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w+)\n(.*?)^```", text, re.M | re.S):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(page.name, line, match[1], match[2]))
    return [block for block in found if block.kind == kind]


def typed(text: str) -> list[str]:
    """The command lines in a block, without what they print."""
    joined = text.replace("\\\n", " ")
    return [line.strip().removeprefix("$ ") for line in joined.splitlines() if _is_command(line.strip())]


def _is_command(line: str) -> bool:
    return re.match(r"(\$ )?(aster-dse|python|ssh|make) ", line) is not None


def all_commands() -> list[tuple[str, str]]:
    """Every command of this program in the pages: in blocks, indented or in running text."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            for part in [line, *re.findall(r"`([^`]+)`", line), *re.findall(r"'(aster-dse [^']+)'", line)]:
                match = re.match(r"(?:\$ | {4}|[A-Z_]+=\w+ )*(aster-dse .*)$", part)
                if match:
                    found.append((page.name, match[1].partition(" -- ")[0]))
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(("page", "line"), all_commands())
def test_every_command_in_the_pages_is_one(page: str, line: str) -> None:
    words = [STANDS_FOR.get(word, word) for word in shlex.split(line, comments=True)][1:]
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if not words or words[0] in ("--help", "--version", "--install-completion"):
        return  # named, not typed
    assert not hasattr(command, "commands"), f"{page}: {line}"
    if words == ["--layers"]:
        return
    if any(word.startswith("-") for word in words):
        command.make_context(command.name, words)
        return
    with suppress(typer.BadParameter):  # a heading names what a command is about, not all that it needs
        command.make_context(command.name, words)


def benchmarks() -> list[str]:
    """The commands of the pages that measure something."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    return sorted({found for text in texts for found in re.findall(r"python (benchmarks/[^`#\n]+)", text)})


@pytest.mark.parametrize("line", benchmarks())
def test_every_benchmark_in_the_pages_takes_what_they_say(line: str) -> None:
    file, *words = shlex.split(line)
    source = (ROOT / file).read_text(encoding="utf-8")
    for word in words:
        if word.startswith("-"):
            assert f'"{word}"' in source


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_every_file_in_the_pages_is_taken(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load(block.text)
    if content is None:
        return  # a comment, for an editor
    if "name" not in content:
        whole = yaml.safe_load((ROOT / "search_spaces" / "digits_dvs.yaml").read_text(encoding="utf-8"))
        whole["hardware"] = {"rows": {"choices": [32, 64]}} | content["hardware"]
        content = whole
    Path("space.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    assert main(["space", "check", "space.yaml"]) == 0


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_snippet_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from safetensors.torch import load_file

    from aster_dse.activity.uniform import uniform_activity
    from aster_dse.network.geometry import network_geometry
    from aster_dse.network.model import SpikeDrivenTransformer
    from aster_dse.network.published import load_published
    from aster_dse.space import NetworkConfig

    monkeypatch.chdir(tmp_path)
    network = NetworkConfig(width=16, depth=2, stem="4-2-1-1", pooling="1010")
    geometry = network_geometry(network, in_channels=2, resolution=16, classes=10, timesteps=2)
    model = SpikeDrivenTransformer(network, geometry).eval()
    torch.save({"state_dict": model.state_dict()}, "checkpoint.pth.tar")

    class Recorder:
        def __getattr__(self, _name: str) -> Any:
            return lambda *_arguments, **_named: None

    names: dict[str, Any] = {
        "geometry": geometry,
        "activity": uniform_activity(geometry, 0.1),
        "model": model,
        "frames": torch.rand(2, 1, 2, 16, 16),
        "recorder": Recorder(),
        "load_published": load_published,
        "load_file": load_file,
        "Path": Path,
    }
    with torch.no_grad():
        exec(compile(block.text, str(block), "exec"), names)


def test_the_configuration_in_json_has_the_keys_that_are_printed(tmp_path: Path) -> None:
    from aster_dse.export.points import Point
    from aster_dse.space import METRICS, Candidate

    (block,) = blocks("json")
    shown = json.loads(block.text)
    candidate = Candidate.model_validate({"workload": {"name": "digits-dvs"}, "network": {}, "training": {}})
    printed = Point("s", 3, 12, dict.fromkeys(METRICS, 0.5), 0.0, candidate, "key").as_dict()
    assert set(shown) <= set(printed)
    assert set(shown["metrics"]) <= set(printed["metrics"])
    assert list(shown["configuration"]) == list(printed["configuration"])
    assert tmp_path.is_dir()


def test_make_has_the_targets_that_are_named() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M)) <= targets


SMALLER = {
    "search": "--workers 0 --trials 1 --sampler random --set training.epochs=1 --set constraints=[]",
    "resume": "--workers 0 --trials 2",
    "repeat": "--workers 0 --seeds 1",
    "train": "--set training.epochs=1 --set network.stem=4-2-1-1 --set network.width=16",
    "finetune": "--set training.epochs=1",
    "record": "--limit 20 --resolution 16 --bins 4",
}
"""Options after a command of the pages that make it last seconds; of two the last one counts."""


@pytest.mark.pages
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run_one_after_the_other(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ASTER_DSE_STORAGE", "ASTER_DSE_ARTIFACTS", "ASTER_DSE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["aster-dse"])
    Path("tests").symlink_to(ROOT / "tests")
    space = (ROOT / "search_spaces" / "digits_dvs.yaml").read_text(encoding="utf-8")
    Path("my_space.yaml").write_text(space, encoding="utf-8")
    lines = [
        line.replace("make search", "aster-dse search digits_dvs")  # as the Makefile says
        for kind in ("sh", "console")
        for block in blocks(kind)
        if block.page == page.name
        for line in typed(block.text)
        if line.startswith(("aster-dse ", "make search"))
    ]
    if not lines:
        pytest.skip("nothing to type")
    done = []
    for line in lines:
        words = _small(line)
        if words is not None:
            code = main(words)
            assert code == 0 or "too few" in capsys.readouterr().err, (line, words)
            done.append(line)
    assert done or page.name == "dashboard.md"


def _small(line: str) -> list[str] | None:
    """A command of the pages as it is run here; None where it takes what is not here, or does not end."""
    words = shlex.split(line, comments=True)[1:]
    if words[0] == "dashboard" or "DATA" in words:
        return None  # the dashboard has tests of its own; DATA are downloads
    for option in ("--address", "--storage"):
        if option in words:
            place = words.index(option)
            del words[place : place + 2]
    words = ["0" if word == "15" else word for word in words]
    if words[0] == "record":
        words = ["digits" if word == "cifar10" else word for word in words]
    if shutil.which("chromium") is None:
        words = [re.sub(r"\.png$", ".html", word) for word in words]
    return [*words, *shlex.split(SMALLER.get(words[0], ""))]
