"""Knobs of what the arrays compute: ranges, columns, conditions of cells, chips."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aster_dse.errors import InputError
from aster_dse.space import (
    Candidate,
    CellConditions,
    HardwareConfig,
    SearchSpace,
    load_space,
    parse_conditions,
)
from aster_dse.space.compare import difference
from aster_dse.space.layers import canonical_layers
from aster_dse.space.schema import json_schema

OLD = Path(__file__).parent / "data" / "digits_before_real_arrays.yaml"


def space(**hardware):
    content = yaml.safe_load(OLD.read_text())
    return SearchSpace.from_mapping({**content, "hardware": {**content["hardware"], **hardware}}, "my.yaml")


def test_a_space_that_knows_none_of_the_new_knobs_has_the_hash_it_had():
    old = load_space(str(OLD))
    assert old.hash == "9b0789415128bccf"
    assert old.fixed["hardware.arrays"] == "ideal"
    for name in ("adc_range", "adc_range_per", "column_kind", "conditions", "chips", "validation_samples"):
        assert old.fixed[f"hardware.{name}"] is None
    again = SearchSpace.from_mapping(old.as_dict())
    assert again.hash == old.hash
    assert difference(old, again) == []
    assert space(arrays="ideal", chips=None, conditions="none").hash == old.hash


@pytest.mark.parametrize(
    "changed",
    [
        {"arrays": "real"},
        {"conditions": "variation=0.1"},
        {"conditions": "cell"},
        {"chips": 3},
        {"validation_samples": 500},
        {"column_kind": "offset"},
        {"adc_range": {"choices": ["mse", "max"]}},
    ],
)
def test_a_new_knob_that_is_set_changes_the_hash(changed):
    old, new = load_space(str(OLD)), space(**changed)
    assert new.hash != old.hash
    assert len(difference(old, new)) == 1
    assert SearchSpace.from_mapping(new.as_dict()).hash == new.hash


def test_an_old_candidate_means_ideal_arrays_and_its_network_stays():
    content = load_space(str(OLD)).candidate({**start()}).model_dump()
    new = Candidate.model_validate(
        {**content, "hardware": {**content["hardware"], "arrays": "real", "conditions": "variation=0.1"}}
    )
    for name in ("adc_range", "adc_range_per", "column_kind", "arrays", "conditions", "chips"):
        del content["hardware"][name]
    old = Candidate.model_validate(content)
    assert old.hardware.arrays == "ideal"
    assert old.training_key() == new.training_key()


def start():
    return {p.path: p.from_unit(0.5) for p in load_space(str(OLD)).parameters}


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("arrays", {"choices": ["ideal", "real"]}),
        ("chips", {"low": 1, "high": 8}),
        ("validation_samples", {"choices": [100, 500]}),
        ("conditions", {"choices": ["variation=0.1", "variation=0.2"]}),
    ],
)
def test_what_describes_the_study_cannot_be_searched(name, entry):
    with pytest.raises(InputError) as caught:
        space(**{name: entry})
    assert str(caught.value) == (
        f"my.yaml: hardware.{name}: cannot be searched: it says how the study judges its configurations "
        "(give it one value)"
    )
    with pytest.raises(InputError, match=rf"hardware\.{name}: a list.*\(give it one value\)"):
        space(**{name: [1, 2]})


def test_conditions_may_be_a_mapping():
    written = {"on_off": 150, "variation": 0.1, "norm_reestimation": True}
    assert space(conditions=written).fixed["hardware.conditions"] == (
        "on_off=150 variation=0.1 norm_reestimation=true"
    )
    assert space(conditions={"variation": 0}).fixed["hardware.conditions"] is None


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ("varation=0.1", "'varation' is no condition of cells"),
        ("variation", "'variation' sets nothing"),
        ("variation=-0.1", "variation: -0.1 is out of range (at least 0"),
        ("variation=nan", "variation: nan is out of range"),
        ("read_noise=inf", "read_noise: inf is out of range"),
        ("on_off=1", "on_off: 1.0 is out of range (> 1"),
        ("on_off=inf", "on_off: inf is out of range"),
        ("drift=0", "drift: 0.0 is out of range (> 0"),
        ("stuck_on=1.5", "stuck_on: 1.5 is out of range (a share from 0 to 1)"),
        ("stuck_on=0.7 stuck_off=0.6", "stuck_on and stuck_off: 1.3 of the cells are stuck (at most 1"),
        ("variation=0.1 variation=0.2", "variation is given twice"),
        ("variation=a", 'variation: "a" is no number'),
        ("variation_of=cell", 'variation_of: "cell" is unknown (level or range)'),
        ("drift_correction=1", 'drift_correction: "1" is no truth value'),
        ("", "no condition is given"),
        ({}, "no condition is given"),
        ({"variation": True}, "variation: true is no number"),
        ({"variation": {"low": 0.1, "high": 0.2}}, "variation: {low, high} is no number"),
        ({"variation": None}, "variation: null is no number"),
        ({"variation": 10**400}, "is no number"),
        ({"variation_of": []}, "variation_of: [] is unknown"),
    ],
)
def test_conditions_that_cannot_be_are_refused_with_path_and_remedy(conditions, message):
    with pytest.raises(InputError) as caught:
        space(conditions=conditions)
    assert str(caught.value).startswith("my.yaml: hardware.conditions: ")
    assert len(str(caught.value)) < 250
    assert message in str(caught.value)
    assert str(caught.value).endswith(")")


shares = st.floats(0.0, 0.5)


@given(
    conditions=st.builds(
        CellConditions,
        on_off=st.none() | st.floats(1.001, 1e9),
        variation=st.floats(0.0, 10.0),
        variation_of=st.sampled_from(["level", "range"]),
        read_noise=st.floats(0.0, 50.0),
        stuck_on=shares,
        stuck_off=shares,
        drift=st.floats(1e-6, 100.0),
        drift_correction=st.booleans(),
        norm_reestimation=st.booleans(),
    )
)
def test_the_text_of_conditions_says_all_of_them(conditions):
    assert parse_conditions(conditions.text) == conditions
    assert parse_conditions(conditions.text).text == conditions.text


def test_ideal_conditions_are_those_that_change_nothing():
    assert CellConditions().ideal
    assert CellConditions(drift_correction=True, variation_of="range").ideal
    for changed in (
        "on_off=150",
        "variation=0.1",
        "read_noise=1",
        "stuck_on=0.1",
        "stuck_off=0.1",
        "drift=0.9",
    ):
        assert not parse_conditions(changed).ideal


def test_a_layer_may_have_its_own_range_and_columns():
    text = "stem.*: adc_range=p99.9 adc_range_per=layer column_kind=offset"
    assert HardwareConfig(layers=text).layers == canonical_layers(text) == text


def test_the_schema_knows_conditions_and_no_range_of_what_is_fixed():
    hardware = json_schema()["properties"]["hardware"]["properties"]
    assert [form.get("type") for form in hardware["arrays"]["anyOf"]] == ["string"]
    assert "variation" in hardware["conditions"]["anyOf"][-1]["properties"]
    assert not any("choices" in form.get("properties", {}) for form in hardware["chips"]["anyOf"])
