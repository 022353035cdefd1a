"""Search: what to evaluate next, and the loop that has it evaluated.

The loop is ``aster_dse.search.driver``, a trial's work ``aster_dse.search.job``; they are imported where they
are used, since they need Optuna and torch.
"""

from aster_dse.search.protocol import (
    EpochReport,
    Executor,
    NetworkFailure,
    NetworkJob,
    NetworkResult,
    Outcome,
)

__all__ = ["EpochReport", "Executor", "NetworkFailure", "NetworkJob", "NetworkResult", "Outcome"]
