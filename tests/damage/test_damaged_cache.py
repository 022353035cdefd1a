"""Damaged data in the cache are made anew, and the log says so."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from damages import DAMAGES

from aster_dse.stored_files import digest_file
from aster_dse.workload.cache import cached_arrays


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_data_are_made_anew(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    made = []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"frames": np.arange(4096, dtype=np.uint8), "labels": np.arange(9)}

    expected = cached_arrays(tmp_path, "key", make)
    DAMAGES[damage](tmp_path / "key.npz")
    with caplog.at_level(logging.WARNING):
        again = cached_arrays(tmp_path, "key", make)
    assert all(np.array_equal(again[name], expected[name]) for name in expected)
    assert len(made) == 2
    assert "key.npz" in caplog.text
    cached_arrays(tmp_path, "key", make)
    assert len(made) == 2


def test_data_of_an_older_version_are_read(tmp_path: Path) -> None:
    cached_arrays(tmp_path, "key", lambda: {"labels": np.arange(9)})
    digest_file(tmp_path / "key.npz").unlink()

    def make() -> dict[str, np.ndarray]:
        raise AssertionError("they are there")

    assert np.array_equal(cached_arrays(tmp_path, "key", make)["labels"], np.arange(9))
