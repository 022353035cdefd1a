"""Files that commands write: an ending is known or refused, and what cannot be written is said at once."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import yaml
from command_line import Home, aster

FORMS = {
    "one line": 'layers: "stem.*: compute=digital; block.*.fc1: adc_levels=8"\n',
    "a mapping": "layers:\n  stem.*: {compute: digital}\n  block.*.fc1: {adc_levels: 8}\n",
    "both": "layers:\n  stem.*: compute=digital\n  block.*.fc1: {adc_levels: 8}\n",
    "the whole group": "hardware:\n  layers:\n    stem.*: compute=digital\n    block.*.fc1: adc_levels=8\n",
}
TYPED = (
    "hardware.layers=stem.*: compute=digital; block.*.fc1: adc_levels=8",
    "hardware.layers={stem.*: {compute: digital}, block.*.fc1: adc_levels=8}",
    'hardware.layers="stem.*: compute=digital; block.*.fc1: adc_levels=8"',
)


def test_knobs_of_layers_are_written_the_same_way_everywhere(tmp_path: Path) -> None:
    def estimated(*words: object) -> float:
        ran = aster("hardware", "estimate", *words, "--json")
        assert ran.code == 0, ran.err
        energy: float = ran.document["energy_uj"]
        return energy

    found = {estimated("--set", text) for text in TYPED}
    for name, text in FORMS.items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(text, encoding="utf-8")
        found.add(estimated("--hardware", file))
        space = yaml.safe_load((Path(__file__).parents[2] / "search_spaces/digits_dvs.yaml").read_text())
        space["hardware"] |= yaml.safe_load(text).get("hardware", yaml.safe_load(text))
        file.write_text(yaml.safe_dump(space), encoding="utf-8")
        assert aster("space", "check", file).code == 0
    assert len(found) == 1
    assert found != {estimated()}


def test_settings_that_are_text_are_taken_as_typed() -> None:
    from aster_dse.space import load_space

    space = load_space("digits_dvs")
    for text in TYPED:
        changed = space.override(text)
        assert changed.fixed["hardware.layers"] == "stem.*: compute=digital; block.*.fc1: adc_levels=8"
    assert space.override("network.pooling=0011").fixed["network.pooling"] == "0011"
    assert space.override("workload.folder=null").fixed["workload.folder"] is None
    searched = space.override('hardware.layers={choices: ["head: rows=64", "head: rows=32"]}')
    assert "hardware.layers" in {parameter.path for parameter in searched.parameters}


@pytest.mark.parametrize("ending", [".tex", ".md", ".xlsx", ".txt"])
def test_what_an_export_cannot_be_is_refused_at_once(searched: Home, tmp_path: Path, ending: str) -> None:
    ran = searched.aster("export", "s", "-o", tmp_path / f"front{ending}")
    assert (ran.code, ran.out) == (2, "")
    assert "testing them" not in ran.err
    assert f"nothing is exported as {ending}" in ran.complaint
    assert ("--format latex" in ran.complaint) == (ending == ".tex")
    assert list(tmp_path.iterdir()) == []


def test_a_dash_is_standard_output(searched: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = searched.aster("export", "s", "--select", "knee", "--format", "json", "-o", "-")
    assert len(json.loads(ran.out)["points"]) == 1
    assert list(tmp_path.iterdir()) == []
    assert "standard output" in aster("profile", "none", "-o", "-").complaint


def test_a_pipe_is_written_to_and_not_replaced(searched: Home, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    ran = searched.aster("export", "s", "--select", "knee", "--format", "csv", "-o", pipe)
    assert ran.code == 0, ran.err
    assert os.read(reader, 20).startswith(b"study,trial,index")
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    "words",
    [
        ["export", "s", "-o", "none/x.yaml"],
        ["export", "s", "-o", "."],
        ["sweep", "checkpoint", "-o", "none/x.html"],
        ["sweep", "checkpoint", "-o", "x.doc"],
        ["profile", "checkpoint", "-o", "/proc/x.json"],
        ["evaluate", "checkpoint", "--logits", "none/x.npz"],
        ["evaluate", "checkpoint", "--logits", "x.npy"],
        ["hardware", "estimate", "-o", "none/x.html"],
        ["hardware", "sweep", "checkpoint", "--over", "rows", "-o", "none/x.csv"],
        ["train", "digits-dvs", "-o", "/proc/x"],
        ["train", "digits-dvs", "-o", "/proc"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_written_is_said_before_any_work(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = aster(*words)
    assert (ran.code, ran.out) == (2, "")
    # The study, the checkpoint and the data are not even looked for.
    assert ran.complaint.startswith(("--output: ", "--logits: "))
    assert len(ran.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_picture_without_a_browser_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from choreographer.browsers.chromium import Chromium

    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(Chromium, "find_browser", lambda **_: None)
    ran = aster("sweep", tmp_path / "checkpoint", "-o", tmp_path / "x.png")
    assert (ran.code, "x.html instead" in ran.complaint) == (1, True)
