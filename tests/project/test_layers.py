"""Data flows one way: every module imports only what comes before it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ORDER = (
    "errors",
    "stored_files",
    "storage_url",
    "commands",
    "space",
    "workload",
    "network",
    "training",
    "activity",
    "numerics",
    "policy",
    "hardware",
    "pareto",
    "evaluation",
    "search",
    "store",
    "export",
    "cli",
)
OUTER = {"workers", "dashboard"}
"""Folders of their own in the repository, linked into the package: only the command line knows them."""
HEAVY = {"torch", "ray", "optuna", "dash", "plotly", "sklearn", "spikingjelly"}
LIGHT = (
    "aster_dse",
    "aster_dse.commands",
    "aster_dse.space",
    "aster_dse.cli",
    "aster_dse.store",
    "aster_dse.hardware",
    "aster_dse.network.geometry",
    "aster_dse.workload",
)


def _imports(path: Path) -> list[tuple[str, bool]]:
    """Modules that a file names, and whether for type checkers only."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, id(node) in typing_only))
        elif isinstance(node, ast.Import):
            found += [(alias.name, id(node) in typing_only) for alias in node.names]
    return found


def _files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", _files("aster_dse"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_library(path: Path) -> None:
    own = path.relative_to(ROOT / "aster_dse").parts[0].removesuffix(".py").replace("__main__", "cli")
    if own == "__init__":
        return
    for module, typing_only in _imports(path):
        top, _, rest = module.partition(".")
        if top == "aster_dse" and rest and not typing_only:
            there = rest.split(".")[0]
            if own == "cli" and there in OUTER:
                continue
            assert there in ORDER, f"{own} imports {module}"
            assert ORDER.index(there) <= ORDER.index(own), f"{own} imports {module}"
        if own != "cli":
            assert top not in {"ray", "dash"}, f"{own} imports {module}"
        # CIFAR's files are pickles; they are read by an unpickler that lets nothing run.
        forbidden = {"torchvision", "timm", "dill"} | (set() if path.name == "cifar.py" else {"pickle"})
        assert top not in forbidden, module
        assert module != "spikingjelly.datasets"


@pytest.mark.parametrize("path", _files("aster_dse/workers"), ids=lambda p: p.name)
def test_workers_know_the_library_only(path: Path) -> None:
    for module, _ in _imports(path):
        assert module.split(".")[0] not in {"dash", "optuna", "sqlalchemy"}, module
        later = ("aster_dse.store", "aster_dse.export", "aster_dse.cli", "aster_dse.dashboard")
        assert not module.startswith(later), module


@pytest.mark.parametrize("path", _files("aster_dse/dashboard"), ids=lambda p: p.name)
def test_the_dashboard_knows_the_store_only(path: Path) -> None:
    allowed = (
        "aster_dse.store",
        "aster_dse.errors",
        "aster_dse.commands",
        "aster_dse.space",
        "aster_dse.dashboard",
    )
    for module, _ in _imports(path):
        if module.startswith("aster_dse"):
            assert module == "aster_dse" or module.startswith(allowed), module
        assert module.split(".")[0] not in {"ray", "torch", "optuna"}, module


def test_light_modules_load_nothing_heavy() -> None:
    code = f"""
import sys
for name in {LIGHT!r}:
    __import__(name)
loaded = sorted({HEAVY!r} & sys.modules.keys())
sys.exit(", ".join(loaded) or 0)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
