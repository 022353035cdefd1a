"""Files of trained networks between the driver's disk, the workers' disks and the store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aster_dse.errors import AsterError, NotFoundError
from aster_dse.search.journal import Journal
from aster_dse.search.protocol import NetworkPause, NetworkResult
from aster_dse.space import Candidate
from aster_dse.stored_files import DamagedFileError, SetAside, adopt, keep, read_kept, set_aside

__all__ = ["files_of", "keep_file", "keep_files", "known_files"]


def known_files(store: Journal, training_key: str) -> dict[str, str]:
    """Name to SHA-256 of a network's files as the store knows them."""
    prefix = f"{training_key}/"
    return {file.path.removeprefix(prefix): file.sha256 for file in store.artifacts(training_key)}


def files_of(
    artifacts: Path, candidate: Candidate, on_damage: Callable[[SetAside], None]
) -> dict[str, bytes]:
    """What is there of a network, or where its training stands: the worker may not see this disk.

    Args:
        on_damage: told of a file that was set aside.
    """
    from aster_dse.activity.files import TRACE_FILE
    from aster_dse.training.checkpoint import EPOCH_FILE, NETWORK_FILE

    folder = artifacts / candidate.training_key()
    wanted = (NETWORK_FILE, TRACE_FILE) if (folder / NETWORK_FILE).is_file() else (EPOCH_FILE,)
    found = {}
    for name in wanted:
        try:
            found[name] = read_kept(folder / name, "file")
        except NotFoundError:
            continue
        except DamagedFileError as error:
            on_damage(set_aside(folder / name, error.problem))
    return found


def keep_files(artifacts: Path, outcome: NetworkResult | NetworkPause) -> None:
    """Put the files of a trained network where they belong."""
    for name, content in outcome.files.items():
        keep_file(artifacts / outcome.training_key, name, content)


def keep_file(folder: Path, name: str, content: bytes) -> None:
    """Put a trained network's file where it belongs, unless it lies there: the worker may share this disk."""
    path = folder / name
    if Path(name).name != name:
        raise AsterError(f"{name!r} is not the name of a file")
    with suppress(NotFoundError, DamagedFileError):
        if read_kept(path) == content:
            adopt(path)
            return
    keep(path, content)
