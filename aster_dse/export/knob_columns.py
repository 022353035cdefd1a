"""What a searched knob was in each configuration of a study, in a form that explains figures.

A skip threshold is the number of blocks that it skips: as a number it would only tell the networks apart,
each of which has its own. Knobs of single layers are one column for each knob that is searched: where it
stands among its values, from 0 to 1, in the mean over its layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aster_dse.policy import skipped_blocks
from aster_dse.search.history import knob_value
from aster_dse.space import LayerRanges, Parameter, SearchSpace
from aster_dse.space.knobs import LAYERS
from aster_dse.store.reading import StudyQueries
from aster_dse.store.rows import StudyRow

__all__ = ["SKIPS", "KnobTable", "read_knobs"]

SKIPS = "policy.skip_threshold"


@dataclass(frozen=True, eq=False)
class KnobTable:
    """The feasible configurations of a study."""

    columns: Mapping[str, Sequence[Any]]
    """By knob its value in each configuration; None where its condition is false."""
    parameters: Mapping[str, Parameter]
    """By knob; knobs of single layers share theirs."""
    metrics: Mapping[str, Sequence[float]]
    networks: Sequence[str]
    """Training key of each configuration."""
    blocks: int
    """Transformer blocks of the deepest network."""

    def __len__(self) -> int:
        return len(self.networks)


def read_knobs(reader: StudyQueries, study: StudyRow, metrics: Sequence[str]) -> KnobTable:
    """What the knobs were, and the figures."""
    space = SearchSpace.from_mapping(study.space, f"study {study.name}")
    paths = [parameter.path for parameter in space.parameters]
    table = reader.evaluations(study.id, columns=[*metrics, "training_key", *paths], feasible=True)
    cells = {path: table[path].tolist() for path in paths}
    networks = table["training_key"].tolist()
    activity = {row.key: np.array(row.detail.get("block_activity", ())) for row in reader.trainings(study.id)}
    names = [name for p in space.parameters for name in _names(p)]
    columns: dict[str, list[Any]] = {name: [None] * len(networks) for name in names}
    for row, network in enumerate(networks):
        assignment = {p.path: knob_value(p, cells[p.path][row]) for p in space.parameters}
        for parameter in space.parameters:
            value = assignment[parameter.path]
            if not space.active(parameter, assignment) or value not in parameter:
                continue
            if isinstance(parameter, LayerRanges):
                for (pattern, knob), share in parameter.shares(value).items():
                    columns[f"{LAYERS}.{pattern}.{knob}"][row] = share
            elif parameter.path == SKIPS:
                columns[SKIPS][row] = len(skipped_blocks(activity[network], value))
            else:
                columns[parameter.path][row] = value
    return KnobTable(
        columns=columns,
        parameters={name: p for p in space.parameters for name in _names(p)},
        metrics={name: table[name].tolist() for name in metrics},
        networks=networks,
        blocks=max((len(blocks) for blocks in activity.values()), default=0),
    )


def _names(parameter: Parameter) -> list[str]:
    if not isinstance(parameter, LayerRanges):
        return [parameter.path]
    return [
        f"{LAYERS}.{family.pattern}.{name}"
        for family in parameter.families
        for name, values in family.knobs
        if len(values) > 1
    ]
