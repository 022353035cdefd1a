"""One training from the command line: its folder, its progress, its interrupts, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aster_dse.cli.data import loaded
from aster_dse.cli.interrupt import SearchInterruptedError, drained_by_signals
from aster_dse.cli.network_progress import epochs_progress
from aster_dse.cli.networks import DeviceName
from aster_dse.cli.output import duration, print_json, say
from aster_dse.cli.written import made_folder
from aster_dse.commands import Places, command
from aster_dse.errors import ExistsError

if TYPE_CHECKING:
    from aster_dse.evaluation.verdict import Verdict
    from aster_dse.space import Candidate
    from aster_dse.training import EpochRow, InitialWeights, TrainedNetwork
    from aster_dse.workload import Workload

__all__ = ["Plan", "option_words", "report", "run_training"]


@dataclass(frozen=True)
class Plan:
    """A training before it starts."""

    candidate: Candidate
    folder: Path
    data: Path | None
    device: str
    threads: int
    go_on: str
    """The command that goes on with it."""
    initial: InitialWeights | None = None


def option_words(
    preset: str | None,
    set_: list[str] | None,
    folder: Path,
    device: DeviceName,
    threads: int,
    test: bool,
) -> list[str]:
    """The options of a training as they would be typed again."""
    words = ["--preset", preset] if preset else []
    for setting in set_ or []:
        words += ["--set", setting]
    words += ["-o", str(folder)]
    words += ["--device", device.value] if device is not DeviceName.AUTO else []
    words += ["--threads", str(threads)] if threads != 1 else []
    return words + (["--test"] if test else [])


def run_training(plan: Plan, *, test: bool) -> dict[str, Any]:
    """Train, with progress on stderr; goes on from what lies in the folder.

    Args:
        test: measure the test samples too.

    Returns:
        What the command prints with ``--json``.

    Raises:
        ExistsError: the folder holds another training.
        SearchInterruptedError: the user stopped it; the message holds the command that goes on.
    """
    from aster_dse.training import train as trained_network

    candidate = plan.candidate
    _refuse_other(plan)
    made_folder(plan.folder, "--output")
    workload = loaded(candidate.workload, plan.data)
    epochs, done = candidate.training.epochs, 0
    say(
        f"training on {len(workload.train)} samples of {candidate.workload.name}, "
        f"{len(workload.validation)} for validation; checkpoint in {plan.folder}"
    )
    notice = "finishing the epoch that runs; Ctrl-C again stops at once"
    with drained_by_signals(notice) as stopping, epochs_progress(epochs) as progress:

        def on_epoch(row: EpochRow) -> None:
            nonlocal done
            done = row.epoch
            progress(row)
            if stopping.is_set() and row.epoch < epochs:
                raise KeyboardInterrupt

        try:
            trained = trained_network(
                workload,
                candidate.network,
                candidate.training,
                folder=plan.folder,
                on_epoch=on_epoch,
                device=plan.device,
                threads=plan.threads,
                initial=plan.initial,
                on_damage=lambda file: say(str(file)),
            )
        except KeyboardInterrupt:
            kept = f"{done} of {epochs} epochs are kept" if done else "finished epochs are kept"
            raise SearchInterruptedError(f"{kept}; resume with: {plan.go_on}") from None
    if not done:
        say(f"reused the trained network in {plan.folder}")
    tested = _tested(trained, workload, plan.threads) if test else None
    return _document(plan, trained, workload, tested)


def _refuse_other(plan: Plan) -> None:
    """A folder goes on with its own training only.

    Raises:
        ExistsError: it holds another one.
        InputError: what it holds cannot be read, or is no number.
    """
    from aster_dse.stored_files import DamagedFileError
    from aster_dse.training.checkpoint import EPOCH_FILE, NETWORK_FILE, identity, read

    candidate = plan.candidate
    ours = identity(candidate.workload, candidate.network, candidate.training, plan.initial)
    for path in (plan.folder / NETWORK_FILE, plan.folder / EPOCH_FILE):
        if not path.is_file():
            continue
        try:
            _, theirs = read(path)
        except DamagedFileError:
            continue  # set aside by the training, which says so
        difference = _difference(theirs, ours)
        if difference:
            raise ExistsError(f"{path} is of another training: {difference} (name another folder with -o)")


def _difference(theirs: Any, ours: Any, path: str = "") -> str:
    """The first knob in which two configurations differ; empty where they are the same."""
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        was = "not recorded" if path == "workload.data" and theirs is None else theirs
        return "" if theirs == ours else f"{path} is {was}, not {ours}"
    for name, value in ours.items():
        said = _difference(theirs.get(name), value, f"{path}.{name}" if path else name)
        if said:
            return said
    return ""


def _tested(trained: TrainedNetwork, workload: Workload, threads: int) -> Verdict:
    from aster_dse.evaluation.subject import workload_subject
    from aster_dse.evaluation.verdict import exits_at, verdict

    subject = workload_subject(trained, workload, split="test", threads=threads)
    (left,) = exits_at(subject.logits(frozenset()), [1.0])
    return verdict(left, subject.labels, timesteps=trained.geometry.timesteps)


def _document(
    plan: Plan, trained: TrainedNetwork, workload: Workload, tested: Verdict | None
) -> dict[str, Any]:
    from aster_dse.evaluation.interval import wilson_interval
    from aster_dse.training.checkpoint import NETWORK_FILE

    document: dict[str, Any] = {
        "accuracy": trained.accuracy,
        "interval": list(wilson_interval(trained.accuracy, len(workload.validation))),
        "samples": len(workload.validation),
        "epochs": trained.epochs,
        "resumed_from_epoch": trained.resumed_from_epoch,
        "wall_s": trained.wall_s,
        "checkpoint": str(plan.folder / NETWORK_FILE),
        "workload": plan.candidate.workload.name,
        "parameters": trained.parameters,
        **({} if workload.config.data is None else {"data": workload.config.data}),
        "training_key": plan.candidate.training_key(),
        "initial": None if plan.initial is None else plan.initial.digest,
        "history": [
            {"epoch": row.epoch, "loss": row.loss, "accuracy": row.accuracy} for row in trained.history
        ],
    }
    if tested is not None:
        document["test"] = {
            "accuracy": tested.accuracy,
            "interval": None if tested.interval is None else list(tested.interval),
            "samples": tested.samples,
        }
    return document


def report(document: dict[str, Any], *, data: Path | None, json: bool) -> None:
    """Print the outcome, and what to try next with the data in ``data``."""
    if json:
        print_json(document)
        return
    low, high = document["interval"]
    print(
        f"validation accuracy: {document['accuracy']:.2%} of {document['samples']} samples "
        f"(95 % interval {low:.2%} to {high:.2%})"
    )
    if "test" in document:
        tested = document["test"]
        low, high = tested["interval"]
        print(
            f"test accuracy: {tested['accuracy']:.2%} of {tested['samples']} samples "
            f"(95 % interval {low:.2%} to {high:.2%})"
        )
    took = duration(document["wall_s"])
    epochs = f"{document['epochs']} epoch{'s' if document['epochs'] != 1 else ''}"
    print(f"{epochs} in {took}, {document['parameters']:,} parameters")
    print(f"checkpoint: {document['checkpoint']}\nnext:")
    for verb, options in (("evaluate", []), ("profile", []), ("sweep", ["-o", "sweep.html"])):
        print(f"  {command(verb, document['checkpoint'], options=options, places=Places(data=data))}")
