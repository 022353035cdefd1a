"""Firing logs are read as people have them: ours, ASTER's, and with the text that scripts print around."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_dse.activity.firing_log import FiringLog, by_step, read_firing_log, write_firing_log
from aster_dse.errors import InputError, NotFoundError

LAYERS = ("MS_SPS_lif", "MS_SSA_Conv0_x_after_qkv", "MS_SSA_Conv1_x_after_qkv", "head_lif")


def log_of(seed: int = 0, steps: int = 3) -> FiringLog:
    random = np.random.default_rng(seed)
    rates = {layer: random.uniform(size=steps) for layer in LAYERS}
    return FiringLog(rates, non_zero=dict(rates), samples=7, network={"network": {"depth": 2}})


def same(one: FiringLog, other: FiringLog) -> bool:
    return by_step(one.firing_rate) == by_step(other.firing_rate)


RATES = st.floats(0, 1, allow_subnormal=False)


@settings(max_examples=30)
@given(
    steps=st.lists(st.tuples(*[RATES] * len(LAYERS)), min_size=1, max_size=5),
    form=st.sampled_from(["ours", "aster"]),
)
def test_what_is_written_is_read_to_the_bit(
    steps: list[tuple[float, ...]], form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = np.array(steps)
    log = FiringLog({layer: table[:, i] for i, layer in enumerate(LAYERS)})
    path = tmp_path_factory.mktemp("log") / "firing.json"
    write_firing_log(path, log, form)  # type: ignore[arg-type]
    read = read_firing_log(path)
    assert same(read, log)
    assert (read.block_activity(2, "x") == log.block_activity(2, "x")).all()


def test_our_format_keeps_what_it_was_measured_on(tmp_path: Path) -> None:
    write_firing_log(tmp_path / "x.json", log_of())
    read = read_firing_log(tmp_path / "x.json")
    assert (read.samples, read.network) == (7, {"network": {"depth": 2}})
    assert by_step(read.non_zero) == by_step(log_of().non_zero)
    document = json.loads((tmp_path / "x.json").read_text())
    assert document["block_activity"] == log_of().block_activity(2, "x").tolist()


def test_asters_format_is_the_rates_alone(tmp_path: Path) -> None:
    write_firing_log(tmp_path / "x.json", log_of(), "aster")
    document = json.loads((tmp_path / "x.json").read_text())
    assert list(document) == ["t0", "t1", "t2"]
    assert list(document["t0"]) == list(LAYERS)


def test_text_before_and_after_the_log(tmp_path: Path) -> None:
    text = json.dumps(by_step(log_of().firing_rate), indent=4)
    (tmp_path / "run.log").write_text(
        "Model sdt created {'dim': 256}, param count: 2.5M\n"
        f"Test: [ 10/10]  Acc@1: 79.3\n{text}\n*** Best metric: 79.3 {{epoch 3}}\n"
    )
    assert same(read_firing_log(tmp_path / "run.log"), log_of())


def test_the_published_scripts_log_with_the_shares_of_non_zero_outputs_first(tmp_path: Path) -> None:
    shares = by_step(log_of(seed=1, steps=2).firing_rate) | {"t2": {}, "t3": {}}
    fired = by_step(log_of(seed=2, steps=2).firing_rate) | {"t2": {}, "t3": {}}
    (tmp_path / "run.log").write_text(
        f"firing_num.py starts\nnon_zero: \n{json.dumps(shares, indent=4)}\n"
        f"firing_rate: \n{json.dumps(fired, indent=4)}\nbye\n"
    )
    read = read_firing_log(tmp_path / "run.log")
    assert same(read, log_of(seed=2, steps=2))
    assert read.timesteps == 2


def test_of_several_runs_in_one_file_the_last_is_meant(tmp_path: Path) -> None:
    texts = [json.dumps(by_step(log_of(seed=seed).firing_rate)) for seed in (1, 2)]
    (tmp_path / "run.log").write_text(f"firing_rate:\n{texts[0]}\nagain\nfiring_rate:\n{texts[1]}\n")
    assert same(read_firing_log(tmp_path / "run.log"), log_of(seed=2))


ONE = '{"t0": {"a": 0.5}'
BAD = {
    "no log at all": ("nothing here", "holds no firing log"),
    "JSON of another kind": ('{"rows": 64}', "holds no firing log"),
    "cut short": ('INFO\n{"t0": {"a": 0.5}, "t1": {"a": 0.', "line 2: a firing log that is cut short"),
    "only shares of non-zero outputs": ('non_zero:\n{"t0": {"a": 0.5}}', "no firing rates"),
    "a step that is missing": (ONE + ', "t2": {"a": 0.5}}', "has the steps t0, t2"),
    "a layer that is missing": (ONE + ', "t1": {"b": 0.5}}', "t1.a: None is no rate"),
    "a rate that is text": ('{"t0": {"a": "0.5"}}', "t0.a: '0.5' is no rate"),
    "a rate that is no number": ('{"t0": {"a": NaN}}', "t0.a: nan is no rate"),
    "a rate below zero": ('{"t0": {"a": -0.1}}', "t0.a: -0.1 is no rate"),
    "steps without layers": ('{"t0": [0.5]}', "no mapping of steps"),
    "another version": ('{"format": "aster-dse firing log", "version": 9, "firing_rate": {}}', "version 9"),
}


@pytest.mark.parametrize("problem", BAD)
def test_what_is_no_log_is_one_line(problem: str, tmp_path: Path) -> None:
    text, said = BAD[problem]
    path = tmp_path / "x.log"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_firing_log(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such firing log"):
        read_firing_log(tmp_path / "none.json")
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text"):
        read_firing_log(tmp_path / "x")


def test_a_log_of_another_network_is_refused() -> None:
    with pytest.raises(InputError, match="has no MS_SSA_Conv2_x_after_qkv"):
        log_of().block_activity(3, "x.json")
    with pytest.raises(InputError, match="has more blocks than the network's 1"):
        log_of().block_activity(1, "x.json")
