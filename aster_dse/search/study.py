"""Opens the study that a search fills: a new one, or one whose space is the same or grew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.errors import InputError, NotFoundError
from aster_dse.hardware.sources import ModelRecord, model_record
from aster_dse.search.journal import Journal
from aster_dse.search.space_checks import CheckedSpace, check_space
from aster_dse.space import HARDWARE_KNOBS, SearchSpace, difference, extends
from aster_dse.workload import KnownData, hold_against

if TYPE_CHECKING:
    from aster_dse.store.rows import StudyRow

__all__ = ["check_networks", "check_same_model", "keep_data", "known_data", "open_study"]

_JUDGED_BY = tuple(f"hardware.{name}" for name, knob in HARDWARE_KNOBS.items() if knob.fixed_only)
"""Settings that say how configurations are judged: those of one study all alike."""
_SHOWN = 6
"""Changes of a model that a message has room for."""


def open_study(
    store: Journal,
    space: SearchSpace,
    name: str,
    *,
    extend: bool = False,
    code_version: str,
    data: Sequence[KnownData] = (),
    checked: CheckedSpace | None = None,
) -> StudyRow:
    """The study of this name, created where there is none.

    Args:
        store: where it is or will be.
        space: what it searches. Its seed and sampler are recorded when the study is created.
        name: of the study.
        extend: take over a changed space, if it only adds to the study's.
        code_version: of the package that creates it.
        data: what the data sets of the space are now.
        checked: what :func:`~aster_dse.search.space_checks.check_space` found; None has it checked here.

    Raises:
        InputError: the study searches another space, or its figures are computed with another cost model,
            library or preset; or it cannot be searched.
        DataMismatchError: it began with other data.
    """
    try:
        study = store.study(name)
    except NotFoundError:
        checked = check_space(space, f"space {space.name}") if checked is None else checked
        return store.create_study(
            name,
            space=space.as_dict(),
            space_hash=space.hash,
            objectives=dict(space.objectives),
            constraints=[str(bound) for bound in space.constraints],
            seed=space.search.seed,
            sampler=space.search.sampler,
            code_version=code_version,
            data=[entry.as_dict() for entry in data],
            model=checked.model,
            reference_point=checked.reference_point,
        )
    if study.space_hash != space.hash:
        _check_extension(study, space, extend)
    model = model_record(space) if checked is None else checked.model
    check_same_model(study, model)
    if study.space_hash == space.hash:
        return keep_data(store, study, data)
    study = keep_data(store, study, data)
    merged = None if study.model is None else study.model.merged(model)
    return store.update_space(study.id, space=space.as_dict(), space_hash=space.hash, model=merged)


def _check_extension(study: StudyRow, space: SearchSpace, extend: bool) -> None:
    known = SearchSpace.from_mapping(study.space, f"study {study.name}")
    changes = "; ".join(difference(known, space))
    if not extends(known, space):
        incomparable = any(known.fixed[path] != space.fixed[path] for path in _JUDGED_BY)
        why = "figures of both would not compare: " if incomparable else ""
        raise InputError(
            f"study {study.name}",
            f"the space is another one: {changes}",
            f"{why}give the study another name with --study",
        )
    if not extend:
        raise InputError(
            f"study {study.name}",
            f"the space is another one: {changes}",
            "it only adds, so --extend takes it over; or give the study another name with --study",
        )


def known_data(study: StudyRow) -> tuple[KnownData, ...]:
    """What the data sets of a study were identified as; none where an older version began it."""
    return tuple(KnownData(**entry) for entry in study.data or ())


def keep_data(store: Journal, study: StudyRow, data: Sequence[KnownData]) -> StudyRow:
    """The study, which from now on says what its data sets are.

    Args:
        data: what they are now.

    Raises:
        DataMismatchError: it began with others.
    """
    known = known_data(study)
    hold_against(study.name, known, data)
    kept = [old for old in known if not any(old.is_of(entry) for entry in data)]
    now = (*kept, *data)  # those of now say where the data lies by now
    if sorted(map(str, now)) == sorted(map(str, known)):
        return study
    return store.set_data(study.id, [entry.as_dict() for entry in now])


def check_same_model(study: StudyRow, model: ModelRecord) -> None:
    """Make sure that new figures would compare with those that a study has.

    Raises:
        InputError: cost model, library or preset changed; the message says what. Nothing is known of studies
            that an older version began.
    """
    if study.model is None:
        return
    changes = study.model.changes(model, real_arrays=study.space["hardware"].get("arrays") == "real")
    if changes:
        more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
        raise InputError(
            f"study {study.name}",
            f"its figures are computed otherwise by now: {'; '.join(changes[:_SHOWN])}{more}",
            "undo the change, or score all networks anew by resume with --rescore, or begin another study",
        )


def check_networks(keys: Sequence[str], artifacts: Path) -> None:
    """Make sure that networks can be scored anew without being trained anew.

    Args:
        keys: of the networks.

    Raises:
        InputError: some are not in the artifacts folder.
    """
    from aster_dse.training.checkpoint import EPOCH_FILE, NETWORK_FILE

    missing = [
        key
        for key in keys
        if not any((artifacts / key / name).is_file() for name in (NETWORK_FILE, EPOCH_FILE))
    ]
    if missing:
        raise InputError(
            "--rescore",
            f"{len(missing)} of {len(keys)} networks are not in {artifacts} and would be trained anew",
            "name their folder with --artifacts",
        )
