"""What a search needs of a store; ``aster_dse.store.StudyStore`` is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from aster_dse.hardware.sources import ModelRecord
    from aster_dse.search.protocol import NetworkFailure, NetworkPause, NetworkResult
    from aster_dse.store.lease import Lease
    from aster_dse.store.rows import Artifact, LookRow, StaleTrial, StudyCounts, StudyRow, TrialRow

__all__ = ["Journal"]


class Journal(Protocol):
    """Studies and their trials; every call that writes is one transaction."""

    def study(self, name: str) -> StudyRow: ...

    def create_study(
        self,
        name: str,
        *,
        space: Mapping[str, Any],
        space_hash: str,
        objectives: Mapping[str, str],
        constraints: Sequence[str] = (),
        seed: int = 0,
        sampler: str = "tpe",
        code_version: str = "",
        data: Sequence[Mapping[str, Any]] = (),
        model: ModelRecord | None = None,
        reference_point: Mapping[str, float] | None = None,
    ) -> StudyRow: ...

    def set_data(self, study_id: int, data: Sequence[Mapping[str, Any]]) -> StudyRow: ...

    def update_space(
        self, study_id: int, *, space: Mapping[str, Any], space_hash: str, model: ModelRecord | None = None
    ) -> StudyRow: ...

    def begin_rescoring(self, study_id: int, model: ModelRecord) -> None:
        """Take back every figure of a study; what was complete or paused is RUNNING again."""
        ...

    def set_reference_point(self, study_id: int, point: Mapping[str, float]) -> None: ...

    def lease(
        self, study_id: int, *, holder: str = "a search", ttl_s: float = 60.0
    ) -> AbstractContextManager[Lease]:
        """Be the one driver of a study while the block runs."""
        ...

    def counts(self, study_id: int) -> StudyCounts: ...

    def trials(self, study_id: int) -> list[TrialRow]:
        """The trials of a study by number."""
        ...

    def looks(self, study_id: int) -> list[LookRow]:
        """What was seen of networks before their trainings were over, in the order of seeing."""
        ...

    def evaluations(self, study_id: int, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The evaluations of a study in the order they were stored."""
        ...

    def studies(self) -> list[StudyRow]: ...

    def artifacts(self, training_key: str) -> list[Artifact]:
        """The files of a trained network."""
        ...

    def stale_trials(self, study_id: int) -> list[StaleTrial]:
        """Complete trials whose evaluations are of other weights than their network has now."""
        ...

    def rescore_trial(self, study_id: int, result: NetworkResult) -> None: ...

    def begin_trial(
        self,
        study_id: int,
        number: int,
        *,
        assignment: Mapping[str, Any],
        candidate: Mapping[str, Any],
        training_key: str,
    ) -> None: ...

    def finish_trial(
        self,
        study_id: int,
        result: NetworkResult,
        told: Sequence[int],
        *,
        artifacts: Sequence[Artifact] = (),
    ) -> bool: ...

    def pause_trial(self, study_id: int, pause: NetworkPause) -> bool: ...

    def continue_trial(self, study_id: int, number: int) -> int: ...

    def fail_trial(self, study_id: int, failure: NetworkFailure) -> bool: ...

    def requeue(self, study_id: int, number: int, failure: NetworkFailure | None = None) -> int: ...
