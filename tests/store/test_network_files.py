"""The files of trained networks in an artifacts folder, by what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_dse.store.network_files import PLURALS, FileCount, files_of_networks, kind_of, networks_in


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("key/network.safetensors", "checkpoint"),
        ("epoch.safetensors", "checkpoint"),
        ("key/trace.npz", "trace"),
        ("key/pass-0123.npz", "pass"),
        ("calibration-0123.npz", "calibration"),
        ("pass-0123.lock", "lock"),
        ("lock", "lock"),
        ("network.safetensors.sha256", "digest"),
        ("trace.npz.2.aside", "set aside"),
        ("pass-0123.npzab12.part", "unfinished"),
        ("notes.txt", "file"),
    ],
)
def test_what_a_file_is(name: str, kind: str) -> None:
    assert kind_of(name) == kind
    assert kind in PLURALS


def test_they_are_counted_those_of_looks_too(tmp_path: Path) -> None:
    sizes = {
        "a/lock": 0,
        "a/pass-1.npz": 3,
        "a/look-2/pass-1.npz": 4,
        "a/trace.npz": 5,
        "b/lock": 0,
        "c/x": 9,
    }
    for name, size in sizes.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    assert networks_in(tmp_path) == ["a", "b"]
    assert files_of_networks(tmp_path, ["a", "b", "gone"]) == {
        "lock": FileCount(2, 0),
        "pass": FileCount(2, 7),
        "trace": FileCount(1, 5),
    }
    assert networks_in(tmp_path / "none") == []
