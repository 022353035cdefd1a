"""Activity: what happened inside a trained network, kept so that nothing need run twice."""

from aster_dse.activity.inference import InferenceActivity

__all__ = ["InferenceActivity"]
