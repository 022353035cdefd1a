"""Drives a study until it is killed or done: python driver_to_kill.py URL TRIALS LOG.

Every network that it trains is written down in LOG when its training has ended.
"""

from __future__ import annotations

import sys
from pathlib import Path

from analytic_jobs import AnalyticJobs, search, space

from aster_dse.search.protocol import NetworkJob, NetworkResult, Outcome

url, trials, log = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


def noted(job: NetworkJob, result: NetworkResult) -> Outcome:
    with log.open("a") as file:
        file.write(f"{job.trial}\n")
    print("trained", job.trial, flush=True)
    return result


jobs = AnalyticJobs(noted)
print("ready", flush=True)
search(url, space(), trials, jobs=jobs, artifacts=log.parent)
print("done", flush=True)
