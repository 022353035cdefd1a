"""Search space: what is searched, and one point of it."""

from aster_dse.space.cell_conditions import CellConditions, parse_conditions
from aster_dse.space.compare import difference, extends
from aster_dse.space.configuration import (
    TRAINING_VERSION,
    Candidate,
    HardwareConfig,
    NetworkConfig,
    PolicyConfig,
    TrainingConfig,
    WorkloadConfig,
)
from aster_dse.space.constraint import Constraint, parse_constraint
from aster_dse.space.hardware_knobs import HARDWARE_KNOBS, ROW_SIZES, CostClass, HardwareKnob
from aster_dse.space.knobs import SearchSettings, TrainingResources
from aster_dse.space.layer_ranges import LayerRanges
from aster_dse.space.metrics import COST_FIGURES, METRICS, POLICY_FIGURES, Metric
from aster_dse.space.parameter import Choice, Parameter, Range
from aster_dse.space.presets import Preset, preset, preset_names
from aster_dse.space.schema import json_schema
from aster_dse.space.shipped import load_space, shipped_spaces
from aster_dse.space.space import SearchSpace, SpaceSize, assign

__all__ = [
    "COST_FIGURES",
    "HARDWARE_KNOBS",
    "METRICS",
    "POLICY_FIGURES",
    "ROW_SIZES",
    "TRAINING_VERSION",
    "Candidate",
    "CellConditions",
    "Choice",
    "Constraint",
    "CostClass",
    "HardwareConfig",
    "HardwareKnob",
    "LayerRanges",
    "Metric",
    "NetworkConfig",
    "Parameter",
    "PolicyConfig",
    "Preset",
    "Range",
    "SearchSettings",
    "SearchSpace",
    "SpaceSize",
    "TrainingConfig",
    "TrainingResources",
    "WorkloadConfig",
    "assign",
    "difference",
    "extends",
    "json_schema",
    "load_space",
    "parse_conditions",
    "parse_constraint",
    "preset",
    "preset_names",
    "shipped_spaces",
]
