"""What a machine lacks is said before a study is created; what it lacked, trials are run again after."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import DIVERGES, PROGRAM, SPACE, Home

from aster_dse.store import StudyReader


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["--gpus-per-worker", "1"], "--gpus-per-worker"),
        (["--gpus-per-worker", "0.5", "--workers", "2"], "--gpus-per-worker"),
        (["--workers", "0", "--gpus-per-worker", "1"], "--gpus-per-worker"),
        (["--set", "search.resources_per_training.gpus=1"], "search.resources_per_training.gpus"),
        (
            [
                "--set",
                "search.resources_per_training.workers=2",
                "--set",
                "search.resources_per_training.gpus=1",
            ],
            "search.resources_per_training.gpus",
        ),
    ],
)
def test_gpus_that_are_not_here_are_refused_at_once(
    words: list[str], where: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    ran = home.aster("search", home.space, *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.complaint.startswith(f"{where}: a training asks for ")
    assert "this machine has none" in ran.complaint
    assert [path.name for path in home.folder.iterdir()] == ["tiny.yaml"]


@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of the system")
def test_a_disk_without_room_is_said_before_the_study_is_created(home: Home) -> None:
    mebibyte = 2**20
    done = subprocess.run(
        [str(PROGRAM), "search", str(home.space), "--workers", "0"],
        cwd=home.folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (mebibyte, mebibyte)),
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert "has less than 8 MiB left: File too large" in done.stderr
    assert [path.name for path in home.folder.iterdir()] == ["tiny.yaml"]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="makes a small disk in a namespace of its own")
def test_a_small_disk_is_said_before_the_study_is_created(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SPACE, encoding="utf-8")
    (tmp_path / "disk").mkdir()
    inside = f"mount -t tmpfs -o size=500k none disk && exec {PROGRAM} search tiny.yaml --workers 0"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{inside} --artifacts disk/networks"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert (done.returncode, done.stdout) == (5, "")
    assert "No space left on device" in done.stderr
    assert not (tmp_path / "aster_dse.db").exists()


def test_a_folder_that_cannot_be_written_is_said_before_the_study_is_created(home: Home) -> None:
    ran = home.search("--artifacts", "/proc/aster-dse")
    assert (ran.code, ran.out) == (2, "")
    assert ran.complaint.startswith("--artifacts: /proc/aster-dse cannot be made")
    assert not (home.folder / "aster_dse.db").exists()


@pytest.mark.parametrize(
    ("name", "folder"), [("cifar10", ""), ("dvs-gesture", ""), ("image-folder", "mine"), ("imagenette", "")]
)
def test_data_that_is_not_there_is_said_before_the_study_is_created(
    name: str, folder: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.folder / "mount").mkdir()  # on which nothing is mounted
    monkeypatch.setenv("ASTER_DSE_DATA", str(home.folder / "mount"))
    words = f"name: {name}, resolution: 32" + (f", folder: {folder}, classes: 3" if folder else "")
    space = SPACE.replace("name: digits-dvs, resolution: 16, timesteps: 2", words)
    home.space.write_text(space, encoding="utf-8")
    ran = home.search()
    assert (ran.code, ran.out) == (3, ""), ran.err
    assert ran.complaint.startswith(f"{name}: there is no {home.folder}/mount/")
    assert not (home.folder / "aster_dse.db").exists()


def test_failed_trials_are_run_again_on_demand(home: Home) -> None:
    def attempts() -> list[int]:
        with StudyReader(home.storage) as reader:
            return [trial.attempts for trial in reader.trials(reader.study("s").id)]

    home.search("--study", "s", *DIVERGES)
    assert attempts() == [1, 1]
    assert home.aster("resume", "s", "--workers", 0).code == 1
    assert home.aster("resume", "s", "--workers", 0, "--retry-failed", "memory,data").code == 1
    assert attempts() == [1, 1]
    home.aster("resume", "s", "--workers", 0, "--retry-failed", "diverged")
    assert attempts() == [2, 2]
    home.aster("resume", "--workers", 0, "--retry-failed", "s")
    assert attempts() == [3, 3]


FULL_FOR_A_WHILE = """
mount -t tmpfs -o size=10m none disk || exit 77
(
    until ls disk/networks/*/network.safetensors; do sleep 0.1; done
    cat /dev/zero > disk/filling
    sleep 12
    rm disk/filling
) > /dev/null 2>&1 &
exec "$@" --artifacts disk/networks
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="makes a small disk in a namespace of its own")
def test_a_disk_that_is_full_for_a_while_fails_no_trial(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SPACE, encoding="utf-8")
    (tmp_path / "disk").mkdir()
    search = [PROGRAM, "search", "tiny.yaml", "--workers", "0", "--trials", "3", "--json"]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", FULL_FOR_A_WHILE, "sh", *map(str, search)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.returncode == 0, done.stderr
    assert "is interrupted: OSError: [Errno 28] No space left on device; trying again in 10 s" in done.stderr
    trials = json.loads(done.stdout)["trials"]
    assert (trials["complete"], trials["failed"]) == (3, 0)
