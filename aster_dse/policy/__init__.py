"""Policy: run-time shortcuts, answered from a trace."""

from aster_dse.policy.batch import PolicyBatch, apply_policies, policy_accuracy
from aster_dse.policy.chips import ChipPolicies, accuracy_on_chips, apply_on_chips, mean_activity
from aster_dse.policy.exits import ExitMetric, Exits, exits, log_doubt
from aster_dse.policy.table import PolicyOutcome, PolicyTable, skipped_blocks, stack_activity

__all__ = [
    "ChipPolicies",
    "ExitMetric",
    "Exits",
    "PolicyBatch",
    "PolicyOutcome",
    "PolicyTable",
    "accuracy_on_chips",
    "apply_on_chips",
    "apply_policies",
    "exits",
    "log_doubt",
    "mean_activity",
    "policy_accuracy",
    "skipped_blocks",
    "stack_activity",
]
