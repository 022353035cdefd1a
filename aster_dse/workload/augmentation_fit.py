"""Which augmentations the samples of a workload can have."""

from __future__ import annotations

from aster_dse.errors import InputError
from aster_dse.space import TrainingConfig

__all__ = ["check_augmentation"]

_OF_IMAGES = ("rand_augment", "color_jitter")
_OF_EVENTS = ("event_augmentation",)


def check_augmentation(config: TrainingConfig, workload: str, *, static: bool) -> None:
    """Make sure that a recipe augments only what there is.

    Args:
        workload: its name.
        static: whether its samples are images.

    Raises:
        InputError: naming the augmentation that they cannot have.
    """
    for name in _OF_EVENTS if static else _OF_IMAGES:
        if getattr(config, name):
            raise InputError(
                f"training.{name}",
                f"is an augmentation of {'event frames' if static else 'images'}, "
                f"which {workload} does not have",
                "leave it out",
            )
