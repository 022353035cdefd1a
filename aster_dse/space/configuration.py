"""One point of the design space: the vocabulary that a space file may fix or search.

Every field is a knob with its unit, its range and its default. A knob that is not listed here does not
exist, so a misspelt one is refused where it is written.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from aster_dse.space.cell_conditions import canonical_conditions
from aster_dse.space.hardware_knobs import (
    AdcKind,
    AdcLevels,
    AdcRange,
    AdcRangePer,
    Arrays,
    CellBits,
    Chips,
    ColumnKind,
    ColumnMux,
    Columns,
    Compute,
    NodeNm,
    Pipelining,
    Rows,
    ValidationSamples,
    WeightBits,
)
from aster_dse.space.layers import canonical_layers

__all__ = [
    "TRAINING_VERSION",
    "Candidate",
    "HardwareConfig",
    "NetworkConfig",
    "PolicyConfig",
    "TrainingConfig",
    "WorkloadConfig",
]

TRAINING_VERSION = 2
"""Part of every training key; raise it when the same configuration would train to another network, and when a
default changes: knobs at their default are not part of the key, so that a new knob leaves it as it was."""


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
    folder: Annotated[str, Field(pattern=r"^[^/\\.][^/\\]*(/[^/\\.][^/\\]*)*$")] | None = None
    """Folder of the data set under the data root; None takes the usual name."""
    classes: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """Classes of a folder of your own (`image-folder`, `event-folder`); other data sets know theirs."""
    validation_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """Share of the training samples held out for validation, where a data set has no such part."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the event camera and of the train/validation/test split."""
    data: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the files of a data set in a folder, which a study records; None takes what lies there."""

    @model_serializer(mode="wrap")
    def _written(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Left out where there is none: what made data sets are stored and known by stays as it was.
        return {name: value for name, value in dump(self).items() if name != "data" or value is not None}


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
    optimiser: Literal["adamw", "lamb"] = "adamw"
    """AdamW, or LAMB, which scales each layer's step to its weights (for large batches)."""
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01
    """Decoupled from the gradient."""
    warmup_epochs: Annotated[float, Field(ge=0.0, le=100.0)] = 2.0
    """Epochs in which the learning rate rises to its peak."""
    warmup_learning_rate: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """Where that rise begins; None takes a twentieth of the peak."""
    minimum_learning_rate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Learning rate at the end of the cosine."""
    cooldown_epochs: Annotated[int, Field(ge=0, le=1000)] = 0
    """The last of the epochs, which stay at that learning rate."""
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
    crop_area: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Augmentation: a random part of the image, of at least this share of its area, fills the frame."""
    horizontal_flip: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Augmentation: probability that a sample is mirrored."""
    rand_augment: Annotated[int, Field(ge=0, le=10)] = 0
    """Augmentation: magnitude of random image operations (RandAugment); 0 for none."""
    rand_augment_operations: Annotated[int, Field(ge=1, le=8)] = 2
    """Operations that RandAugment draws for every sample."""
    color_jitter: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Augmentation: largest relative change of brightness, contrast and saturation."""
    random_erasing: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Augmentation: probability that a rectangle of the sample is set to the mean colour."""
    cutout_pixels: Annotated[int, Field(ge=0, le=512)] = 0
    """Augmentation: side of a square that is set to zero in every sample; 0 for none."""
    event_augmentation: bool = False
    """Augmentation of event frames: none, a shift, a shear or a rotation, the same at every step."""
    mixup: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Augmentation: alpha of the Beta distribution by which two samples are blended; 0 for none."""
    cutmix: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Augmentation: alpha of the Beta distribution of the area taken from a second sample; 0 for none."""
    mix_probability: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    """Probability that a batch is mixed."""
    mix_epochs: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Epochs in which mixup and cutmix are used; None for all."""
    repeats: Annotated[int, Field(ge=1, le=16)] = 1
    """Repeated augmentation: copies of a sample in a row, each augmented anew; an epoch stays as long."""
    amp: Literal["off", "bf16", "fp16"] = "off"
    """Automatic mixed precision."""
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
    """Accelerator by name, or the path of a user's own file."""
    library: str | None = None
    """Component library by name, or the path of a user's own file."""
    node_nm: NodeNm | None = None
    """Technology node, nm."""
    rows: Rows | None = None
    """Word lines per array."""
    columns: Columns | None = None
    """Bit lines per array."""
    cell_bits: CellBits | None = None
    """Bits per memory cell."""
    weight_bits: WeightBits | None = None
    """Bits per weight; a weight takes weight_bits / cell_bits cells, rounded up."""
    cell: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")] | None = None
    """Memory cell of the arrays, one that the library has, such as rram."""
    compute: Compute | None = None
    """Sum the products on bit lines, to be converted, or in adder trees."""
    adc_kind: AdcKind | None = None
    """Column read-out, one that the library has figures for."""
    adc_levels: AdcLevels | None = None
    """Levels that the read-out tells apart."""
    adc_range: AdcRange | None = None
    """What these levels span: all sums there can be, the largest seen or a percentile of them, a cell level a
    step, or what gives the least squared error (`mse2`: with steps that are powers of two); `neurosim`: up to
    the largest seen, rounded down as that tool does."""
    adc_range_per: AdcRangePer | None = None
    """A range for each slice of the weights of a layer, or one for all of them."""
    column_kind: ColumnKind | None = None
    """Signed weights in a positive and a negative column for each slice, or in one column with an offset."""
    column_mux: ColumnMux | None = None
    """Columns that share one converter."""
    arrays_per_subarray: Annotated[int, Field(ge=1, le=64)] | None = None
    """Arrays that share a subarray's periphery."""
    subarrays_per_tile: Annotated[int, Field(ge=1, le=64)] | None = None
    """Subarrays that share a tile's buffer and accumulator."""
    tiles: Annotated[int, Field(ge=1, le=65536)] | None = None
    """None gives as many as the network's weights need."""
    area_budget_mm2: Annotated[float, Field(gt=0.0, le=1e5)] | None = None
    """Chip area, mm2, up to which copies are made of the layers that take longest; None makes none."""
    pipelining: Pipelining | None = None
    """Layers one after the other; at once within a time step; or at once over time steps."""
    buffer_kib: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Global buffer of a tile, KiB."""
    flit_bits: Annotated[int, Field(ge=8, le=4096)] | None = None
    """Bits that a router of the network on chip passes per cycle."""
    event_gating: bool | None = None
    """Rows without a spike are not driven, windows without one not read."""
    clock_mhz: Annotated[float, Field(gt=0.0, le=5000.0)] | None = None
    """Clock, MHz, up to what a neuron keeps up with at the node: 653 at 65 nm, 1,326 at 32 nm."""
    arrays: Arrays = "ideal"
    """Judge a configuration by the accuracy of the plain network, or of the network as its arrays compute it.
    A study has one value."""
    conditions: Annotated[str, Field(max_length=1000), AfterValidator(canonical_conditions)] | None = None
    """Conditions of the cells in real arrays, as in `on_off=150 variation=0.1 read_noise=0.25`, or a mapping;
    `cell` takes those that the library has for the cell. A study has one value."""
    chips: Chips | None = None
    """Chips whose cells are drawn to judge a configuration; None takes 8 under conditions, else 1. A study
    has one value."""
    validation_samples: ValidationSamples | None = None
    """Validation samples that real arrays are run on, evenly spaced over the split; None takes all of it.
    Intervals of accuracy are for this number. A study has one value."""
    layers: Annotated[str, Field(max_length=20_000), AfterValidator(canonical_layers)] | None = None
    """Knobs of single layers, as in `stem.*: adc_levels=64; block.*.fc1: compute=digital`."""


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
            "workload": self.workload.model_dump(mode="json", exclude_defaults=True),
            "network": self.network.model_dump(mode="json", exclude_defaults=True),
            "training": self.training.model_dump(mode="json", exclude_defaults=True),
        }
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:20]
