"""Activity: what happened inside a trained network, kept so that nothing need run twice."""

from aster_dse.activity.inference import InferenceActivity
from aster_dse.activity.trace import ActivityTrace
from aster_dse.activity.uniform import uniform_activity

__all__ = ["ActivityTrace", "InferenceActivity", "uniform_activity"]
