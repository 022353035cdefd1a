"""Where jobs run: Ray clusters, local or joined, and the executor that feeds them.

Import from the modules: ``workers.cluster`` (light) and ``workers.executor`` (imports Ray).
"""
