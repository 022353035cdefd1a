"""Automatic mixed precision: convolutions in 16 bits, neurons and weights in 32."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import torch
from torch import Tensor

from aster_dse.errors import InputError

__all__ = ["Precision"]

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """Runs forward passes and optimiser steps at the precision that a configuration names.

    Raises:
        InputError: ``fp16`` on a device that is no GPU.
    """

    def __init__(self, amp: Literal["off", "bf16", "fp16"], device: torch.device) -> None:
        if amp == "fp16" and device.type != "cuda":
            raise InputError("training.amp", f"fp16 needs a GPU, not {device.type}", "bf16 or off")
        self._device, self._dtype = device.type, _TYPES.get(amp)
        self._scaler = torch.amp.GradScaler(device.type) if amp == "fp16" else None

    def forward(self) -> contextlib.AbstractContextManager[Any]:
        """The block in which the network runs."""
        if self._dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self._device, dtype=self._dtype)

    def step(self, loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
        """Gradients of ``loss``, and a step along them."""
        if self._scaler is None:
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            return
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(optimiser)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {} if self._scaler is None else dict(self._scaler.state_dict())

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        if self._scaler is not None and state:
            self._scaler.load_state_dict(state)
