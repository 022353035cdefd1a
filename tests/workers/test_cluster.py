"""Clusters are started, joined and left without a trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import worker_jobs as jobs
from PIL import Image

from aster_dse.errors import InputError, UnreachableError
from aster_dse.workers.cluster import join, local_cluster

pytestmark = [pytest.mark.ray, pytest.mark.xdist_group("ray")]


def processes_of(session: str) -> set[int]:
    """Processes that name the session's folder in their arguments or have files open in it."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            texts = [entry.joinpath("cmdline").read_text(errors="replace")]
            texts += [os.readlink(file) for file in entry.joinpath("fd").iterdir()]
        except OSError:
            continue
        if any(session in text for text in texts) and jobs.alive(int(entry.name)):
            found.add(int(entry.name))
    return found


def private_folder(session: str) -> Path:
    """The folder around Ray's own, which holds its sockets."""
    return Path(session).parents[1]


def started(driver: subprocess.Popen[str], folder: Path) -> tuple[str, int]:
    """Session folder and worker process of the ticking driver, once its job runs."""
    running = folder / "0.alive"
    jobs.wait_until(lambda: running.exists() or driver.poll() is not None, "the job to run")
    if driver.poll() is not None:
        pytest.fail(driver.communicate()[1])
    return (folder / "session").read_text(), int((folder / "0.alive").read_text().split()[0])


def listening_elsewhere(processes: set[int]) -> set[str]:
    """Addresses other than loopback on which the processes listen."""
    inodes = set()
    for process in processes:
        for file in Path(f"/proc/{process}/fd").iterdir():
            try:
                inodes.add(os.readlink(file))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            if state == "0A" and f"socket:[{inode}]" in inodes:
                found.add(local.split(":")[0])
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    return found - loopback


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_ctrl_c_lets_the_job_finish_and_the_end_leaves_nothing(tmp_path: Path) -> None:
    driver = jobs.start_driver("driver_ticking.py", tmp_path)
    session, worker = started(driver, tmp_path)
    processes = processes_of(session)
    assert worker in processes
    assert listening_elsewhere(processes) == set()
    assert private_folder(session).stat().st_mode & 0o077 == 0
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    before = (tmp_path / "0.alive").read_text()
    jobs.wait_until(lambda: (tmp_path / "0.alive").read_text() != before, "the job to go on")
    (tmp_path / "stop").touch()
    out, err = driver.communicate(timeout=60)
    assert (out, err, driver.returncode) == ("interrupted 0\n", "", 0)
    assert processes_of(session) == set()
    assert not private_folder(session).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_sigterm_stops_everything(tmp_path: Path) -> None:
    driver = jobs.start_driver("driver_ticking.py", tmp_path)
    session, _ = started(driver, tmp_path)
    driver.terminate()
    driver.communicate(timeout=60)
    assert driver.returncode not in (0, -signal.SIGTERM)  # it left its block in order
    assert processes_of(session) == set()
    assert not private_folder(session).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_killed_driver_takes_its_workers_with_it_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (second / "stop").touch()
    driver = jobs.start_driver("driver_ticking.py", first)
    session, worker = started(driver, first)
    driver.kill()
    driver.communicate(timeout=60)
    jobs.wait_until(lambda: not jobs.alive(worker), "the worker to end")
    assert private_folder(session).exists()
    out, err = jobs.start_driver("driver_ticking.py", second).communicate(timeout=60)
    assert (out, err) == ("0\n", "")
    assert not private_folder(session).exists()


def test_a_lost_machine_s_work_moves_to_another(tmp_path: Path, hostile: Path) -> None:
    driver = jobs.start_driver("driver_two_nodes.py", tmp_path, folder=hostile)
    out, err = driver.communicate(timeout=120)
    assert out, err
    report = json.loads(out.splitlines()[-1])
    assert report["slots"] == 2
    assert report["trials"] == [0, 1]
    assert report["attempts"] == [1, 2]
    assert set(report["types"]) == {"NetworkResult"}
    assert all({"", ".", str(hostile)}.isdisjoint(path) for path in report["paths"])


def test_machines_read_data_that_stays_on_the_disk_themselves_and_it_is_compared_before(
    tmp_path: Path,
) -> None:
    for number, name in enumerate(("train/cat", "train/dog", "val/cat", "val/dog")):
        folder = tmp_path / "here" / "pets" / name
        folder.mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (32, 32), (50 * number, 9 * index, 7)).save(folder / f"{index}.png")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    out, err = jobs.start_driver("driver_with_pictures.py", tmp_path).communicate(timeout=120)
    assert out, err
    report = json.loads(out.splitlines()[-1])
    assert report["both"] == "2"
    assert report["first"]["given"] is False
    assert report["first"]["seen"] > 0
    assert len(report["first"]["data"]) == 64
    assert "1 of 2 machines of the cluster cannot read the data" in report["one"]
    assert "holds data" in report["one"]
    assert "2 of 2 machines" in report["none"]
    assert "ASTER_DSE_DATA" in report["none"]


@pytest.mark.parametrize("listens", [True, False])
def test_an_address_without_a_cluster_is_an_error_of_one_line(listens: bool) -> None:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        if listens:
            port.listen()
        address = f"127.0.0.1:{port.getsockname()[1]}"
        with pytest.raises(UnreachableError) as error, join(address, timeout_s=3):
            pytest.fail("joined")
    assert address in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 5


def test_a_client_address_is_refused_with_the_way_to_go() -> None:
    with pytest.raises(InputError, match="ray job submit"), join("ray://192.0.2.10:10001"):
        pytest.fail("joined")


def test_a_cluster_needs_a_worker() -> None:
    with pytest.raises(InputError, match="at least 1"), local_cluster(0):
        pytest.fail("started")


def test_importing_the_cluster_module_is_light() -> None:
    code = "import sys, aster_dse.workers.cluster; sys.exit('ray' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
