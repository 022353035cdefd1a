"""Activity traces on disk: compressed NumPy arrays and JSON text, nothing pickled; verified when read."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity.trace import ActivityTrace
from aster_dse.errors import InputError
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.stored_files import DamagedFileError, keep, read_kept

__all__ = ["TRACE_FILE", "load_trace", "read_arrays", "save_trace", "write_arrays"]

TRACE_FILE = "trace.npz"

_COUNTS = ("logits", "spikes", "driven_rows", "active_windows", "active_accesses")
_REMEDY = "remove it to have it made anew"


def save_trace(path: Path, trace: ActivityTrace, network: str = "") -> None:
    """Write ``trace``, replacing what lies there in one step.

    Args:
        network: digest of the weights, or key of the arrays too, that it was recorded on.
    """
    rates = {name: values.tolist() for name, values in trace.firing_rate.items()}
    arrays = {name: getattr(trace, name) for name in ("labels", "block_activity", *_COUNTS)}
    said = {"network": np.array(network)} if network else {}
    write_arrays(path, {"firing_rate": np.array(json.dumps(rates)), **arrays, **said})


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays compressed, with their digest, replacing what lies there in one step."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    keep(path, content.getvalue(), durable=False)


def read_arrays(path: Path, what: str, *, expected: str | None = None) -> dict[str, NDArray[Any]]:
    """What :func:`write_arrays` wrote.

    Args:
        what: they are, for messages.
        expected: SHA-256 of a file that has none beside it, where another place knows it.

    Raises:
        NotFoundError: there is no such file.
        DamagedFileError: it is not what was written.
        InputError: it cannot be read.
    """
    try:
        content = read_kept(path, what, expected=expected)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(str(path), f"cannot be read: {reason}", "make it readable") from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (
        *(ValueError, KeyError, EOFError, AttributeError, OSError, NotImplementedError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error, MemoryError),
    ) as error:
        raise DamagedFileError(str(path), f"the {what} is damaged: no arrays of NumPy", _REMEDY) from error
    for name, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            wrong = values.size - int(np.isfinite(values).sum())
            problem = (
                f"the {what} is damaged: {wrong:,} of the {values.size:,} values of {name} are no number"
            )
            raise DamagedFileError(str(path), problem, _REMEDY)
    return arrays


def load_trace(
    path: Path,
    geometry: NetworkGeometry,
    *,
    network: str = "",
    must_say: bool = False,
    expected: str | None = None,
) -> ActivityTrace:
    """Read the trace of a network of the given shape.

    Args:
        network: as it was saved; a trace that says another one is refused.
        must_say: refuse one that says none, too, as those of older versions.
        expected: as for :func:`read_arrays`.

    Raises:
        NotFoundError: there is no such file.
        DamagedFileError: it is damaged, or belongs to another network.
        InputError: it cannot be read.
    """
    arrays = read_arrays(path, "trace", expected=expected)
    recorded = str(arrays.pop("network", ""))
    if network and recorded and recorded != network:
        raise DamagedFileError(str(path), "is the trace of another network", _REMEDY)
    if must_say and not recorded:
        raise DamagedFileError(str(path), "does not say which network it is the trace of", _REMEDY)
    try:
        counts = {name: arrays[name] for name in ("labels", "block_activity", *_COUNTS)}
        rates = json.loads(str(arrays["firing_rate"]))
        firing_rate = {name: np.array(values, dtype=np.float64) for name, values in rates.items()}
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise DamagedFileError(str(path), "is no trace", _REMEDY) from error
    expected_shape = (geometry.depth + 1, len(counts["labels"]), geometry.timesteps, len(geometry.synaptic))
    found = counts["driven_rows"].shape
    if found != expected_shape:
        problem = f"holds counts of shape {found}, the network needs {expected_shape}"
        raise DamagedFileError(str(path), problem, _REMEDY)
    return ActivityTrace(geometry=geometry, firing_rate=firing_rate, **counts)
