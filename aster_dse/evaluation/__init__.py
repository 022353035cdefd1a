"""Evaluation: what a configuration is worth."""

from aster_dse.evaluation.result import METRICS, Evaluation, Metric

__all__ = ["METRICS", "Evaluation", "Metric"]
