"""The batches of an epoch: their order, their augmentation, and which part of each this process has."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from aster_dse.errors import InputError
from aster_dse.space import TrainingConfig
from aster_dse.training.augmentation import (
    augment_events,
    augment_images,
    crop_boxes,
    cut_out,
    erase,
    sample_generator,
)
from aster_dse.training.mixing import draw_mix, mixed_inputs, mixed_labels
from aster_dse.training.trained import Feed, moved
from aster_dse.workload import Workload
from aster_dse.workload.augmentation_fit import check_augmentation
from aster_dse.workload.dataset import ImageSource

__all__ = ["Batch", "Batches", "Share"]


@dataclass(frozen=True)
class Share:
    """Which of the processes that train one network together this one is."""

    rank: int = 0
    world: int = 1

    def divides(self, samples: int) -> bool:
        """Whether each process finds a sample in a batch; else each of them computes the whole batch."""
        return samples >= self.world

    def of(self, samples: int) -> slice:
        """This process's samples of a batch."""
        if not self.divides(samples):
            return slice(0, samples)
        edges = [samples * rank // self.world for rank in range(self.world + 1)]
        return slice(edges[self.rank], edges[self.rank + 1])


@dataclass(frozen=True)
class Batch:
    """One step's samples, those of this process."""

    inputs: Tensor
    """``[T, B, C, H, W]``"""
    labels: Tensor
    """``[B]`` classes, or ``[B, classes]`` probabilities where samples are mixed."""
    samples: int
    """Of the whole batch."""
    divided: bool
    """Each process has a part of it; False where each has all of it."""


class Batches:
    """Training batches of a workload.

    Raises:
        InputError: there is no sample, or an augmentation that these frames cannot have.
    """

    def __init__(
        self, feed: Feed, workload: Workload, config: TrainingConfig, share: Share | None = None
    ) -> None:
        self.feed, self.config, self.share = feed, config, share or Share()
        self.classes = workload.classes
        if not len(feed):
            raise InputError(f"workload.{workload.config.name}", "has no training sample", "at least one")
        self.pictures = workload.static and bool(
            config.crop_area < 1.0 or config.horizontal_flip or config.rand_augment or config.color_jitter
        )
        self.events = not workload.static and bool(config.event_augmentation or config.horizontal_flip)
        check_augmentation(config, workload.config.name, static=workload.static)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch ``number`` (from 1), drawn from the seed and the number alone."""
        config = self.config
        # From the seed and the epoch alone, so that a resumed training draws as one that was never stopped.
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + number)
        order = torch.randperm(len(self.feed), generator=generator)
        if config.repeats > 1:
            order = order.repeat_interleave(config.repeats)[: len(order)]
        batches = torch.split(order, config.batch_size)[: self.steps()]
        reach, starts = config.shift_pixels, np.cumsum([0, *(len(batch) for batch in batches)])
        shifts = [
            torch.randint(-reach, reach + 1, (len(batch), 2), generator=generator) if reach else None
            for batch in batches
        ]
        steps = range(len(batches))
        if self.feed.ready and not self.pictures:
            for step in steps:
                yield self._batch(number, step, batches[step], int(starts[step]), shifts[step])
            return
        # The next batch is read and augmented while this one is learnt.
        with ThreadPoolExecutor(1) as reader:
            coming = None
            for step in [*steps, None]:
                following = (
                    None
                    if step is None
                    else reader.submit(
                        self._batch, number, step, batches[step], int(starts[step]), shifts[step]
                    )
                )
                if coming is not None:
                    yield coming.result()
                coming = following

    def steps(self) -> int:
        """Batches of an epoch. A single sample that remains after whole batches is left out."""
        whole, rest = divmod(len(self.feed), self.config.batch_size)
        return whole + (rest > 1 or (rest == 1 and not whole))

    def _batch(self, epoch: int, step: int, index: Tensor, position: int, shifts: Tensor | None) -> Batch:
        part = self.share.of(len(index))
        places = torch.arange(len(index))
        inputs = self._inputs(epoch, index, position, shifts, places[part])
        labels = self.feed.labels[index[part].to(self.feed.labels.device)]
        mix = draw_mix(self.config, epoch, step, inputs.shape[-2], inputs.shape[-1])
        if mix is not None:
            others = places.flip(0)[part]
            partners = (
                inputs.flip(1)
                if part == slice(0, len(index))
                else self._inputs(epoch, index, position, shifts, others)
            )
            inputs = mixed_inputs(inputs, partners, mix)
            other_labels = self.feed.labels[index[others].to(self.feed.labels.device)]
            labels = mixed_labels(labels, other_labels, self.classes, mix)
        return Batch(inputs, labels, len(index), self.share.divides(len(index)))

    def _inputs(
        self, epoch: int, index: Tensor, position: int, shifts: Tensor | None, places: Tensor
    ) -> Tensor:
        """Network inputs of the samples at these places of the batch, augmented."""
        config, chosen = self.config, index[places]
        random = [sample_generator(config.seed, epoch, position + place) for place in places.tolist()]
        if self.pictures:
            source, members, boxes = self.feed.source, chosen.numpy(), None
            if config.crop_area == 1.0:
                pixels = source[members]
            elif isinstance(source, ImageSource):
                # The part is cut out of the original, before it is reduced to the frame.
                pixels = source.crops(members, crop_boxes(config.crop_area, random, source.aspects(members)))
            else:
                pixels, boxes = source[members], crop_boxes(config.crop_area, random)
            raw = torch.from_numpy(augment_images(pixels[:, 0], config, random, boxes=boxes))[:, None]
            raw = raw.to(self.feed.device)
        else:
            raw = self.feed.raw(chosen.to(self.feed.labels.device))
        if shifts is not None:
            raw = moved(raw, shifts[places])
        if self.events:
            raw = augment_events(raw, config, random)
        if config.cutout_pixels:
            raw = cut_out(raw, config.cutout_pixels, random)
        batch = self.feed.normalised(raw)
        if config.random_erasing:
            batch = erase(batch, config.random_erasing, random)
        return self.feed.steps_first(batch)
