"""An export that was damaged or changed is not taken for what was exported."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from damages import DAMAGES

from aster_dse.errors import AsterError, InputError
from aster_dse.export.document import ExportDocument, ExportedPoint
from aster_dse.export.reproduce import load_document
from aster_dse.export.writers import render, write_atomically
from aster_dse.space import METRICS, Candidate, NetworkConfig, TrainingConfig, WorkloadConfig

CANDIDATE = Candidate(
    workload=WorkloadConfig(name="digits-dvs", resolution=8, timesteps=3),
    network=NetworkConfig(width=8, depth=2, pooling="1000", stem="4-2-1-1"),
    training=TrainingConfig(epochs=3),
)
DOCUMENT = ExportDocument(
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    exported_by="0.1",
    study="été, 夏",
    searched_by="0.1",
    space="x",
    space_hash="a1",
    seed=5,
    selection="pareto",
    objectives={"accuracy": "max"},
    constraints=(),
    units={},
    points=tuple(
        ExportedPoint(
            trial=trial,
            index=0,
            feasible=True,
            violation=0.0,
            metrics={name: 1e-7 * (trial + 1) / 3 + place for place, name in enumerate(METRICS)},
            test=None,
            training_key=CANDIDATE.training_key(),
            configuration=CANDIDATE,
            reproduce="aster-dse reproduce FILE",
        )
        for trial in range(2)
    ),
)


@pytest.fixture(params=["yaml", "json"])
def exported(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"best.{request.param}"
    write_atomically(path, render(DOCUMENT, request.param))
    assert load_document(path) == DOCUMENT
    return path


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_export_is_refused_in_plain_lines(exported: Path, damage: str) -> None:
    """One line, or one for each entry that is spoilt."""
    DAMAGES[damage](exported)
    with pytest.raises(AsterError) as caught:
        load_document(exported)
    lines = str(caught.value).splitlines()
    assert lines
    assert all(line.startswith(str(exported)) for line in lines)


def test_no_flipped_bit_makes_another_document(exported: Path) -> None:
    content = exported.read_bytes()
    drawn = random.Random(0)
    for _ in range(40):
        spoilt = bytearray(content)
        spoilt[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
        exported.write_bytes(spoilt)
        try:
            assert load_document(exported) == DOCUMENT  # in a comment, or in how a number is written
        except AsterError as error:
            strange = [line for line in str(error).splitlines() if not line.startswith(str(exported))]
            if strange:
                raise


def test_a_changed_figure_is_refused_unless_the_digest_is_taken_out(exported: Path) -> None:
    text = exported.read_text("utf-8").replace("width: 8", "width: 16").replace('"width": 8', '"width": 16')
    exported.write_text(text, "utf-8")
    with pytest.raises(InputError, match="changed or damaged after it was written"):
        load_document(exported)
    kept = [line for line in text.splitlines() if "sha256" not in line]
    exported.write_text("\n".join(kept), "utf-8")
    assert load_document(exported).points[0].configuration.network.width == 16
