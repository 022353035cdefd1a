"""A stored file is what was written, or it is not served; a process killed at any moment leaves it whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from damages import DAMAGES

from aster_dse.errors import NotFoundError
from aster_dse.stored_files import (
    DamagedFileError,
    adopt,
    digest_file,
    forget,
    keep,
    read_kept,
    set_aside,
    verify_kept,
    write_whole,
)

CONTENT = bytes(range(256)) * 4


def test_the_digest_beside_a_file_is_one_that_sha256sum_checks(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "network.safetensors"
    digest = keep(path, CONTENT)
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert digest_file(path).read_text() == f"{digest}  network.safetensors\n"
    assert read_kept(path) == CONTENT
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", digest_file(path).name], cwd=path.parent, check=True)
    keep(path, lambda file: file.write(b"new"))
    assert read_kept(path) == b"new"
    assert digest_file(path).read_text().count("\n") == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "trace.npz"
    keep(path, CONTENT)
    DAMAGES[damage](path)
    for use in (read_kept, verify_kept):
        with pytest.raises(DamagedFileError, match="damaged") as caught:
            use(path, "trace")
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_damaged_digest_serves_nothing_unless_the_file_is_known_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    digest = keep(path, CONTENT)
    for text in ("", "x" * 40, digest_file(path).read_text().replace(digest[0], "0", 1).replace("a", "b")):
        digest_file(path).write_text(text)
        with pytest.raises(DamagedFileError):
            read_kept(path)
        assert read_kept(path, expected=digest) == CONTENT


def test_a_file_of_an_older_version_is_read_and_gets_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    path.write_bytes(CONTENT)
    assert read_kept(path) == CONTENT
    verify_kept(path)
    with pytest.raises(DamagedFileError):
        read_kept(path, expected=hashlib.sha256(b"another").hexdigest())
    adopt(path)
    path.write_bytes(CONTENT[1:])
    with pytest.raises(DamagedFileError):
        read_kept(path)


def test_what_is_set_aside_is_kept_and_never_covers_what_was_set_aside_before(tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    places = []
    for content in (b"one", b"two"):
        keep(path, content)
        file = set_aside(path, "is damaged")
        places.append(file.place)
        assert "is damaged; set aside as trace.npz" in str(file)
        with pytest.raises(NotFoundError):
            read_kept(path)
    assert [place.read_bytes() for place in places] == [b"one", b"two"]
    assert not digest_file(path).exists()
    forget(path)


def test_a_large_file_is_hashed_once_in_a_process_and_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "frames.npy"
    keep(path, CONTENT)
    verify_kept(path)
    facts = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(DamagedFileError):
        verify_kept(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from aster_dse.stored_files import keep

moment = int(sys.argv[2])

def hook(event, arguments):
    global moment
    if event in ("open", "os.rename", "os.remove") and sys.argv[1] in str(arguments[0]):
        moment -= 1
        if moment < 0:
            os.kill(os.getpid(), signal.SIGKILL)

path = Path(sys.argv[1]) / "file"
sys.addaudithook(hook)
keep(path, b"new" * 100)
"""


def test_a_process_killed_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    seen = set()
    for moment in range(12):
        path = tmp_path / str(moment) / "file"
        keep(path, b"old" * 100)
        done = subprocess.run([sys.executable, "-c", KILLED, str(path.parent), str(moment)], timeout=60)
        seen.add(read_kept(path)[:3])
        keep(path, b"later")
        assert read_kept(path) == b"later"
        if done.returncode == 0:
            break
    assert seen == {b"old", b"new"}
    assert done.returncode == 0


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    keep(path, b"old")

    def fails(_: object) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        keep(path, fails)
    with pytest.raises(OSError, match="full"):
        write_whole(path, fails)
    assert read_kept(path) == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "file.sha256"]
