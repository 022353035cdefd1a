"""Knobs of single layers on real arrays: levels go where errors are large, and few passes are made."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from trained_network import passes, subject

from aster_dse.evaluation.array_classes import arrays_of, layer_arrays
from aster_dse.evaluation.array_search import search_arrays
from aster_dse.evaluation.class_choice import ClassChoice, ForeseenClass
from aster_dse.evaluation.class_space import ClassSpace
from aster_dse.evaluation.foreseen_loss import ForeseenLosses
from aster_dse.evaluation.inner import InnerAnswer, useful_policies
from aster_dse.evaluation.layer_vectors import best_vectors
from aster_dse.evaluation.on_arrays import computing_of, evaluate_on_arrays
from aster_dse.evaluation.pairs import PairSearch
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.hardware import Accelerator, estimate, resolve
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.space import Candidate, HardwareConfig, LayerRanges, SearchSpace, assign, load_space

NETWORK = (
    "workload.resolution=16",
    "workload.timesteps=2",
    "network.width=16",
    "network.depth=1",
    "network.stem=2-2-1-1",
    'network.pooling="1001"',
    "hardware.arrays=real",
)
LAYERS = (
    'hardware.layers={"stem.each": {adc_levels: {choices: [8, 16, 32, 64]}}, '
    '"block.each.*": {compute: {choices: [analog, digital]}, column_mux: {choices: [2, 4, 8, 16]}}}'
)
LEVELS = (
    "hardware.adc_levels=32",
    "hardware.layers={each: {adc_levels: {choices: [8, 16, 32, 64]}, column_mux: {choices: [4, 8]}}}",
)


def space(*settings: str) -> SearchSpace:
    return load_space("hardware_only").override(*NETWORK, *settings)


def candidate(searched: SearchSpace) -> Candidate:
    return searched.candidate({p.path: p.from_unit(0.5) for p in searched.parameters})


def question(searched: SearchSpace, count: int, **changes: Any) -> InnerQuestion:
    return InnerQuestion(
        parameters=searched.inner,
        inactive={p.path: searched.fixed[p.path] for p in searched.inner},
        objectives=searched.objectives,
        constraints=("accuracy >= 0.8",),
        count=count,
        seed=0,
        **changes,
    )


def accelerators_of(chosen: Candidate, inner: list[dict[str, Any]]) -> list[Accelerator]:
    return [resolve(assign(chosen, assignment).hardware) for assignment in inner]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> NetworkPasses:
    return passes(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def losses(known: NetworkPasses) -> ForeseenLosses:
    return ForeseenLosses(known.foreseen, known.plain.geometry, np.array([0.91]))


def ranges_of(searched: SearchSpace) -> LayerRanges:
    found = searched.parameter("hardware.layers")
    assert isinstance(found, LayerRanges)
    return found.on([layer.name for layer in subject()[2].geometry.synaptic])


class TestVectors:
    """Vectors for one accelerator, judged by what is foreseen of them."""

    def found(self, losses: ForeseenLosses, metrics: list[str], *, errors: bool) -> tuple[str, ...]:
        _, _, plain = subject()
        searched = space(*LEVELS)
        _, batch = useful_policies(plain, candidate(searched), question(searched, 1))
        ranges, chip = ranges_of(searched), resolve(HardwareConfig(arrays="real"))
        return best_vectors(
            plain.geometry,
            batch.take(np.array([0])).activity,
            chip,
            ranges,
            metrics,
            count=1_500,
            most=200,
            rng=np.random.default_rng(0),
            errors=losses.of_options(chip, ranges) if errors else None,
        ).texts

    def figures(self, losses: ForeseenLosses, texts: list[str]) -> np.ndarray:
        """``[texts, 2]`` energy and foreseen error."""
        _, _, plain = subject()
        searched = space(*LEVELS)
        _, batch = useful_policies(plain, candidate(searched), question(searched, 1))
        chips = [resolve(HardwareConfig(arrays="real", layers=text)) for text in texts]
        costs = estimate(plain.geometry, batch.take(np.array([0])).activity, chips)
        errors = [losses.error(arrays_of(chip, plain.geometry)) for chip in chips]
        return np.array([[cost.energy_uj, error] for cost, error in zip(costs, errors, strict=True)])

    def test_more_levels_where_errors_are_large(self, losses: ForeseenLosses) -> None:
        texts = self.found(losses, ["accuracy", "energy_uj"], errors=True)
        uniform = [f"*: adc_levels={levels} column_mux=8" for levels in (8, 16, 32, 64)]
        mine, alike = self.figures(losses, list(texts)), self.figures(losses, uniform)
        for energy, error in alike[1:3]:
            within = mine[mine[:, 0] <= energy * (1.0 + 1e-9)]
            assert within[:, 1].min() < 0.8 * error
        geometry = subject()[2].geometry
        levels = np.array(
            [
                [own.adc_levels for own in arrays_of(resolve(HardwareConfig(layers=text)), geometry).layers]
                for text in texts
            ]
        )
        stem = np.array([layer.name.startswith("stem") for layer in geometry.synaptic])
        mixed = levels[levels.min(axis=1) < levels.max(axis=1)]
        assert len(mixed) > 10
        assert (mixed[:, stem].mean(axis=1) > 1.3 * mixed[:, ~stem].mean(axis=1)).sum() > 5

    def test_without_errors_the_fewest_levels_win(self, losses: ForeseenLosses) -> None:
        for metrics, errors in ((["accuracy", "energy_uj"], False), (["energy_uj"], True)):
            texts = self.found(losses, metrics, errors=errors)
            assert {text.count("adc_levels=8") == text.count("adc_levels") for text in texts} == {True}

    def test_knobs_that_change_no_result_need_no_errors(self, losses: ForeseenLosses) -> None:
        searched = space("hardware.layers={each: {column_mux: {choices: [4, 8]}}}")
        assert losses.of_options(resolve(HardwareConfig()), ranges_of(searched)) is None


@pytest.fixture(scope="module")
def answer(known: NetworkPasses) -> InnerAnswer:
    searched = space(LAYERS)
    return search_arrays(known, candidate(searched), question(searched, 20_000, passes=3))


class TestSearch:
    def test_few_passes_and_more_levels_in_the_stem(self, answer: InnerAnswer, known: NetworkPasses) -> None:
        assert 1 <= answer.classes <= 3
        assert len(answer.evaluations) > 5
        assert known.log.made <= 2 * answer.classes
        geometry = known.plain.geometry
        searched = space(LAYERS)
        found = accelerators_of(candidate(searched), [e.assignment for e in answer.evaluations])
        levels = [arrays_of(chip, geometry).layers[0].adc_levels for chip in found]
        assert max(levels) > 8

    def test_neighbours_of_a_class_come_from_its_pass(
        self, answer: InnerAnswer, known: NetworkPasses
    ) -> None:
        """More vectors on the front than numerics classes were run."""
        searched = space(LAYERS)
        texts = {e.assignment["hardware.layers"] for e in answer.evaluations}
        assert len(texts) > answer.classes
        assert all(text in searched.parameter("hardware.layers") for text in texts)
        before = known.log.made
        again = evaluate_on_arrays(
            known, candidate(searched), [e.assignment for e in answer.evaluations], ["accuracy >= 0.8"]
        )
        assert known.log.made == before
        assert [e.metrics for e in again] == [e.metrics for e in answer.evaluations]


def test_a_class_leaves_free_what_changes_no_result() -> None:
    searched = space(LAYERS)
    layers = [layer.name for layer in subject()[2].geometry.synaptic]
    ranges = ranges_of(searched)
    rng = np.random.default_rng(1)
    base = {p.path: p.from_unit(0.3) for p in searched.inner}
    text = ranges.text([int(rng.integers(count)) for count in ranges.counts])
    design = {**base, "hardware.layers": text}
    around = ClassSpace.around(searched.inner, design, layers)
    assert {"hardware.rows", "hardware.cell_bits", "hardware.adc_levels"} == set(around.fixed)
    assert around.inside is not None
    geometry = subject()[2].geometry

    def computes(point: dict[str, Any]) -> Any:
        chip = accelerators_of(candidate(searched), [point])[0]
        return computing_of(chip, geometry, 0)

    for _ in range(5):
        vector = [int(rng.integers(count)) for count in around.inside.counts]
        point = {**base, "hardware.layers": around.inside.text(vector)}
        outside = around.outside(point)
        assert outside["hardware.layers"] in ranges
        assert computes(outside) == computes({**design, **around.fixed})
        back = list(around.designs([outside]))
        assert around.inside.vector(back[0]["hardware.layers"]) == tuple(vector)
    other = ranges.text([0 if option else 1 for option in ranges.vector(text)])
    assert list(around.designs([{**design, "hardware.layers": other}])) == []


def test_choosing_among_hundreds_of_classes_is_fast(known: NetworkPasses) -> None:
    searched = space(LAYERS)
    plain = known.plain
    policies, batch = useful_policies(plain, candidate(searched), question(searched, 1))
    losses = ForeseenLosses(known.foreseen, plain.geometry, batch.accuracy)
    search = PairSearch(
        plain.geometry, policies, batch, candidate(searched), question(searched, 20_000), losses
    )
    search.run()
    groups: dict[Any, list[int]] = {}
    for number, chip in enumerate(search.accelerators):
        groups.setdefault(losses.known_arrays.of(chip), []).append(number)
    assert len(groups) > 200
    started = time.process_time()
    pairs = search.scores.feasible(list(groups.values()))
    place = list(searched.objectives).index("accuracy")
    classes = [
        ForeseenClass.of_points(arrays, *found, place)
        for arrays, found in zip(groups, pairs, strict=True)
        if len(found[1])
    ]
    choice = ClassChoice(classes, losses, 0.8, 0)
    for _ in range(6):
        _, promise = choice.best(classes)
    assert time.process_time() - started < 8.0
    assert promise > 0.0
    assert sum(len(points) for _, points in pairs) <= search.scored
    everything = np.concatenate([points for _, points in pairs])
    for pair in search.scores.best():
        assert (everything == pair.objectives).all(axis=1).any()


def test_layers_see_their_own_arrays(losses: ForeseenLosses) -> None:
    """The errors of options add up to those of the whole network."""
    searched = space(LAYERS)
    ranges, chip = ranges_of(searched), resolve(HardwareConfig(arrays="real", adc_levels=16))
    options = losses.of_options(chip, ranges)
    assert options is not None
    vector = [place % count for place, count in enumerate(ranges.counts)]
    total = options.rest + sum(options.of_option(place, option) for place, option in enumerate(vector))
    whole = arrays_of(
        resolve(HardwareConfig(arrays="real", adc_levels=16, layers=ranges.text(vector))),
        subject()[2].geometry,
    )
    assert total == pytest.approx(losses.error(whole))
    assert options.loss(np.array([0.0, 1.0]))[0] == 0.0
    assert layer_arrays(chip).adc_levels == 16
