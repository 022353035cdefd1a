"""Searching from the command line: JSON, going on, refusals, ends."""

from __future__ import annotations

import json
import os
import signal

import pytest
from command_line import DIVERGES, Home, Ran, aster, start

from aster_dse.store import StudyStore


def test_search_prints_one_document(first_search: tuple[Home, Ran]) -> None:
    _, ran = first_search
    document = ran.document
    assert ran.code == 0
    assert document["study"] == "s"
    assert document["trials"] == {"complete": 2, "failed": 0, "paused": 0, "running": 0}
    assert (document["trainings"], document["trainings_reused"]) == (2, 0)
    assert document["scored"] > document["evaluations"] >= 2
    assert document["sampler"] == "gp"
    assert document["hypervolume"] == document["hypervolumes"][-1] > 0
    assert document["wall_s"] > 0
    for config in document["pareto"]:
        assert config["study"] == "s"
        assert config["feasible"]
        assert set(config["configuration"]) == {"workload", "network", "training", "policy", "hardware"}
        assert {"accuracy", "energy_uj", "latency_us", "area_mm2"} <= set(config["metrics"])


def test_progress_goes_to_stderr_one_line_per_trial(first_search: tuple[Home, Ran]) -> None:
    _, ran = first_search
    assert [f"trial {number} done" in ran.err for number in range(2)] == [True, True]
    assert "2 of 2 trials" in ran.err


def test_the_same_command_again_trains_nothing_and_prints_the_same(
    continued: Home, first_search: tuple[Home, Ran]
) -> None:
    again = continued.search("--study", "s", "--json")
    before = first_search[1].document
    assert again.code == 0
    assert {**again.document, "wall_s": 0, "scored": 0} == {**before, "wall_s": 0, "scored": 0}
    assert "started" not in again.err


def test_more_trials_go_on_and_resume_needs_no_space_file(continued: Home) -> None:
    more = continued.search("--study", "s", "--trials", 3, "--json").document
    assert more["trials"] == {"complete": 3, "failed": 0, "paused": 0, "running": 0}
    continued.space.unlink()
    resumed = continued.aster("resume", "s", "--trials", 4, "--workers", 0, "--json").document
    assert resumed["trials"]["complete"] == 4
    assert resumed["hypervolume"] >= more["hypervolume"]


def test_a_search_begins_with_what_another_one_found(continued: Home) -> None:
    front = continued.aster("pareto", "s", "--json").document
    known = {json.dumps([point["configuration"][g] for g in ("network", "training")]) for point in front}
    begun = continued.search("--study", "t", "--start-from", "s", "--trials", len(known), "--json")
    assert f"begins with {len(known)} networks of s" in begun.err
    assert begun.document["trainings_reused"] == len(known)
    exported = continued.space.with_name("front.yaml")
    continued.aster("export", "s", "-o", exported)
    again = continued.search("--study", "u", "--start-from", exported, "--trials", 1, "--json")
    assert again.document["trainings_reused"] == 1
    assert continued.aster("resume", "u", "--trials", len(known), "--workers", 0).code == 0
    one, other = (continued.aster("trials", name, "--json").document for name in ("t", "u"))
    assert [row["assignment"] for row in one] == [row["assignment"] for row in other]


def test_what_no_search_can_begin_with_is_refused(continued: Home) -> None:
    for source, code in (("nope", 3), ("nope.yaml", 3)):
        ran = continued.search("--study", "t", "--start-from", source)
        assert ran.code == code
        assert ran.err.count("\n") == 1
    ran = continued.search("--study", "s", "--start-from", "s")
    assert ran.code == 2
    assert "has begun" in ran.err
    ran = continued.search("--study", "s", "--set", "search.start=[{training.learning_rate: 0.01}]")
    assert ran.code == 2
    assert ran.err.count("\n") == 1


def test_early_stopping_is_told(home: Home) -> None:
    ran = home.search("--set", "search.early_stopping=1000", "--set", "training.epochs=2", "--trials", 7)
    assert ran.code == 0
    assert "trial 0 paused after epoch 1" in ran.err
    assert "trial 0 goes on" in ran.err
    assert "6 trials complete, 1 stopped early" in ran.out
    document = home.aster("status", "tiny", "--json").document["trials"]
    assert document == {"complete": 6, "failed": 0, "paused": 1, "running": 0}
    (row,) = home.aster("trials", "tiny", "--state", "paused", "--json").document
    assert (row["trial"], row["paused_epoch"]) == (6, 1)
    assert "stopped early, after epoch 1 of 2" in home.aster("trials", "tiny").out
    assert home.aster("show", "tiny", 6).code == 0


def test_without_json_it_ends_with_the_front_and_three_commands(continued: Home) -> None:
    ran = continued.search("--study", "s")
    assert "the front: " in ran.out
    assert "accuracy" in ran.out
    assert continued.storage in ran.out
    commands = [line.strip() for line in ran.out.splitlines() if line.startswith("  aster-dse ")]
    assert [command.split()[1] for command in commands] == ["dashboard", "export", "resume"]
    assert all(command.endswith(f"--storage {continued.storage}") for command in commands)


def test_a_suggested_file_is_never_the_space_file(continued: Home) -> None:
    ran = continued.search("--study", "tiny", "--trials", 1)
    assert "-o tiny.yaml" not in ran.out


def test_a_changed_space_is_refused_with_the_difference(continued: Home) -> None:
    ran = continued.search("--study", "s", "--set", "network.depth=2")
    assert ran.code == 2
    assert "network.depth: 1 -> 2" in ran.complaint


def test_a_space_that_only_adds_is_taken_with_extend(continued: Home) -> None:
    wider = ("--study", "s", "--set", "network.width={choices: [8, 16, 24]}", "--json")
    refused = continued.search(*wider)
    assert refused.code == 2
    assert "--extend" in refused.complaint
    assert continued.search(*wider, "--extend").document["trials"]["complete"] == 2


@pytest.mark.parametrize(
    ("flag", "value"), [("--seed", 7), ("--sampler", "random"), ("--inner", 3), ("--set", "search.seed=7")]
)
def test_a_study_keeps_the_settings_it_began_with(continued: Home, flag: str, value: object) -> None:
    ran = continued.search("--study", "s", flag, value)
    assert ran.code == 2
    assert ran.complaint.startswith(flag)
    assert "began with" in ran.complaint


def test_flags_override_the_file(home: Home) -> None:
    ran = home.search("--trials", 1, "--inner", 3, "--seed", 9, "--sampler", "random", "--json")
    assert ran.document["study"] == "tiny"
    assert ran.document["sampler"] == "random"
    assert ran.document["scored"] < 20
    facts = home.aster("status", "tiny", "--json").document
    assert (facts["seed"], facts["sampler"], facts["target"]) == (9, "random", 1)


def test_no_time_begins_nothing(home: Home) -> None:
    ran = home.search("--timeout", 0, "--json")
    assert ran.code == 0
    assert ran.document["trials"] == {"complete": 0, "failed": 0, "paused": 0, "running": 0}
    assert ran.document["pareto"] == []


def test_when_all_trials_fail_the_first_reason_is_told(home: Home) -> None:
    ran = home.search(*DIVERGES, "--json")
    assert ran.code == 1
    assert ran.document["trials"]["failed"] == 2
    assert "all 2 trials failed" in ran.complaint
    assert "the loss became" in ran.complaint


def test_a_space_without_a_workload_that_exists_is_refused(home: Home) -> None:
    ran = home.search("--set", "workload.name={choices: [nope, nada]}")
    assert (ran.code, "there is no workload" in ran.complaint) == (2, True)


def test_without_a_feasible_point_it_ends_with_4(continued: Home) -> None:
    ran = continued.search(
        "--study", "picky", "--trials", 1, "--set", "constraints=[accuracy >= 0.999]", "--json"
    )
    assert ran.code == 4
    assert ran.document["pareto"] == []
    assert "accuracy >= 0.999" in ran.complaint
    shown = continued.aster("pareto", "picky", "--json")
    assert (shown.code, {point["feasible"] for point in shown.document}) == (0, {False})
    assert continued.aster("pareto", "picky", "--feasible", "--json").code == 4
    assert continued.aster("export", "picky").code == 4


def test_a_second_driver_is_refused_with_the_name_of_the_first(continued: Home) -> None:
    with StudyStore(continued.storage) as store, store.lease(store.study("s").id, holder="another search"):
        ran = continued.search("--study", "s", "--trials", 3)
        driver = continued.aster("status", "s", "--json").document["driver"]
    assert ran.code == 3
    assert f"another search on {os.uname().nodename}, process {os.getpid()}" in ran.complaint
    assert driver["pid"] == os.getpid()


def test_an_interrupt_finishes_the_running_trial_and_says_how_to_go_on(home: Home) -> None:
    words = ("search", home.space, "--workers", 0, "--trials", 30, "--json")
    process = start(*words, folder=home.folder)
    assert process.stderr is not None
    for line in process.stderr:
        if "trial 1 started" in line:
            os.killpg(process.pid, signal.SIGINT)
            break
    out, rest = process.communicate(timeout=120)
    ran = Ran(process.returncode, out, rest)
    assert ran.code == 130
    trials = ran.document["trials"]
    # Two, or more where the machine was slow to deliver the signal.
    assert 2 <= trials["complete"] < 30
    assert (trials["failed"], trials["running"]) == (0, 0)
    assert ran.complaint.endswith("aster-dse resume tiny --trials 30 --workers 0")


def test_stop_now_ends_it_at_once_and_loses_nothing(home: Home) -> None:
    process = start("search", home.space, "--workers", 0, "--trials", 30, folder=home.folder)
    assert process.stderr is not None
    for line in process.stderr:
        if "trial 1 started" in line:
            assert home.aster("stop", "tiny", "--now", "--json").document["pid"] == process.pid
            break
    out, rest = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "aster-dse resume tiny --trials 30" in Ran(130, out, rest).complaint
    counts = home.aster("status", "tiny", "--json").document["trials"]
    # The stop comes while a trial runs, which need not be the one that was seen to start.
    assert 1 <= counts["complete"] < 30
    assert counts["failed"] == 0
    assert counts["running"] <= 1
    more = counts["complete"] + 1
    resumed = home.aster("resume", "tiny", "--trials", more, "--workers", 0, "--json").document
    assert resumed["trials"] == {"complete": more, "failed": 0, "paused": 0, "running": 0}
    assert home.aster("stop", "tiny").code == 3


def test_postgresql_gives_the_same_study(
    home: Home, first_search: tuple[Home, Ran], postgres_url: str
) -> None:
    words = ("--study", "s", "--workers", 0, "--artifacts", home.folder / "networks", "--json")
    ran = aster("search", home.space, *words, "--storage", postgres_url)
    assert ran.code == 0
    assert {**ran.document, "wall_s": 0} == {**first_search[1].document, "wall_s": 0}
    assert "***@" in ran.err


@pytest.mark.ray
def test_workers_of_ray_do_the_same(home: Home, first_search: tuple[Home, Ran]) -> None:
    # In a process of its own: this one may hold the cluster of other tests.
    process = start("search", home.space, "--study", "s", "--workers", 1, "--json", folder=home.folder)
    out, err = process.communicate(timeout=120)
    ran = Ran(process.returncode, out, err)
    assert ran.code == 0
    same = ("trials", "evaluations", "hypervolume", "pareto")
    assert {name: ran.document[name] for name in same} == {
        name: first_search[1].document[name] for name in same
    }


def test_a_client_address_is_refused_with_what_to_write_instead(home: Home) -> None:
    ran = home.aster("search", home.space, "--address", "ray://127.0.0.1:10001")
    assert ran.code == 2
    assert ran.complaint.startswith("--address: 'ray://127.0.0.1:10001' is not host:port")
