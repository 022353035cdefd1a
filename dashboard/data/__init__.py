"""What the pages show, taken from the store and nothing else."""

from __future__ import annotations

from aster_dse.dashboard.data.breakdown import Breakdown
from aster_dse.dashboard.data.detail import PointDetail, read_point
from aster_dse.dashboard.data.feed import Cursor, points_since
from aster_dse.dashboard.data.labels import MetricLabel, knob_label, metric_label, number

__all__ = [
    "Breakdown",
    "Cursor",
    "MetricLabel",
    "PointDetail",
    "knob_label",
    "metric_label",
    "number",
    "points_since",
    "read_point",
]
