"""Drives one ticking job on a local cluster: ``driver_ticking.py FOLDER``. Prints how the block was left."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from worker_jobs import make_job, make_workload, replace_text, tick

from aster_dse.workers.cluster import local_cluster


def main(folder: Path) -> None:
    # A shell starts what it runs in the background with interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with local_cluster(1):
        import ray

        from aster_dse.workers.executor import RayExecutor

        executor = RayExecutor(run=tick, load=make_workload)
        executor.submit(make_job(0, folder))
        try:
            replace_text(folder / "session", ray._private.worker._global_node.get_session_dir_path())
            print(executor.wait().trial)
        except KeyboardInterrupt:
            print("interrupted", executor.wait().trial)
        finally:
            executor.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
