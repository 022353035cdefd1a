"""Workloads: labelled frames for a spiking network, made offline, by seed, and cached."""

from aster_dse.workload.catalogue import (
    FoundData,
    found_data,
    load_workload,
    require_data,
    training_samples,
    workload_names,
    workload_shape,
)
from aster_dse.workload.dataset import FrameSource, Split, Workload, WorkloadShape
from aster_dse.workload.digits import record_digits
from aster_dse.workload.event_camera import EventCamera, EventStream
from aster_dse.workload.frames import frames_by_number, frames_by_time
from aster_dse.workload.recording import RecordedSet, record_workload

__all__ = [
    "EventCamera",
    "EventStream",
    "FoundData",
    "FrameSource",
    "RecordedSet",
    "Split",
    "Workload",
    "WorkloadShape",
    "found_data",
    "frames_by_number",
    "frames_by_time",
    "load_workload",
    "record_digits",
    "record_workload",
    "require_data",
    "training_samples",
    "workload_names",
    "workload_shape",
]
