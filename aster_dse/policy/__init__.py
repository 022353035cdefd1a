"""Policy: run-time shortcuts, answered from a trace."""

from aster_dse.policy.exits import ExitMetric, Exits, exits, log_doubt
from aster_dse.policy.table import PolicyOutcome, PolicyTable, skipped_blocks, stack_activity

__all__ = [
    "ExitMetric",
    "Exits",
    "PolicyOutcome",
    "PolicyTable",
    "exits",
    "log_doubt",
    "skipped_blocks",
    "stack_activity",
]
