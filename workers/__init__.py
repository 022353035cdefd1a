"""Where jobs run: Ray clusters, local or joined, and the executor that feeds them.

Import ``aster_dse.workers.cluster`` (light) or ``aster_dse.workers.executor`` (imports Ray).
"""
