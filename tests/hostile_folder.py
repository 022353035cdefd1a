"""A working directory whose files have the names of modules that the program needs."""

from __future__ import annotations

from pathlib import Path

PACKAGES = ("aster_dse", "dashboard", "search_spaces", "tests", "ray", "yaml")
MODULES = ("workers", "numerics", "torch", "random", "optuna", "dash", "numpy", "platform", "safetensors")


def make_hostile(folder: Path) -> Path:
    """Fill a folder with packages and modules that say who imported them, and fail."""
    folder.mkdir(parents=True, exist_ok=True)
    fails = "raise ImportError(f'{__file__} was imported from the working directory')\n"
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(fails)
    for name in MODULES:
        (folder / f"{name}.py").write_text(fails)
    return folder
