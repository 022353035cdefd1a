"""``aster-dse stop``: end a search that runs on this machine."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from aster_dse.cli.options import DEFAULT_STORAGE, Json, Storage, StudyName
from aster_dse.cli.output import print_json
from aster_dse.errors import NotFoundError

__all__ = ["stop"]


def stop(
    study: StudyName,
    now: Annotated[
        bool, typer.Option("--now", help="Stop the running trials too; they go on from their last epoch.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """End a search that runs on this machine: what runs is finished, nothing more is begun."""
    from aster_dse.store import StudyReader
    from aster_dse.store.going_on import resume_command

    with StudyReader(storage) as reader:
        row = reader.study(study)
        holder = reader.lease_holder(row.id)
        counts = reader.counts(row.id)
        # The trials that run will have ended.
        ended = replace(counts, complete=counts.complete + counts.running, running=0)
        go_on = resume_command(row, ended, reader.places)
    if holder is None:
        raise NotFoundError(f"study {study!r} is not being searched")
    if holder.host != socket.gethostname() or not _is_ours(holder.pid):
        raise NotFoundError(
            f"study {study!r} is searched by process {holder.pid} on {holder.host}, out of reach from here "
            "(run the same command there)"
        )
    os.kill(holder.pid, signal.SIGTERM if now else signal.SIGINT)
    if json:
        print_json({"study": study, "pid": holder.pid, "host": holder.host, "now": now})
    else:
        what = "stopping at once" if now else "finishing the trials that run"
        print(f"{study}: process {holder.pid} is {what}" + (f"; resume with: {go_on}" if go_on else ""))


def _is_ours(pid: int) -> bool:
    """Whether the process is one of this program, as far as the system tells.

    Another container may share the host's name but not its process numbers.
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return not Path("/proc").is_dir()
    return b"aster" in words
