"""Firing logs: the mean firing rate of every neuron layer at every step, in our format and in ASTER's.

ASTER's log is the JSON object ``{"t0": {layer: rate}, "t1": ...}``, which its scripts print among other text:
the shares of non-zero outputs come first, the firing rates after the line ``firing_rate:``. Ours is one JSON
document with both, and with what network they were measured on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError, NotFoundError

__all__ = ["FiringLog", "LogFormat", "read_firing_log", "write_firing_log"]

LogFormat = Literal["ours", "aster"]
Rates = Mapping[str, NDArray[np.float64]]

_FORMAT = "aster-dse firing log"
_VERSION = 1
_REMEDY = 'a firing log holds {"t0": {"MS_SPS_lif": 0.06, ...}, "t1": ...}'


@dataclass(frozen=True)
class FiringLog:
    """How often the neurons of a network fired."""

    firing_rate: Rates
    """By published layer name, ``[T]``."""
    non_zero: Rates = field(default_factory=dict)
    """Share of outputs that were not zero, the same way; empty where it was not measured."""
    samples: int = 0
    """0 where the log does not say."""
    network: Mapping[str, Any] = field(default_factory=dict)
    """Knobs of the network and the workload that it was measured on; empty where the log does not say."""

    @property
    def timesteps(self) -> int:
        return len(next(iter(self.firing_rate.values())))

    def block_activity(self, depth: int, where: str) -> NDArray[np.float64]:
        """``[depth]`` firing rate of q AND kv of every block, averaged over the steps.

        Raises:
            InputError: the log is of a network with another number of blocks.
        """
        name = "MS_SSA_Conv{}_x_after_qkv".format
        if name(depth) in self.firing_rate:
            raise InputError(where, f"has more blocks than the network's {depth}", "the log of this network")
        for block in range(depth):
            if name(block) not in self.firing_rate:
                raise InputError(
                    where, f"has no {name(block)}", f"the log of this network, with {depth} blocks"
                )
        return np.array([self.firing_rate[name(block)].mean() for block in range(depth)], dtype=np.float64)


def write_firing_log(path: Path, log: FiringLog, form: LogFormat = "ours") -> None:
    """Write ``log``; ASTER's format holds the rates alone.

    Raises:
        InputError: the file cannot be written.
    """
    document: dict[str, Any] = by_step(log.firing_rate)
    if form == "ours":
        depth = sum(name.endswith("_x_after_qkv") for name in log.firing_rate)
        document = {
            "format": _FORMAT,
            "version": _VERSION,
            "network": dict(log.network),
            "samples": log.samples,
            "firing_rate": document,
            "non_zero": by_step(log.non_zero),
            "block_activity": log.block_activity(depth, str(path)).tolist(),
        }
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(str(path), f"cannot be written: {error.strerror}", "name another file") from None


def by_step(rates: Rates) -> dict[str, dict[str, float]]:
    """``{"t0": {layer: rate}}``, as both formats hold them."""
    steps = max((len(values) for values in rates.values()), default=0)
    return {
        f"t{step}": {name: float(values[step]) for name, values in rates.items()} for step in range(steps)
    }


def read_firing_log(path: Path) -> FiringLog:
    """Read a log in either format, text before and after it included.

    Where several logs stand in one file, the last one is meant.

    Raises:
        NotFoundError: there is no such file.
        InputError: there is no log in it, or a damaged one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such firing log") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            str(path), f"cannot be read: {getattr(error, 'strerror', None) or 'not text'}", _REMEDY
        ) from None
    document = _document(text, str(path))
    if "firing_rate" not in document:
        return FiringLog(_rates(document, str(path)))
    if document.get("format", _FORMAT) != _FORMAT or document.get("version", _VERSION) != _VERSION:
        found = f"{document.get('format')!r} version {document.get('version')!r}"
        raise InputError(str(path), f"is {found}", f"{_FORMAT!r} version {_VERSION}")
    samples, network = document.get("samples", 0), document.get("network", {})
    return FiringLog(
        _rates(document["firing_rate"], f"{path}: firing_rate"),
        _rates(document["non_zero"], f"{path}: non_zero") if document.get("non_zero") else {},
        samples if isinstance(samples, int) else 0,
        network if isinstance(network, dict) else {},
    )


def _document(text: str, where: str) -> dict[str, Any]:
    found = [(document, title) for document, title in _objects(text) if _is_log(document)]
    if not found:
        cut = re.search(r'\{\s*"t0"', text)
        line = text.count("\n", 0, cut.start()) + 1 if cut else 0
        problem = f"line {line}: a firing log that is cut short or damaged" if cut else "holds no firing log"
        raise InputError(where, problem, _REMEDY)
    # What a log is, the text before it says last.
    titled = [document for document, title in found if title.rfind("firing") > title.rfind("zero")]
    others = [document for document, title in found if "zero" not in title]
    if not titled and not others:
        raise InputError(where, "holds shares of non-zero outputs, no firing rates", _REMEDY)
    return (titled or others)[-1]


def _is_log(document: Mapping[str, Any]) -> bool:
    return "t0" in document or isinstance(document.get("firing_rate"), Mapping)


def _objects(text: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every outermost JSON object in a text, with what stands between it and the one before."""
    decoder = json.JSONDecoder()
    done = start = 0
    while (start := text.find("{", start)) >= 0:
        try:
            document, end = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            start += 1
            continue
        yield document, text[done:start].lower()
        done = start = end


def _rates(document: Any, where: str) -> dict[str, NDArray[np.float64]]:
    if not isinstance(document, Mapping) or not all(isinstance(v, Mapping) for v in document.values()):
        raise InputError(where, "is no mapping of steps to layers", _REMEDY)
    # The published script makes t0 to t3 for every network and leaves those empty that do not exist.
    steps = {name: layers for name, layers in document.items() if layers}
    names = [f"t{step}" for step in range(len(steps))]
    if not steps or set(steps) != set(names):
        raise InputError(where, f"has the steps {', '.join(map(str, steps)) or 'none'}", "t0, t1, t2, ...")
    layers = list(steps["t0"])
    for name in names:
        for layer in dict.fromkeys([*layers, *steps[name]]):
            value = steps[name].get(layer)
            if layer not in steps["t0"] or isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(
                    f"{where}: {name}.{layer}", f"{value!r} is no rate", "a number for every layer and step"
                )
            # A little above 1 is possible: the published script divides by one batch too few.
            if not math.isfinite(value) or value < 0:
                raise InputError(f"{where}: {name}.{layer}", f"{value!r} is no rate", "0 or more")
    return {layer: np.array([steps[n][layer] for n in names], dtype=np.float64) for layer in layers}
