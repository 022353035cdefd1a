"""What the table of metrics promises holds for every metric in it."""

import numpy as np
import pytest

from aster_dse.evaluation.inner import _dominance_decides
from aster_dse.evaluation.metric_values import complete_metrics, cost_figures, metric_values, violations
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.space import COST_FIGURES, METRICS, POLICY_FIGURES, parse_constraint

FIGURES = {"energy_uj": 2.0, "latency_us": 3.0, "area_mm2": 5.0, "accuracy": 0.5, "mean_timesteps": 1.5}


def test_every_figure_that_a_metric_can_be_computed_from_is_named():
    assert sorted(FIGURES) == sorted((*COST_FIGURES, *POLICY_FIGURES))
    assert metric_values(FIGURES).keys() == METRICS.keys()


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_depends_on_the_cost_figures_it_names_and_on_no_other(name):
    constraints = [parse_constraint("edp_uj_us <= 6"), parse_constraint("area_mm2 <= 5")]
    before = metric_values(FIGURES, [name], constraints=constraints)[name]
    direction = 1.0 if METRICS[name].direction == "min" else -1.0
    for figure in COST_FIGURES:
        figures = {**FIGURES, figure: 2.0 * FIGURES[figure]}
        after = metric_values(figures, [name], constraints=constraints)[name]
        if figure in METRICS[name].costs:
            assert direction * after > direction * before
        else:
            assert after == before


def test_figures_of_many_configurations_are_those_of_each():
    energy = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    many = metric_values({**FIGURES, "energy_uj": energy, "accuracy": np.array([[0.25], [0.5], [0.75]])})
    for (policy, design), value in np.ndenumerate(energy):
        one = metric_values({**FIGURES, "energy_uj": value, "accuracy": 0.25 * (policy + 1)})
        assert {name: values[policy, design] for name, values in many.items()} == one


def test_cost_figures_are_in_their_own_order():
    assert cost_figures({"area_mm2", "edp_uj_us", "accuracy"}) == list(COST_FIGURES)
    assert cost_figures(["accuracy"]) == ["energy_uj"]


def test_on_ideal_arrays_all_chips_are_alike():
    for bound, kept in (("accuracy >= 0.5", 1.0), ("accuracy >= 0.6", 0.0), ("accuracy_std >= 0.1", 1.0)):
        found = metric_values(FIGURES, constraints=[parse_constraint(bound)])
        assert found["accuracy_ideal"] == found["accuracy_min"] == found["accuracy"] == 0.5
        assert (found["accuracy_std"], found["chip_yield"]) == (0.0, kept)


def test_several_chips_are_a_mean_a_worst_a_deviation_and_a_yield():
    figures = {
        "accuracy": np.array([[0.9, 0.5], [0.7, 0.5], [0.8, 0.5]]),
        "accuracy_ideal": np.array([[0.95, 0.6]]),
        "mean_timesteps": np.array([[1.0], [2.0], [3.0]]),
        "energy_uj": np.array([[1.0], [2.0], [3.0]]),
        "latency_us": np.array([[1.0], [2.0], [3.0]]),
        "area_mm2": np.array([[4.0, 5.0]]),
    }
    bounds = [parse_constraint(t) for t in ("accuracy >= 0.75", "edp_uj_us <= 5", "chip_yield >= 0.9")]
    found = metric_values(figures, constraints=bounds, chips=True)
    assert {values.shape for values in found.values()} == {(2,)}
    assert found["accuracy"] == pytest.approx([0.8, 0.5])
    assert found["accuracy_ideal"] == pytest.approx([0.95, 0.6])
    assert found["accuracy_min"] == pytest.approx([0.7, 0.5])
    assert found["accuracy_std"] == pytest.approx([0.1, 0.0])
    # Of the first, one chip is not accurate and one takes too long; the bound on the yield is not its own.
    assert found["chip_yield"] == pytest.approx([1 / 3, 0.0])
    assert found["energy_uj"] == pytest.approx([2.0, 2.0])
    assert found["edp_uj_us"] == pytest.approx([14 / 3, 14 / 3])
    assert list(found["area_mm2"]) == [4.0, 5.0]


def test_metrics_of_an_older_version_are_those_of_ideal_arrays():
    constraints = [parse_constraint("energy_uj <= 1")]
    new = {name: float(v) for name, v in metric_values(FIGURES, constraints=constraints).items()}
    old = {name: value for name, value in new.items() if not METRICS[name].about_arrays}
    assert complete_metrics(old, feasible=False) == new
    assert complete_metrics(new, feasible=True) == new


@pytest.mark.parametrize("text", ["accuracy >= 0.5", "energy_uj <= 2", "chip_yield >= 0.5", "area_mm2 >= 1"])
def test_a_constraint_judges_many_as_it_judges_one(text):
    bound = parse_constraint(text)
    values = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 4.0, np.inf, np.nan])
    assert list(violations(bound, values)) == [bound.violation({bound.metric: v}) for v in values.tolist()]


def test_what_training_improves_binds_no_network_that_is_being_trained():
    texts = ("accuracy >= 0.5", "accuracy_min >= 0.4", "energy_uj <= 2", "chip_yield >= 0.9")
    question = InnerQuestion((), {}, {"accuracy": "max"}, texts, 10, 0)
    assert question.while_training().constraints == ("energy_uj <= 2", "chip_yield >= 0.9")


@pytest.mark.parametrize(
    ("objectives", "constraints", "decides"),
    [
        (("accuracy", "energy_uj"), ("chip_yield >= 0.5", "area_mm2 <= 3"), True),
        (("accuracy", "energy_uj"), ("energy_uj >= 1",), False),
        (("accuracy", "energy_uj"), ("accuracy <= 0.9",), False),
    ],
)
def test_dominance_discards_policies_only_where_nothing_gets_better_with_more_events(
    objectives, constraints, decides
):
    goals = {name: METRICS[name].direction for name in objectives}
    assert _dominance_decides(InnerQuestion((), {}, goals, constraints, 10, 0)) == decides
