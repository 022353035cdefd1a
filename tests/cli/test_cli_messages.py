"""Whatever a file or a terminal is like, the words are ours: the line, what is wrong, what would be right."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from command_line import PROGRAM, SPACE, Home, Ran, aster

from aster_dse.errors import InputError
from aster_dse.space.document import Place, parse_yaml

FOREIGN = re.compile(
    r"pydantic|yaml\.|block mapping|block end|scalar|token|traceback|zlib|Errno|utf-8' codec|field required|"
    r"extra inputs|input should|value error|Error -\d",
    re.I,
)


def complaints(ran: Ran) -> list[str]:
    lines = [line.removeprefix("aster-dse: error: ") for line in ran.err.splitlines()]
    assert all(line.startswith("aster-dse: error: ") for line in ran.err.splitlines()), ran.err
    assert not any(FOREIGN.search(line) for line in lines), lines
    return lines


NO_YAML = {
    "a: b: c\n": "line 1, column 5: not YAML: a colon where none can be (put the text in quotes",
    "a: [1, 2\nb: 3\n": "a list is not closed",
    "a: {b: 1\nc: 2\n": "a mapping is not closed",
    "a:\n  b: 1\n c: 2\n": "line 3",
    "a: 'open\n": "quotes are not closed",
    "a: *b\n": "a * refers to nothing",
    "a:\n\tb: 1\n": "a tab (indent with blanks)",
    "a: @b\n": "@ cannot begin a value (put the text in quotes)",
    "a: %b\n": "% cannot begin a value",
    'a: "\\q"\n': "a backslash",
    "a\nb: 1\n": "line 2",
    "a: 1\n---\na: 2\n": "a second document begins (keep one)",
    "a: \x00\n": "line 1: a control character",
    "a: - b\n": "a dash where none can be",
    "a: ]\n": "line 1",
    "a: 1\na: 2\n": "a: given twice, in lines 1 and 2",
    "a: !!python/object:os.system x\n": "means nothing here",
}


@pytest.mark.parametrize("text", NO_YAML)
def test_what_is_no_yaml_is_said_in_plain_words(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, Place("x.yaml"))
    said = str(caught.value)
    assert said.startswith("x.yaml: ")
    assert NO_YAML[text] in said
    assert not FOREIGN.search(said), said


def test_all_that_is_wrong_with_a_space_is_said_at_once_with_its_lines(tmp_path: Path) -> None:
    text = (
        SPACE.replace("depth: 1", "depth: one, widht: 8")
        .replace("energy_uj: min", "energy_uj: max")
        .replace("[8, 16, 32]", "[8, 16, 33]")
        .replace('"area_mm2 <= 50"', '"area_mm2 <= 50", "size < 3"')
        .replace("trials: 2", "trials: 0")
        + "extra: 1\n"
    )
    file = tmp_path / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    for command in (("space", "check"), ("search",)):
        ran = aster(
            *command, file, *([] if command[0] == "space" else ["--storage", f"sqlite:///{tmp_path}/x.db"])
        )
        assert ran.code == 2
        lines = complaints(ran)
        for number, words in (
            (3, 'network.depth: "one" is text'),
            (3, "network.widht: unknown knob (did you mean width?)"),
            (6, "hardware.adc_levels.choices"),
            (7, "objectives.energy_uj"),
            (8, "constraints.1"),
            (9, "search.trials: 0 is out of range"),
            (10, "extra: unknown key"),
        ):
            assert any(line.startswith(f"{file}: line {number}: {words}") for line in lines), (words, lines)
        assert len(lines) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_all_that_is_wrong_with_an_accelerator_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "chip.yaml"
    file.write_text("rows: 64\nadc_levels: 3\nrowz: 1\ncell_bits: many\n", encoding="utf-8")
    lines = complaints(aster("hardware", "estimate", "--hardware", file))
    assert [line.removeprefix(f"{file}: ").split(":")[:2] for line in lines] == [
        ["line 2", " adc_levels"],
        ["line 3", " rowz"],
        ["line 4", " cell_bits"],
    ]


def test_a_component_library_and_a_preset_are_read_as_carefully(tmp_path: Path) -> None:
    library = yaml.safe_load(
        (Path(__file__).parents[2] / "aster_dse/hardware/libraries/aster-mixed.yaml").read_text("utf-8")
    )
    library["supply_v"] = "small"
    library["registr_energy"] = library.pop("register_energy")
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(library, sort_keys=False), encoding="utf-8")
    lines = complaints(aster("hardware", "estimate", "--library", file))
    assert len(lines) >= 3
    assert any("register_energy: missing" in line for line in lines)
    assert any("registr_energy: unknown key (did you mean register_energy?)" in line for line in lines)
    assert any(re.search(r"line \d+: supply_v: \"small\" is text, not", line) for line in lines)
    file.write_text("name: x\nknobs: {rows: tall}\nfabric: {membrane_bits: 2}\n", encoding="utf-8")
    lines = complaints(aster("hardware", "estimate", "--set", f"hardware.base={file}"))
    assert any("line 3: fabric.membrane_bits: 2 is out of range (>= 4)" in line for line in lines)
    assert any("line 3: fabric.router_cycles: missing" in line for line in lines)


def test_an_exported_file_that_was_changed_is_refused_with_its_lines(searched: Home, tmp_path: Path) -> None:
    file = tmp_path / "best.yaml"
    assert searched.aster("export", "s", "--select", "knee", "-o", file).code == 0
    whole = yaml.safe_load(file.read_text(encoding="utf-8"))
    whole["points"][0]["trial"] = -1
    whole["points"][0]["configuration"]["network"]["width"] = "wide"
    del whole["seed"]
    for ending, text in (
        ("yaml", yaml.safe_dump(whole, sort_keys=False)),
        ("json", json.dumps(whole, indent=1)),
    ):
        file = tmp_path / f"changed.{ending}"
        file.write_text(text, encoding="utf-8")
        ran = aster("reproduce", file)
        assert ran.code == 2
        lines = complaints(ran)
        assert len(lines) == 3
        for words in (
            r": line \d+: points\.0\.trial: -1 is out of range \(>= 0\)",
            r': line \d+: points\.0\.configuration\.network\.width: "wide" is text, not',
        ):
            assert any(re.search(words, line) for line in lines), lines
        assert any("seed: missing" in line for line in lines)
    file.write_text('{"format": "aster-dse configurations", ', encoding="utf-8")
    (line,) = complaints(aster("reproduce", file))
    assert "not closed" in line


@pytest.mark.parametrize("encoding", ["shift_jis", "ascii", "latin-1", "cp437"])
def test_a_terminal_without_our_characters_gets_plainer_ones(searched: Home, encoding: str) -> None:
    words = ["pareto", "s"] if encoding != "cp437" else ["show", "s", "0"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "ASTER_DSE_STORAGE": searched.storage}
    ran = subprocess.run([PROGRAM, *words], env=environment, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    text = ran.stdout.decode(encoding)
    assert "mm" in text
    assert "accuracy of ideal arrays" in text


def test_data_are_never_written_in_plainer_characters(home: Home) -> None:
    study = "\u00e4\u2192"
    assert home.search("--study", study, "--trials", 1, "--set", "training.epochs=1").code == 0
    environment = {**os.environ, "PYTHONIOENCODING": "shift_jis", "ASTER_DSE_STORAGE": home.storage}

    def run(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([PROGRAM, *words], env=environment, capture_output=True, check=False)

    (only,) = json.loads(run("studies", "--json").stdout)
    assert only["study"] == study
    ran = run("export", study, "--select", "knee")
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b"PYTHONIOENCODING=utf-8" in ran.stderr
