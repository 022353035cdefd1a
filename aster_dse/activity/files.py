"""Activity traces on disk: compressed NumPy arrays and JSON text, nothing pickled."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aster_dse.activity.trace import ActivityTrace
from aster_dse.errors import InputError, NotFoundError
from aster_dse.network.geometry import NetworkGeometry

__all__ = ["TRACE_FILE", "load_trace", "save_trace", "write_arrays"]

TRACE_FILE = "trace.npz"

_COUNTS = ("logits", "spikes", "driven_rows", "active_windows", "active_accesses")


def save_trace(path: Path, trace: ActivityTrace) -> None:
    """Write ``trace``, replacing what lies there in one step."""
    rates = {name: values.tolist() for name, values in trace.firing_rate.items()}
    arrays = {name: getattr(trace, name) for name in ("labels", "block_activity", *_COUNTS)}
    write_arrays(path, {"firing_rate": np.array(json.dumps(rates)), **arrays})


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays compressed, replacing what lies there in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
        try:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def load_trace(path: Path, geometry: NetworkGeometry) -> ActivityTrace:
    """Read the trace of a network of the given shape.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is damaged, or belongs to a network of another shape.
    """
    if not path.is_file():
        raise NotFoundError(f"{path}: no such trace")
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("labels", "block_activity", *_COUNTS)}
            rates = json.loads(str(stored["firing_rate"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(str(path), f"cannot be read: {error}", "delete it to record it again") from error
    expected = (geometry.depth + 1, len(arrays["labels"]), geometry.timesteps, len(geometry.synaptic))
    if arrays["driven_rows"].shape != expected:
        raise InputError(
            str(path),
            f"holds counts of shape {arrays['driven_rows'].shape}, the network needs {expected}",
            "delete it to record it again",
        )
    return ActivityTrace(
        geometry=geometry,
        firing_rate={name: np.array(values, dtype=np.float64) for name, values in rates.items()},
        **arrays,
    )
