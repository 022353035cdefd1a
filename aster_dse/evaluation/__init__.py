"""Evaluation: what a configuration is worth."""

from aster_dse.evaluation.result import Evaluation
from aster_dse.space import METRICS, Metric

__all__ = ["METRICS", "Evaluation", "Metric"]
