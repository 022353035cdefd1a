"""The two losses, held against their definitions."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from aster_dse.space import TrainingConfig
from aster_dse.training import tet_loss
from aster_dse.training.loss import loss_of

LOGITS = torch.randn(4, 6, 10, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 3, 3, 9, 1, 7])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_tet_judges_every_step_and_pulls_the_logits_to_a_mean(smoothing: float) -> None:
    each = torch.stack([cross_entropy(step, LABELS, label_smoothing=smoothing) for step in LOGITS]).mean()
    spread = ((LOGITS - 1.0) ** 2).mean()
    loss = tet_loss(LOGITS, LABELS, weight=1e-3, mean=1.0, label_smoothing=smoothing)
    torch.testing.assert_close(loss, 0.999 * each + 1e-3 * spread)


def test_without_weight_tet_is_the_mean_cross_entropy_of_the_steps() -> None:
    each = torch.stack([cross_entropy(step, LABELS) for step in LOGITS]).mean()
    torch.testing.assert_close(tet_loss(LOGITS, LABELS, weight=0.0, mean=1.0), each)


def test_the_recipe_names_the_loss() -> None:
    tet = TrainingConfig(loss="tet", tet_lambda=0.05, tet_mean=0.5, label_smoothing=0.1)
    torch.testing.assert_close(
        loss_of(tet, LOGITS, LABELS),
        tet_loss(LOGITS, LABELS, weight=0.05, mean=0.5, label_smoothing=0.1),
    )
    torch.testing.assert_close(
        loss_of(TrainingConfig(loss="ce"), LOGITS, LABELS), cross_entropy(LOGITS.mean(0), LABELS)
    )
