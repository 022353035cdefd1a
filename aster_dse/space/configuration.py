"""One point of the design space: the vocabulary that a space file may fix or search.

Every field is a knob with its unit, its range and its default. A knob that is not listed here does not
exist, so a misspelt one is refused where it is written.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ROW_SIZES",
    "TRAINING_VERSION",
    "Candidate",
    "HardwareConfig",
    "NetworkConfig",
    "PolicyConfig",
    "TrainingConfig",
    "WorkloadConfig",
]

TRAINING_VERSION = 1
"""Part of every training key; raise it when the same configuration would train to another network."""

ROW_SIZES = (16, 32, 64, 128, 256, 512, 1024)
"""Array heights (rows) for which an activity trace counts the accesses that event gating leaves."""


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class WorkloadConfig(_Config):
    """The data set and how it becomes frames."""

    name: str
    """Data set."""
    resolution: Annotated[int, Field(ge=8, le=512)] = 32
    """Height and width of a frame, pixels."""
    timesteps: Annotated[int, Field(ge=1, le=64)] = 4
    """Frames per sample, T."""
    split_by: Literal["time", "number"] = "time"
    """Frames of equal duration (a shorter T is a prefix) or of equal event count."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the event camera and of the train/validation/test split."""


class NetworkConfig(_Config):
    """The Spike-Driven Transformer (Yao et al., NeurIPS 2023)."""

    width: Annotated[int, Field(ge=8, le=2048, multiple_of=8)] = 32
    """Embedding channels, D."""
    depth: Annotated[int, Field(ge=1, le=24)] = 2
    """Transformer blocks."""
    mlp_ratio: Annotated[int, Field(ge=1, le=8)] = 4
    """Hidden width of the MLP over D."""
    neuron: Literal["lif", "plif"] = "lif"
    """Leaky integrate-and-fire, or the same with a learnt time constant (parametric)."""
    tau: Annotated[float, Field(gt=1.0, le=16.0)] = 2.0
    """Membrane time constant in time steps; the initial value for ``plif``."""
    stem: Annotated[str, Field(pattern=r"^\d+-\d+-\d+-1$")] = "8-4-2-1"
    """Divisors of D for the channels of the four stem stages."""
    pooling: Annotated[str, Field(pattern=r"^[01]{4}$")] = "1101"
    """Which stem stages end with a 3x3 stride-2 max-pool."""
    event_mode: bool = False
    """3x3 spatial max-pools inside the attention (the published ``dvs`` mode)."""
    num_heads: Annotated[int, Field(ge=1, le=64)] = 8
    """Changes the function in event mode only."""


class TrainingConfig(_Config):
    """The recipe."""

    epochs: Annotated[int, Field(ge=1, le=1000)] = 12
    """Passes over the training split."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 64
    """Samples per step."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01
    """Peak of the schedule."""
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01
    """Decoupled (AdamW)."""
    warmup_epochs: Annotated[float, Field(ge=0.0, le=100.0)] = 2.0
    """Epochs in which the learning rate rises to its peak."""
    minimum_learning_rate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Learning rate at the end of the cosine."""
    loss: Literal["tet", "ce"] = "tet"
    """Temporal efficient training (a loss per time step), or cross entropy of the mean logits."""
    tet_lambda: Annotated[float, Field(ge=0.0, le=1.0)] = 1e-3
    """Weight of the squared distance of logits from `tet_mean`."""
    tet_mean: float = 1.0
    """Logit that `tet_lambda` pulls towards."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the target spread over all classes."""
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.95
    """Decay of the averaged weights per step; 0 keeps none."""
    surrogate: Literal["sigmoid", "triangle"] = "sigmoid"
    """Derivative that stands in for that of the spike."""
    surrogate_alpha: Annotated[float, Field(gt=0.0, le=32.0)] = 4.0
    """Steepness of the surrogate."""
    bn_momentum: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    """Weight of the newest batch in the running statistics."""
    bn_weight_init: Annotated[float, Field(gt=0.0, le=8.0)] = 2.0
    """Initial scale of batch normalisation."""
    shift_pixels: Annotated[int, Field(ge=0, le=64)] = 1
    """Augmentation: every training sample is moved by up to this many pixels, down and right."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of weights and of the order of samples."""


class PolicyConfig(_Config):
    """Run-time shortcuts; none of them needs a training."""

    skip_threshold: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """Skip the attention of every block whose activity is at most this; None skips none."""
    exit_threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    """Leave at the first step whose metric is strictly greater; 1 never leaves early."""
    exit_metric: Literal["confidence", "entropy"] = "confidence"
    """Of the softmax of the summed logits: its maximum, or 1 - entropy / log(classes)."""
    timesteps: Annotated[int, Field(ge=1, le=64)] | None = None
    """Steps at most; None uses all that the network was trained with."""


class HardwareConfig(_Config):
    """An accelerator: a named base, and what differs from it (None keeps the base's value)."""

    base: str = "aster-rram-32nm"
    """Named accelerator."""
    library: str | None = None
    """Component library by name, or the path of a user's own file."""
    node_nm: Literal[65, 45, 32, 28, 22] | None = None
    """Technology node, nm."""
    rows: Literal[16, 32, 64, 128, 256, 512, 1024] | None = None
    """Word lines per array."""
    columns: Annotated[int, Field(ge=8, le=1024, multiple_of=8)] | None = None
    """Bit lines per array."""
    cell_bits: Annotated[int, Field(ge=1, le=8)] | None = None
    """Bits per memory cell."""
    weight_bits: Annotated[int, Field(ge=1, le=16)] | None = None
    """Bits per weight; a weight takes weight_bits / cell_bits cells, rounded up."""
    adc_kind: Literal["flash", "sar", "murmann"] | None = None
    """Column read-out."""
    adc_levels: Literal[2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] | None = None
    """Levels that the read-out tells apart."""
    column_mux: Annotated[int, Field(ge=1, le=128)] | None = None
    """Columns that share one converter."""
    arrays_per_subarray: Annotated[int, Field(ge=1, le=64)] | None = None
    """Arrays that share a subarray's periphery."""
    subarrays_per_tile: Annotated[int, Field(ge=1, le=64)] | None = None
    """Subarrays that share a tile's buffer and accumulator."""
    tiles: Annotated[int, Field(ge=1, le=65536)] | None = None
    """None gives as many as the network's weights need."""
    buffer_kib: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Global buffer of a tile, KiB."""
    event_gating: bool | None = None
    """Rows without a spike are not driven, windows without one not read."""
    clock_mhz: Annotated[float, Field(gt=0.0, le=5000.0)] | None = None
    """Clock, MHz."""


class Candidate(_Config):
    """One complete configuration, every knob set."""

    workload: WorkloadConfig
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()
    policy: PolicyConfig = PolicyConfig()
    hardware: HardwareConfig = HardwareConfig()

    def training_key(self) -> str:
        """Content address of the trained network: equal keys train to equal networks.

        Returns:
            20 hexadecimal digits of a SHA-256 over workload, network and training.
        """
        parts: dict[str, Any] = {
            "version": TRAINING_VERSION,
            "workload": self.workload.model_dump(mode="json"),
            "network": self.network.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
        }
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:20]
