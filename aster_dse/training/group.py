"""The processes that train one network together, each on its part of every batch.

What they compute is what one process computes on whole batches, up to rounding: gradients are averaged by
torch's DistributedDataParallel, and batch norms take their moments over all parts. A batch with fewer samples
than processes is computed whole by each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

from aster_dse.network.layers import BatchNorm
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.training.batches import Share

__all__ = ["Group"]

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Group:
    """By default this process alone; otherwise the default group of ``torch.distributed``."""

    share: Share = field(default_factory=Share)

    @classmethod
    def joined(cls) -> Group:
        """The group that ``torch.distributed`` has been initialised with."""
        return cls(Share(torch.distributed.get_rank(), torch.distributed.get_world_size()))

    @property
    def writes(self) -> bool:
        """This process writes the checkpoints."""
        return self.share.rank == 0

    def wrap(self, model: SpikeDrivenTransformer) -> nn.Module:
        """``model``, learning together with those of the other processes."""
        if self.share.world == 1:
            return model
        return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)

    def divide(self, model: nn.Module, divided: bool) -> None:
        """Have batch norms take their moments over all parts of the next batch, or over what is here."""
        if self.share.world > 1:
            for module in model.modules():
                if isinstance(module, BatchNorm):
                    module.reduce = torch.distributed.all_reduce if divided else None

    def mean(self, value: Tensor) -> float:
        """The mean of a figure over the processes."""
        if self.share.world == 1:
            return float(value)
        together = value.detach().double()  # on its device: NCCL knows no other
        torch.distributed.all_reduce(together)
        return float(together) / self.share.world

    def agree(self, find: Callable[[], _Found]) -> _Found:
        """What the first process finds, for all: the others may not see its disk."""
        if self.share.world == 1:
            return find()
        found = [find() if self.writes else None]
        torch.distributed.broadcast_object_list(found, src=0)
        return found[0]  # type: ignore[return-value]
