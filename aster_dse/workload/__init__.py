"""Workloads: labelled frames for a spiking network, made offline, by seed, and cached."""

from aster_dse.workload.catalogue import (
    UNVERIFIED,
    FoundData,
    data_of,
    found_data,
    identify_data,
    lies_in_a_folder,
    load_workload,
    read_by_batch,
    require_data,
    training_samples,
    workload_files,
    workload_names,
    workload_shape,
)
from aster_dse.workload.dataset import FrameSource, Split, Workload, WorkloadShape, stays_on_disk
from aster_dse.workload.digits import record_digits
from aster_dse.workload.event_camera import EventCamera, EventStream
from aster_dse.workload.frames import frames_by_number, frames_by_time
from aster_dse.workload.identity import DataFiles, DataIdentity, identity_of
from aster_dse.workload.known_data import KnownData, data_of_space, hold_against, needed_by_workers, with_data
from aster_dse.workload.recording import RecordedSet, record_workload

__all__ = [
    "UNVERIFIED",
    "DataFiles",
    "DataIdentity",
    "EventCamera",
    "EventStream",
    "FoundData",
    "FrameSource",
    "KnownData",
    "RecordedSet",
    "Split",
    "Workload",
    "WorkloadShape",
    "data_of",
    "data_of_space",
    "found_data",
    "frames_by_number",
    "frames_by_time",
    "hold_against",
    "identify_data",
    "identity_of",
    "lies_in_a_folder",
    "load_workload",
    "needed_by_workers",
    "read_by_batch",
    "record_digits",
    "record_workload",
    "require_data",
    "stays_on_disk",
    "training_samples",
    "with_data",
    "workload_files",
    "workload_names",
    "workload_shape",
]
