"""Losses on per-step logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from aster_dse.space import TrainingConfig

__all__ = ["loss_of", "tet_loss"]


def tet_loss(
    logits: Tensor, labels: Tensor, *, weight: float, mean: float, label_smoothing: float = 0.0
) -> Tensor:
    """Temporal efficient training: every step shall classify, and keep its logits near ``mean``.

    Args:
        logits: ``[T, B, classes]``.
        labels: ``[B]`` classes, or ``[B, classes]`` probabilities.
        weight: lambda of the second term.

    Returns:
        ``(1 - weight) mean_t CE(logits_t, labels) + weight MSE(logits, mean)``.

    Source: Deng et al., "Temporal Efficient Training of Spiking Neural Network via Gradient Re-weighting",
    ICLR 2022, equation 12.
    """
    steps = logits.shape[0]
    repeated = labels.repeat(steps, *(1,) * (labels.ndim - 1))
    classified = cross_entropy(logits.flatten(0, 1), repeated, label_smoothing=label_smoothing)
    if weight == 0.0:
        return classified
    return (1.0 - weight) * classified + weight * mse_loss(logits, logits.new_tensor(mean).expand_as(logits))


def loss_of(config: TrainingConfig, logits: Tensor, labels: Tensor) -> Tensor:
    """The loss that ``config`` names; ``ce`` is the cross-entropy of the mean over the steps."""
    if config.loss == "tet":
        return tet_loss(
            logits,
            labels,
            weight=config.tet_lambda,
            mean=config.tet_mean,
            label_smoothing=config.label_smoothing,
        )
    return cross_entropy(logits.mean(0), labels, label_smoothing=config.label_smoothing)
