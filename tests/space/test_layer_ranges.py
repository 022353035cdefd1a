"""Searched knobs of single layers: what a pattern means, and one text for one vector."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_dse.errors import InputError
from aster_dse.hardware import resolve
from aster_dse.space import HardwareConfig, LayerRanges, SearchSpace, difference, extends, json_schema
from aster_dse.space.layer_ranges import LayerFamily
from aster_dse.space.layers import layer_names

LAYERS = "hardware.layers"
CHOICES = {"choices": [1, 2, 4]}


def space(layers: Any, depth: Any = 2, **hardware: Any) -> SearchSpace:
    return SearchSpace.from_mapping(
        {
            "name": "layered",
            "workload": {"name": "digits-dvs", "resolution": 16, "timesteps": 2},
            "network": {"depth": depth},
            "hardware": {"layers": layers, **hardware},
            "objectives": {"energy_uj": "min"},
        }
    )


def ranges(layers: Any, depth: Any = 2) -> LayerRanges:
    found = space(layers, depth).parameter(LAYERS)
    assert isinstance(found, LayerRanges)
    return found


@pytest.mark.parametrize(
    ("pattern", "slots", "first"),
    [
        ("each", 18, ("stem.0", 1)),
        ("*", 1, ("*", 18)),
        ("stem.each", 5, ("stem.0", 1)),
        ("stem.*", 1, ("stem.*", 5)),
        ("block.each.*", 2, ("block.0.*", 6)),
        ("block.*.each", 6, ("block.*.q", 2)),
        ("block.each.each", 12, ("block.0.q", 1)),
        ("block.each.fc1", 2, ("block.0.fc1", 1)),
        ("block.1.each", 6, ("block.1.q", 1)),
        ("head", 1, ("head", 1)),
    ],
)
def test_each_is_a_value_of_its_own_and_a_star_is_one_for_all(
    pattern: str, slots: int, first: tuple[str, int]
) -> None:
    found = ranges({pattern: {"column_mux": CHOICES}})
    assert len(found.slots) == slots
    assert (found.slots[0].pattern, len(found.slots[0].layers)) == first
    assert found.cardinality == 3**slots


def test_layers_are_those_of_the_deepest_network() -> None:
    for depth in ({"low": 1, "high": 3}, {"choices": [3, 2]}, 3):
        found = space({"block.each.*": {"column_mux": CHOICES}}, depth)
        assert found.size().inner == 27
        assert found.size().bounds_only == (depth != 3)
    assert found.parameter(LAYERS).on(layer_names(range(1))).cardinality == 3  # type: ignore[attr-defined]


FAMILIES = [
    LayerFamily("stem.each", (("column_mux", (1, 2, 4)),)),
    LayerFamily("block.*.each", (("compute", ("analog", "digital")), ("rows", (64, 32)))),
    LayerFamily("block.each.each", (("adc_levels", (8, 16)), ("cell_bits", (2,)))),
    LayerFamily("head", (("weight_bits", (4, 8)),)),
]


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(), depth=st.integers(1, 3), which=st.sampled_from([(0, 1), (0, 2, 3), (2,), (1, 3), (0,)])
)
def test_a_text_is_a_vector_and_a_vector_a_text(
    data: st.DataObject, depth: int, which: tuple[int, ...]
) -> None:
    found = LayerRanges(
        LAYERS,
        None,
        (("stem.0", {"weight_bits": 6}),),
        tuple(FAMILIES[number] for number in which),
        layer_names(range(depth)),
    )
    vector = tuple(data.draw(st.integers(0, count - 1)) for count in found.counts)
    text = found.text(vector)
    assert found.vector(text) == vector
    assert text in found
    assert text in found.on(layer_names(range(3)))
    assert HardwareConfig(layers=text).layers == text
    views = resolve(HardwareConfig(layers=text)).of_layers(found.layers)
    for slot, option in zip(found.slots, vector, strict=True):
        chosen = found.families[slot.family].options[option]
        for place in slot.layers:
            assert {name: getattr(views[place], name) for name in chosen} == chosen
    assert views[0].weight_bits == 6


def test_a_unit_gives_all_layers_the_same_share() -> None:
    found = ranges({"each": {"column_mux": {"choices": [1, 2, 4, 8]}}})
    assert [found.from_unit(unit) for unit in (0.0, 0.3, 0.6, 1.0)] == [
        f"*: column_mux={mux}" for mux in (1, 2, 4, 8)
    ]
    assert found.to_unit("*: column_mux=4") == pytest.approx(0.625)
    assert len(set(ranges({"stem.each": {"column_mux": CHOICES}}).values() or ())) == 243
    assert found.values() is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*: column_mux=2",
        "stem.*: column_mux=3",
        "stem.*: column_mux=2 rows=64",
        "stem.*: column_mux=2; block.0.q: column_mux=2",
        "nonsense",
    ],
)
def test_texts_of_other_ranges_lie_outside(text: str) -> None:
    found = ranges({"head": {"rows": 64}, "stem.each": {"column_mux": CHOICES}})
    assert text not in found
    assert "head: rows=64; stem.*: column_mux=2; stem.1: column_mux=4" in found
    with pytest.raises(InputError, match="lies outside the space"):
        space({"stem.each": {"column_mux": CHOICES}}).complete({LAYERS: "stem.*: column_mux=3"})


def test_later_entries_win() -> None:
    found = ranges({"stem.each": {"column_mux": CHOICES}})
    assert found.vector("stem.1: column_mux=4; stem.*: column_mux=2") == (1,) * 5
    assert found.vector("stem.1: column_mux=4") == (None, 2, None, None, None)


def test_a_choice_of_one_is_still_a_choice_when_read_back() -> None:
    for pattern in ("each", "stem.*"):
        first = space({pattern: {"column_mux": {"choices": [2]}}})
        again = SearchSpace.from_mapping(first.as_dict())
        assert again.parameter(LAYERS) == first.parameter(LAYERS)
        assert again.hash == first.hash


def test_a_space_with_layers_is_written_and_read_back() -> None:
    content = {
        "head": {"rows": 64},
        "block.each.*": {"column_mux": {"low": 1, "high": 2}, "compute": "digital"},
    }
    first = space(content)
    again = SearchSpace.from_mapping(first.as_dict())
    assert (again.hash, difference(first, again)) == (first.hash, [])
    assert first.as_dict()["hardware"]["layers"]["block.each.*"]["column_mux"] == {"choices": [1, 2]}
    jsonschema.validate(first.as_dict(), json_schema())
    turned = space({**content, "block.each.*": {"column_mux": {"choices": [2, 1]}, "compute": "digital"}})
    assert (turned.hash, difference(first, turned)) == (first.hash, [])
    wider = space({**content, "block.each.*": {"column_mux": {"choices": [1, 2, 4]}, "compute": "digital"}})
    assert extends(first, wider)
    assert not extends(wider, first)
    assert difference(first, wider)
    other = space({"head": {"rows": 32}, "block.each.*": content["block.each.*"]})
    assert not extends(first, other)


@pytest.mark.parametrize(
    ("layers", "where", "problem"),
    [
        ({"each": {"rows": {"choices": [63]}}}, "each.rows.choices.0", "63 is not one of"),
        ({"each": {"rows": {"low": 16, "high": 64}}}, "each.rows", "only listed values"),
        ({"each": {"clock_mhz": {"choices": [1.0]}}}, "each.clock_mhz", "no knob of a single layer"),
        ({"any": {"rows": {"choices": [64]}}}, "any", "means no layer"),
        ({"block.each.z": {"rows": {"choices": [64]}}}, "block.each.z", "means no layer"),
        ({"each": {"rows": {"choices": [64], "when": "depth > 1"}}}, "each.rows.when", "no condition"),
        ({"each": {"rows": {"choices": [64, None]}}}, "each.rows", "null is no value"),
        ({"head": {"rows": {"choices": [64]}}, "stem.*": 3}, "stem.*", "3 is an integer, not knobs"),
        ({"head": {"rows": {"choices": [64]}}, "stem.*": {"rows": 3}}, "stem.*", "3 is not one of 16, 32"),
        (
            {"head": {"rows": {"choices": [64]}}, "stem.each": {"rows": 64}},
            "stem.each",
            "nothing is searched",
        ),
        (
            {"stem.*": {"rows": CHOICES}, "stem.0": {"rows": {"choices": [64]}}},
            "stem.*.rows.choices.0",
            "1 is not one of",
        ),
        (
            {"stem.*": {"column_mux": CHOICES}, "stem.0": {"rows": {"choices": [64]}}},
            "stem.0",
            "stem.0 is searched by stem.* too",
        ),
        (
            {"head": {"column_mux": 2}, "each": {"column_mux": CHOICES}},
            "head.column_mux",
            "fixed for head, which each searches",
        ),
        (
            {"each": {"column_mux": {"low": 1, "high": 128}, "columns": {"low": 8, "high": 32}}},
            "each",
            "512 values for a layer",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(layers: Any, where: str, problem: str) -> None:
    with pytest.raises(InputError) as refusal:
        space(layers)
    assert refusal.value.where == f"{LAYERS}.{where}"
    assert problem in refusal.value.problem
    assert refusal.value.remedy


def test_a_knob_of_all_layers_is_not_searched_for_the_chip_too() -> None:
    with pytest.raises(InputError, match=r"hardware\.column_mux: searched for the chip"):
        space({"each": {"column_mux": CHOICES}}, column_mux={"choices": [1, 2]})
    space({"stem.each": {"column_mux": CHOICES}}, column_mux={"choices": [1, 2]})
