"""Training: a network of a candidate, from its first weights to a checkpoint."""

from aster_dse.training.checkpoint import load_trained
from aster_dse.training.loss import tet_loss
from aster_dse.training.trained import EpochRow, InitialWeights, TrainedNetwork, predict_logits
from aster_dse.training.trainer import TrainingDiverged, train

__all__ = [
    "EpochRow",
    "InitialWeights",
    "TrainedNetwork",
    "TrainingDiverged",
    "load_trained",
    "predict_logits",
    "tet_loss",
    "train",
]
