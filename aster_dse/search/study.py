"""Opens the study that a search fills: a new one, or one whose space is the same or grew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aster_dse.errors import InputError, NotFoundError
from aster_dse.search.journal import Journal
from aster_dse.space import HARDWARE_KNOBS, SearchSpace, difference, extends

if TYPE_CHECKING:
    from aster_dse.store.rows import StudyRow

__all__ = ["open_study"]

_JUDGED_BY = tuple(f"hardware.{name}" for name, knob in HARDWARE_KNOBS.items() if knob.fixed_only)
"""Settings that say how configurations are judged: those of one study all alike."""


def open_study(
    store: Journal, space: SearchSpace, name: str, *, extend: bool = False, code_version: str
) -> StudyRow:
    """The study of this name, created where there is none.

    Args:
        store: where it is or will be.
        space: what it searches. Its seed and sampler are recorded when the study is created.
        name: of the study.
        extend: take over a changed space, if it only adds to the study's.
        code_version: of the package that creates it.

    Raises:
        InputError: the study searches another space.
    """
    try:
        study = store.study(name)
    except NotFoundError:
        return store.create_study(
            name,
            space=space.as_dict(),
            space_hash=space.hash,
            objectives=dict(space.objectives),
            constraints=[str(bound) for bound in space.constraints],
            seed=space.search.seed,
            sampler=space.search.sampler,
            code_version=code_version,
        )
    if study.space_hash == space.hash:
        return study
    known = SearchSpace.from_mapping(study.space, f"study {name}")
    changes = "; ".join(difference(known, space))
    if not extends(known, space):
        incomparable = any(known.fixed[path] != space.fixed[path] for path in _JUDGED_BY)
        why = "figures of both would not compare: " if incomparable else ""
        raise InputError(
            f"study {name}",
            f"the space is another one: {changes}",
            f"{why}give the study another name with --study",
        )
    if not extend:
        raise InputError(
            f"study {name}",
            f"the space is another one: {changes}",
            "it only adds, so --extend takes it over; or give the study another name with --study",
        )
    return store.update_space(study.id, space=space.as_dict(), space_hash=space.hash)
