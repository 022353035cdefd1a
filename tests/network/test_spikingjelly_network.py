"""The same weights in spikingjelly's own Spike-Driven Transformer give the same answers."""

from __future__ import annotations

import re

import torch
from official import load_official
from safetensors.torch import load_file
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.model.spike_driven_transformer import (
    SpikeDrivenTransformer as SpikingjellyTransformer,
)
from torch import Tensor

from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.published import load_published

_RENAMED = (
    (r"patch_embed\.proj_(conv|bn)3\.", r"patch_embed.final_stage.\1."),
    (r"patch_embed\.proj_(conv|bn)(\d?)\.", r"patch_embed.stages.\2.\1."),
    (r"patch_embed\.stages\.\.", "patch_embed.stages.0."),
    (r"(stages\.\d|final_stage)\.conv\.", r"\1.0."),
    (r"(stages\.\d|final_stage)\.bn\.", r"\1.1."),
    (r"^block\.", "blocks."),
    (r"mlp\.fc([12])_conv\.", r"mlp.fc\1."),
    (r"mlp\.fc([12])_bn\.", r"mlp.bn\1."),
)


def _theirs(published: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published weights by spikingjelly's names; its stem's biases, which the others lack, are zero."""
    renamed = {name: torch.zeros_like(tensor) for name, tensor in like.items() if name.endswith(".0.bias")}
    for name, tensor in published.items():
        for pattern, replacement in _RENAMED:
            name = re.sub(pattern, replacement, name)
        if "talking_heads" not in name:
            renamed[name] = tensor
    return renamed


@torch.no_grad()
def test_time_mean_of_the_logits() -> None:
    reference = load_official("sdt_static_lif")
    ours = SpikeDrivenTransformer(reference.config, reference.geometry)
    load_published(ours, reference.weights)
    steps = reference.geometry.timesteps
    theirs = SpikingjellyTransformer(
        T=steps,
        in_channels=3,
        num_classes=10,
        embed_dims=reference.config.width,
        depths=reference.config.depth,
        mlp_ratio=reference.config.mlp_ratio,
        pooling_stat=reference.config.pooling,
    )
    theirs.load_state_dict(_theirs(load_file(reference.weights), theirs.state_dict()))
    images = reference.frames[0].double()
    expected = theirs.double().eval()(images)
    functional.reset_net(theirs)

    found = ours.double().eval()(images.expand(steps, *images.shape)).mean(0)

    assert expected.std() > 0.1, "the network is alive"
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
