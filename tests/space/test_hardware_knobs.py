"""The models of the configuration say of every knob of an accelerator what the table of knobs says."""

from dataclasses import fields

import pytest

from aster_dse.hardware import Accelerator
from aster_dse.space import HARDWARE_KNOBS, HardwareConfig
from aster_dse.space.hardware_knobs import LAYER_KNOB_NAMES
from aster_dse.space.knobs import model_knobs
from aster_dse.space.layers import LayerKnobs

CHIP = model_knobs(HardwareConfig, "hardware")
LAYER = model_knobs(LayerKnobs, "hardware.layers")


def test_the_table_names_every_knob_in_the_order_of_the_configuration():
    assert list(HARDWARE_KNOBS) == [name for name in CHIP if name not in ("base", "library", "layers")]
    assert set(HARDWARE_KNOBS) <= {field.name for field in fields(Accelerator)}
    assert sorted(LAYER) == sorted(LAYER_KNOB_NAMES)


@pytest.mark.parametrize("name", LAYER_KNOB_NAMES)
def test_a_layer_takes_the_values_that_the_chip_takes(name):
    assert LAYER[name].schema == CHIP[name].schema
    assert LAYER[name].kind == CHIP[name].kind


@pytest.mark.parametrize("name", HARDWARE_KNOBS)
def test_a_knob_is_of_the_kind_that_the_table_says(name):
    knob = HARDWARE_KNOBS[name]
    assert CHIP[name].kind == {"choice": "string"}.get(knob.kind, knob.kind)
    if knob.choices:
        assert CHIP[name].allowed == knob.choices
