"""``aster-dse show STUDY NUMBER --layers``: what each layer's arrays do to the network of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aster_dse.cli.data import loaded
from aster_dse.cli.network_progress import samples_progress
from aster_dse.cli.output import number, print_table, stdout_kept_clean, table
from aster_dse.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from aster_dse.space import Candidate

__all__ = ["effects_of", "print_effects"]


def effects_of(
    configuration: dict[str, Any], artifacts: Path, data: Path | None, sets: int
) -> dict[str, Any]:
    """Run the configuration's network with one layer at a time on its arrays, for JSON.

    Raises:
        InputError: its study judges by ideal arrays.
        NotFoundError: the trained network's files are gone.
        PassError: a run failed.
    """
    from aster_dse.space import Candidate

    candidate = Candidate.model_validate(configuration)
    if candidate.hardware.arrays != "real":
        raise InputError(
            "--layers",
            "the study judges its networks by ideal arrays, which do nothing",
            "a study with hardware.arrays: real, or evaluate --arrays real",
        )
    with stdout_kept_clean():
        return _effects(candidate, artifacts / candidate.training_key(), data, sets)


def _effects(candidate: Candidate, folder: Path, data: Path | None, sets: int) -> dict[str, Any]:
    from aster_dse.activity.files import TRACE_FILE, load_trace
    from aster_dse.activity.record import record_trace
    from aster_dse.evaluation.layer_effects import layer_effects
    from aster_dse.numerics.network_passes import NetworkPasses
    from aster_dse.training import load_trained
    from aster_dse.training.checkpoint import weights_digest

    try:
        trained = load_trained(folder)
    except NotFoundError:
        raise NotFoundError(
            f"{folder}: the trained network is not there, and its layers can only be run with it "
            "(--artifacts FOLDER names another place)"
        ) from None
    workload = loaded(candidate.workload, data)
    try:
        weights = weights_digest(trained.model.state_dict())
        plain = load_trace(folder / TRACE_FILE, trained.geometry, network=weights)
    except NotFoundError:
        plain = record_trace(trained, workload)
    runs = 1 + sets * (len(trained.geometry.synaptic) + 1)
    with samples_progress("running the network layer by layer", runs, "runs") as advance:
        found = layer_effects(
            NetworkPasses(trained, workload, folder, plain), candidate, sets=sets, on_run=lambda: advance(1)
        )
    return found.as_dict()


def print_effects(effects: dict[str, Any]) -> None:
    """A row for each layer, and what they make together."""
    print(
        f"one layer at a time on its arrays, the others exact ({effects['accuracy_exact']:.2%} of "
        f"{effects['samples']} samples); mean over {effects['sets']} calibration sets"
    )
    heads = ["logits", "points", "standard error"]
    rows = table(["layer", "arrays", *heads], right=heads)
    named = [*effects["layers"], effects["together"], effects["remainder"]]
    for place, effect in enumerate(named, 1):
        rows.add_row(
            effect["name"],
            effect["arrays"],
            number(effect["logits"]),
            f"{effect['points']:+.2f}",
            f"{effect['standard_error']:.2f}",
            end_section=place == len(effects["layers"]),
        )
    print_table(rows)
    print(
        "logits: mean absolute change; points: change in accuracy; remainder: all less the sum of the layers"
    )
    if effects["distinct_ranges"] == 1 and effects["sets"] > 1:
        print("all calibration sets gave the same ranges, so the standard error says nothing")
