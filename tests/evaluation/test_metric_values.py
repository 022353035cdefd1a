"""What the table of metrics promises holds for every metric in it."""

import numpy as np
import pytest

from aster_dse.evaluation.metric_values import cost_figures, metric_values
from aster_dse.space import COST_FIGURES, METRICS, POLICY_FIGURES

FIGURES = {"energy_uj": 2.0, "latency_us": 3.0, "area_mm2": 5.0, "accuracy": 0.5, "mean_timesteps": 1.5}


def test_every_figure_that_a_metric_can_be_computed_from_is_named():
    assert sorted(FIGURES) == sorted((*COST_FIGURES, *POLICY_FIGURES))
    assert metric_values(FIGURES).keys() == METRICS.keys()


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_depends_on_the_cost_figures_it_names_and_on_no_other(name):
    before = metric_values(FIGURES, [name])[name]
    direction = 1.0 if METRICS[name].direction == "min" else -1.0
    for figure in COST_FIGURES:
        after = metric_values({**FIGURES, figure: 2.0 * FIGURES[figure]}, [name])[name]
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
