"""Published networks with the data they read and the recipes they were trained by.

Sources: Yao et al., "Spike-driven Transformer", NeurIPS 2023, and the configuration files of its repository
(BICLab/Spike-Driven-Transformer); ASTER, arXiv 2511.06770, for T = 16 on CIFAR10-DVS. Their epochs leave the
cool-down out, ours count it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from aster_dse.errors import InputError
from aster_dse.space.configuration import NetworkConfig, TrainingConfig, WorkloadConfig
from aster_dse.space.document import nearest_name

__all__ = ["Preset", "in_epochs", "preset", "preset_names"]

_SDT = "Spike-driven Transformer, NeurIPS 2023"


@dataclass(frozen=True)
class Preset:
    """A data set, a network and a recipe."""

    name: str
    workload: WorkloadConfig
    network: NetworkConfig
    training: TrainingConfig
    source: str


def preset_names() -> tuple[str, ...]:
    """Every name that :func:`preset` knows."""
    return tuple(_MAKERS)


@cache
def preset(name: str) -> Preset:
    """The preset of this name.

    Raises:
        InputError: there is none.
    """
    if name not in _MAKERS:
        raise InputError("--preset", f"there is no preset {name!r}", nearest_name(name, _MAKERS))
    return _MAKERS[name](name)


def in_epochs(training: TrainingConfig, epochs: int) -> TrainingConfig:
    """The recipe in another number of epochs: warm-up, cool-down and mixing keep their shares of it."""
    share = epochs / training.epochs
    mixing = training.mix_epochs
    return training.model_copy(
        update={
            "epochs": epochs,
            "warmup_epochs": training.warmup_epochs * share,
            "cooldown_epochs": round(training.cooldown_epochs * share),
            "mix_epochs": None if mixing is None else round(mixing * share),
        }
    )


def _published(**knobs: Any) -> TrainingConfig:
    """What all published recipes have in common."""
    common: dict[str, Any] = {
        "loss": "ce",
        "label_smoothing": 0.1,
        "ema_decay": 0.0,
        "bn_momentum": 0.1,
        "bn_weight_init": 1.0,
        "shift_pixels": 0,
        "cooldown_epochs": 10,
        "seed": 42,
    }
    return TrainingConfig(**{**common, **knobs})


def _imagenet(depth: int, width: int, **recipe: Any) -> Callable[[str], Preset]:
    def make(name: str) -> Preset:
        training = {
            "epochs": 310,
            "optimiser": "lamb",
            "learning_rate": 1e-3,
            "minimum_learning_rate": 2e-5,
            "warmup_epochs": 20,
            "warmup_learning_rate": 1e-5,
            "weight_decay": 0.01,
            "batch_size": 48,
            "crop_area": 0.2,
            "horizontal_flip": 0.5,
            "rand_augment": 7,
            "mixup": 0.2,
            "cutmix": 1.0,
            "mix_probability": 0.6,
            "repeats": 3,
            "amp": "fp16",
        }
        return Preset(
            name,
            WorkloadConfig(name="imagenet", resolution=224, timesteps=4, validation_share=0.02),
            NetworkConfig(width=width, depth=depth, pooling="1111"),
            _published(**{**training, **recipe}),
            f"{_SDT}, conf/imagenet",
        )

    return make


def _cifar(classes: int, width: int) -> Callable[[str], Preset]:
    def make(name: str) -> Preset:
        return Preset(
            name,
            WorkloadConfig(name=f"cifar{classes}", resolution=32, timesteps=4),
            NetworkConfig(width=width, depth=2, pooling="0011"),
            _published(
                epochs=310,
                learning_rate=3e-4,
                minimum_learning_rate=1e-5,
                warmup_epochs=20,
                warmup_learning_rate=1e-6,
                weight_decay=6e-2,
                batch_size=64,
                horizontal_flip=0.5,
                rand_augment=9,
                rand_augment_operations=1,
                mixup=0.5,
                mix_epochs=200,
            ),
            f"{_SDT}, conf/cifar{classes}/2_{width}_300E_t4.yml",
        )

    return make


def _cifar10_dvs(timesteps: int, source: str, **recipe: Any) -> Callable[[str], Preset]:
    def make(name: str) -> Preset:
        training = {
            "epochs": 210,
            "minimum_learning_rate": 3e-4,
            "warmup_epochs": 10,
            "warmup_learning_rate": 1e-3,
            "weight_decay": 1e-4,
            "loss": "tet",
            "amp": "fp16",
        }
        return Preset(
            name,
            WorkloadConfig(name="cifar10-dvs", resolution=64, timesteps=timesteps, split_by="number"),
            NetworkConfig(width=256, depth=2, pooling="0011", event_mode=True),
            _published(**{**training, **recipe}),
            source,
        )

    return make


def _gesture(timesteps: int, **recipe: Any) -> Callable[[str], Preset]:
    def make(name: str) -> Preset:
        training = {
            "epochs": 210,
            "optimiser": "lamb",
            "minimum_learning_rate": 1e-5,
            "warmup_epochs": 10,
            "batch_size": 16,
            "amp": "fp16",
        }
        return Preset(
            name,
            WorkloadConfig(name="dvs-gesture", resolution=128, timesteps=timesteps, split_by="number"),
            NetworkConfig(width=256, depth=2, pooling="0111"),
            _published(**{**training, **recipe}),
            f"{_SDT}, conf/gesture/2_256_200E_t{timesteps}.yml",
        )

    return make


def _digits(name: str) -> Preset:
    events = name == "digits-dvs"
    return Preset(
        name,
        WorkloadConfig(name=name, resolution=32 if events else 16, timesteps=4),
        NetworkConfig(width=32, depth=2, stem="4-2-1-1", pooling="1101" if events else "1010"),
        TrainingConfig(epochs=20 if events else 12),
        "docs/training.md: chosen on validation samples",
    )


_MAKERS: dict[str, Callable[[str], Preset]] = {
    "digits-dvs": _digits,
    "digits": _digits,
    "cifar10-2-256": _cifar(10, 256),
    "cifar10-2-512": _cifar(10, 512),
    "cifar100-2-256": _cifar(100, 256),
    "cifar100-2-512": _cifar(100, 512),
    "imagenet-8-384": _imagenet(8, 384, learning_rate=1.5e-3, minimum_learning_rate=1.5e-5, rand_augment=5),
    "imagenet-6-512": _imagenet(6, 512, crop_area=0.08),
    "imagenet-8-512": _imagenet(8, 512, learning_rate=1.5e-3, minimum_learning_rate=1.5e-5, rand_augment=5),
    "imagenet-10-512": _imagenet(10, 512, batch_size=36, mix_probability=0.75, repeats=1),
    "imagenet-8-768": _imagenet(8, 768, batch_size=36, mix_probability=1.0, crop_area=0.08),
    "cifar10-dvs-2-256-t10": _cifar10_dvs(
        10,
        f"{_SDT}, conf/cifar10-dvs/2_256_200E_t10_TET.yml",
        learning_rate=7.5e-3,
        batch_size=32,
    ),
    "cifar10-dvs-2-256-t16": _cifar10_dvs(
        16,
        "ASTER, arXiv 2511.06770",
        learning_rate=3.75e-3,
        batch_size=16,
        ema_decay=0.9998,
        cutout_pixels=16,
    ),
    "dvs-gesture-2-256-t10": _gesture(10, learning_rate=2e-3, warmup_learning_rate=1e-5, weight_decay=1e-4),
    "dvs-gesture-2-256-t16": _gesture(16, learning_rate=3e-4, warmup_learning_rate=1e-6, weight_decay=6e-2),
}
