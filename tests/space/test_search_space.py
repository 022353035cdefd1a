"""A loaded space: its parameters, its candidates, and how one version compares with another."""

import json
import pickle

import pytest
import yaml

from aster_dse.errors import InputError
from aster_dse.space import Candidate, Choice, Range, SearchSpace, assign, difference, extends, load_space

TEXT = """\
name: demo
workload: {name: digits-dvs, timesteps: 4}
network:
  width: {low: 16, high: 64}
  depth: {low: 1, high: 4}
  neuron: {choices: [lif, plif]}
  tau: {low: 1.5, high: 4.0, when: "neuron == 'plif' and depth >= 2"}
training:
  epochs: 3
  learning_rate: {low: 0.001, high: 0.1, log: true}
policy:
  exit_threshold: {low: 0.2, high: 0.9999999, scale: neglog10}
  exit_metric: {choices: [confidence, entropy], when: "timesteps > 1"}
  timesteps: {low: 1, high: 4}
hardware:
  rows: {choices: [64, 128]}
  tiles: {choices: [null, 4, 16]}
  clock_mhz: {low: 100, high: 500, step: 100}
objectives: {energy_uj: min, accuracy: max}
constraints: ["area_mm2 <= 50", "0.8 <= accuracy"]
search: {trials: 8}
"""


def space_of(text=TEXT, **changes):
    return SearchSpace.from_mapping({**yaml.safe_load(text), **changes}, "demo.yaml")


@pytest.fixture(scope="module")
def space():
    return space_of()


def some_assignment(space, unit=0.4):
    return {parameter.path: parameter.from_unit(unit) for parameter in space.parameters}


class TestParameters:
    def test_the_group_says_what_needs_a_training(self, space):
        assert [p.path for p in space.outer] == [
            "network.width",
            "network.depth",
            "network.neuron",
            "network.tau",
            "training.learning_rate",
        ]
        assert {p.path for p in space.inner} == {
            "policy.exit_threshold",
            "policy.exit_metric",
            "policy.timesteps",
            "hardware.rows",
            "hardware.tiles",
            "hardware.clock_mhz",
        }

    def test_a_condition_reads_only_earlier_parameters(self, space):
        paths = [p.path for p in space.parameters]
        for index, parameter in enumerate(space.parameters):
            if parameter.when:
                assert all(path in paths[:index] for path in parameter.when.paths if path in paths)
        assert paths.index("policy.exit_metric") > paths.index("policy.timesteps")

    def test_a_knob_of_multiples_steps_by_them(self, space):
        assert space.parameter("network.width").values() == (16, 24, 32, 40, 48, 56, 64)

    def test_integers_stay_integers_and_decimals_decimals(self, space):
        assert all(type(value) is int for value in space.parameter("network.depth").values())
        assert space.parameter("hardware.clock_mhz").values() == (100.0, 200.0, 300.0, 400.0, 500.0)
        assert all(type(value) is float for value in space.parameter("hardware.clock_mhz").values())

    def test_internal_coordinates_and_unit_interval_lead_back_to_the_value(self, space):
        for parameter in space.parameters:
            low, high = parameter.internal_bounds
            for unit in (0.0, 0.1, 0.37, 0.5, 0.99, 1.0):
                value = parameter.from_unit(unit)
                assert value in parameter
                assert low <= parameter.internal(value) <= high
                there_and_back = (
                    parameter.external(parameter.internal(value)),
                    parameter.from_unit(parameter.to_unit(value)),
                )
                for back in there_and_back:
                    same = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
                    assert back == same

    def test_the_ends_of_every_range_are_reached_exactly(self, space):
        for parameter in space.parameters:
            if isinstance(parameter, Range):
                low, high = parameter.internal_bounds
                assert parameter.external(low) == parameter.from_unit(0.0) == parameter.low
                assert parameter.external(high) == parameter.from_unit(1.0) == parameter.high
                assert parameter.external(high + 1000) == parameter.high

    def test_neglog10_spaces_nines_evenly(self, space):
        exit_threshold = space.parameter("policy.exit_threshold")
        nines = [exit_threshold.internal(value) for value in (0.9, 0.99, 0.999)]
        assert nines == pytest.approx([1.0, 2.0, 3.0])
        assert exit_threshold.external(2.0) == pytest.approx(0.99)
        assert exit_threshold.internal_step is None

    def test_log_spaces_magnitudes_evenly(self, space):
        assert space.parameter("training.learning_rate").from_unit(0.5) == pytest.approx(0.01)

    def test_a_log_range_of_integers_gives_every_integer(self):
        epochs = space_of(training={"epochs": {"low": 1, "high": 10, "log": True}}).parameter(
            "training.epochs"
        )
        assert {epochs.from_unit(k / 1000) for k in range(1001)} == set(range(1, 11)) == set(epochs.values())

    def test_equal_parts_of_the_unit_interval_go_to_each_of_a_few_values(self, space):
        for path in ("network.width", "network.depth", "hardware.tiles", "hardware.clock_mhz"):
            parameter = space.parameter(path)
            values = [parameter.from_unit((k + 0.5) / 420) for k in range(420)]
            counts = {values.count(value) for value in parameter.values()}
            assert counts == {420 // parameter.cardinality}

    def test_membership_is_by_type_as_well(self, space):
        assert 16 in space.parameter("network.width")
        for value in (20, 16.0, "16", True, None, 72):
            assert value not in space.parameter("network.width")
        assert 200 in space.parameter("hardware.clock_mhz")
        assert 150.0 not in space.parameter("hardware.clock_mhz")
        assert None in space.parameter("hardware.tiles")
        assert True not in Choice("hardware.event_gating", None, (0, 1))

    def test_decimal_steps_give_round_decimals(self):
        space = space_of(training={"label_smoothing": {"low": 0.1, "high": 0.7, "step": 0.2}})
        assert space.parameter("training.label_smoothing").values() == (0.1, 0.3, 0.5, 0.7)


class TestCandidates:
    def test_fixed_values_assigned_values_and_defaults_come_together(self, space):
        assignment = some_assignment(space)
        candidate = space.candidate(assignment)
        assert isinstance(candidate, Candidate)
        assert candidate.training.epochs == 3
        assert candidate.network.width == assignment["network.width"]
        assert candidate.training.batch_size == 64
        assert candidate.hardware.columns is None

    def test_a_knob_whose_condition_fails_has_its_default(self, space):
        assignment = some_assignment(space) | {
            "network.neuron": "plif",
            "network.depth": 3,
            "network.tau": 3.5,
        }
        assert space.candidate(assignment).network.tau == 3.5
        assert space.candidate(assignment | {"network.depth": 1}).network.tau == 2.0
        assert space.candidate(assignment | {"network.neuron": "lif"}).network.tau == 2.0

    def test_what_makes_no_difference_makes_no_other_network(self, space):
        one = some_assignment(space) | {"network.neuron": "lif", "network.tau": 1.5}
        other = one | {"network.tau": 3.0}
        assert space.complete(one) == space.complete(other)
        del other["network.tau"]
        assert space.candidate(one).training_key() == space.candidate(other).training_key()

    def test_activity_is_told_while_an_assignment_grows(self, space):
        tau = space.parameter("network.tau")
        assert space.active(tau, {"network.neuron": "plif", "network.depth": 2})
        assert not space.active(tau, {"network.neuron": "plif", "network.depth": 1})
        assert not space.active(tau, {})

    def test_the_assignment_of_a_candidate_leads_back_to_it(self, space):
        candidate = space.candidate(some_assignment(space, 0.8))
        assert space.candidate(space.assignment(candidate)) == candidate

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"network.width": 20}, "network.width: 20 lies outside the space"),
            ({"network.width": 16.0}, "network.width: 16.0 lies outside the space"),
            ({"hardware.rows": 32}, "hardware.rows: 32 lies outside the space"),
            ({"training.epochs": 5}, "training.epochs: not searched in this space"),
        ],
    )
    def test_values_outside_the_space_are_refused(self, space, change, message):
        with pytest.raises(InputError, match=message):
            space.candidate(some_assignment(space) | change)

    def test_an_active_knob_needs_a_value(self, space):
        assignment = some_assignment(space)
        del assignment["network.width"]
        with pytest.raises(InputError, match=r"network\.width: no value assigned"):
            space.candidate(assignment)

    def test_assign_changes_some_knobs_of_a_candidate(self, space):
        candidate = space.candidate(some_assignment(space))
        changed = assign(candidate, {"policy.exit_threshold": 0.5, "hardware.tiles": None})
        assert changed.policy.exit_threshold == 0.5
        assert changed.network == candidate.network
        with pytest.raises(ValueError, match="exit_threshold"):
            assign(candidate, {"policy.exit_threshold": 1.5})


class TestConditions:
    @pytest.mark.parametrize(
        ("text", "depth", "neuron", "expected"),
        [
            ("depth >= 2", 2, "lif", True),
            ("network.depth >= 2", 1, "lif", False),
            ("2 <= depth < 4", 3, "lif", True),
            ("2 <= depth < 4", 4, "lif", False),
            ("depth in [1, 3]", 3, "lif", True),
            ("depth not in (1, 3)", 3, "lif", False),
            ("neuron == 'plif' or depth == 1", 2, "lif", False),
            ("not (neuron == 'plif')", 2, "lif", True),
            ("neuron != 'lif' and depth > 1", 2, "plif", True),
            ("not event_mode", 2, "lif", True),
            ("event_mode == true", 2, "lif", False),
            ("policy.skip_threshold >= 0", 2, "lif", False),
            ("policy.skip_threshold == null", 2, "lif", True),
            ("depth < batch_size", 2, "lif", True),
        ],
    )
    def test_hold_as_they_read(self, text, depth, neuron, expected):
        content = yaml.safe_load(TEXT)
        del content["network"]["tau"]
        group = "hardware" if "policy" in text else "network"
        knob = "cell_bits" if group == "hardware" else "mlp_ratio"
        content[group][knob] = {"choices": [1, 2], "when": text}
        space = SearchSpace.from_mapping(content)
        values = {"network.depth": depth, "network.neuron": neuron}
        assert space.active(space.parameter(f"{group}.{knob}"), values) is expected


class TestConstraints:
    def test_are_kept_in_one_form(self, space):
        assert [str(constraint) for constraint in space.constraints] == ["area_mm2 <= 50", "accuracy >= 0.8"]

    def test_violation_is_the_relative_excess(self, space):
        area, accuracy = space.constraints
        assert area.violation({"area_mm2": 50.0}) == 0.0
        assert area.violation({"area_mm2": 75.0}) == pytest.approx(0.5)
        assert accuracy.violation({"accuracy": 0.6}) == pytest.approx(0.25)
        assert accuracy.violation({"accuracy": 0.9}) == 0.0
        assert accuracy.violation({"accuracy": float("nan")}) == float("inf")


class TestStart:
    @pytest.mark.parametrize(
        ("start", "said"),
        [
            ("{network.depth: 2}", "search.start: {network.depth} is a mapping, not a list"),
            ("[3]", "search.start.0: 3 is an integer"),
            ("[{}]", "search.start.0"),
            ("[{network.dept: 2}]", "unknown knob"),
            ("[{network.depth: two}]", "network.depth"),
            ("[{network.depth: 1000}]", "1000"),
            ("[{policy.exit_threshold: 0.5}]", "not a searched knob that needs a training"),
            ("[{training.epochs: 2}]", "not a searched knob that needs a training"),
        ],
    )
    def test_what_cannot_begin_is_refused(self, space, start, said):
        with pytest.raises(InputError) as caught:
            space.override(f"search.start={start}")
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_what_can_is_stored(self, space):
        begun = space.override("search.start=[{network.depth: 2}]")
        assert SearchSpace.from_mapping(begun.as_dict()) == begun
        assert begun.hash == space.hash
        assert hash(begun) == hash(space.override("search.seed=9"))


class TestIdentity:
    def test_a_stored_space_comes_back_equal(self, space):
        stored = json.loads(json.dumps(space.as_dict(), sort_keys=True))
        back = SearchSpace.from_mapping(stored)
        assert back == space
        assert back.hash == space.hash
        assert back.as_dict() == space.as_dict()
        assert [p.path for p in back.parameters] == [p.path for p in space.parameters]

    def test_a_space_travels_between_processes(self, space):
        assert pickle.loads(pickle.dumps(space)) == space

    def test_every_default_is_written_out(self, space):
        assert space.as_dict()["training"]["batch_size"] == 64
        assert space.as_dict()["search"] == {
            "sampler": "auto",
            "trials": 8,
            "trainings": None,
            "gpu_hours": None,
            "patience": None,
            "early_stopping": None,
            "first_look": 0.15,
            "inner": 200_000,
            "passes": 4,
            "seed": 0,
            "start": [],
            "resources_per_training": {"workers": 1, "cpus": 1, "gpus": None},
        }

    def test_order_comments_and_defaults_do_not_change_the_hash(self, space):
        content = yaml.safe_load(TEXT)
        turned = {key: content[key] for key in reversed(content)}
        turned["network"] = {key: content["network"][key] for key in reversed(content["network"])}
        turned["network"]["neuron"] = {"choices": ["plif", "lif"]}
        turned["training"] = {**content["training"], "batch_size": 64}
        turned["constraints"] = list(reversed(content["constraints"]))
        assert SearchSpace.from_mapping(turned).hash == space.hash

    def test_name_description_and_search_settings_do_not_change_the_hash(self, space):
        other = space_of(name="other", description="another", search={"trials": 99, "seed": 4})
        assert other.hash == space.hash
        assert difference(space, other) == []

    @pytest.mark.parametrize(
        "setting",
        [
            "training.epochs=4",
            "network.width.high=72",
            "network.neuron=lif",
            "network.tau.when=depth >= 3",
            "constraints=[]",
            "objectives={accuracy: max}",
            "workload.seed=1",
        ],
    )
    def test_anything_else_changes_hash_and_difference(self, space, setting):
        other = space.override(setting)
        assert other.hash != space.hash
        assert difference(space, other) != []


class TestOverride:
    def test_fixes_searches_and_sets(self, space):
        changed = space.override(
            "network.width=32",
            "training.epochs={choices: [3, 6]}",
            "search.trials=4",
            "policy.timesteps.high=2",
        )
        assert changed.fixed["network.width"] == 32
        assert "network.width" not in [p.path for p in changed.parameters]
        assert changed.parameter("training.epochs").options == (3, 6)
        assert changed.search.trials == 4
        assert changed.parameter("policy.timesteps").high == 2
        assert space.search.trials == 8

    def test_a_null_gives_the_knob_its_empty_value(self, space):
        assert space.override("hardware.tiles=null").fixed["hardware.tiles"] is None

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("network.width", "--set network.width: no setting (write path=value, as in network.width=32)"),
            ("network.wdth=3", "--set network.wdth=3: network.wdth: unknown knob (did you mean width?)"),
            (
                "netwrk.width=3",
                "--set netwrk.width=3: there is nothing to set inside netwrk (did you mean network?)",
            ),
            (
                "network.width=13",
                "--set network.width=13: network.width: 13 is not a multiple of 8 (did you mean 16?)",
            ),
            ("search.trials=many", '--set search.trials=many: search.trials: "many" is text, not an integer'),
            ("network.width={low: 8", "--set network.width={low: 8: line 1, column 8: not YAML"),
        ],
    )
    def test_bad_settings_are_named(self, space, setting, message):
        with pytest.raises(InputError) as caught:
            space.override(setting)
        assert str(caught.value).startswith(message)


class TestVersions:
    def test_the_difference_names_path_before_and_after(self, space):
        other = space.override(
            "network.neuron={choices: [lif]}", "training.epochs=4", "constraints=['area_mm2 <= 9']"
        )
        assert difference(space, other) == [
            'network.neuron: {choices: ["lif", "plif"]} -> {choices: ["lif"]}'.replace('"', ""),
            "training.epochs: 3 -> 4",
            "constraints: [accuracy >= 0.8, area_mm2 <= 50] -> [area_mm2 <= 9]",
        ]

    @pytest.mark.parametrize(
        "setting",
        [
            "network.width.high=72",
            "network.width={choices: [8, 16, 24, 32, 40, 48, 56, 64]}",
            "hardware.rows={choices: [256, 128, 64]}",
            "training.epochs={choices: [3, 6]}",
            "training.epochs={low: 2, high: 5}",
            "training.learning_rate={low: 0.0001, high: 0.2}",
            "hardware.clock_mhz={low: 50, high: 500, step: 50}",
            "hardware.clock_mhz={low: 50, high: 1000}",
            "search.trials=99",
        ],
    )
    def test_a_space_that_only_adds_extends(self, space, setting):
        assert extends(space, space.override(setting))

    @pytest.mark.parametrize(
        "setting",
        [
            "network.width.high=56",
            "network.width={choices: [16, 64]}",
            "network.width=32",
            "hardware.rows={choices: [64, 256]}",
            "training.epochs=4",
            "training.epochs={choices: [4, 6]}",
            "training.learning_rate.low=0.002",
            "training.learning_rate={choices: [0.001, 0.1]}",
            "hardware.clock_mhz={low: 100, high: 500, step: 200}",
            "network.tau.when=depth >= 3",
            "objectives={accuracy: max}",
            "constraints=['area_mm2 <= 50']",
        ],
    )
    def test_a_space_that_takes_away_or_judges_otherwise_does_not(self, space, setting):
        assert not extends(space, space.override(setting))


class TestSize:
    def test_counts_networks_and_configurations_per_network(self):
        space = space_of(
            network={"width": {"choices": [16, 32]}, "depth": {"low": 1, "high": 3}},
            training={},
            policy={"timesteps": {"low": 1, "high": 4}},
            hardware={"rows": {"choices": [64, 128]}},
        )
        assert (space.size().outer, space.size().inner) == (6, 8)
        assert str(space.size()) == "networks to train: 6; configurations per network: 8"

    def test_says_so_where_a_range_is_continuous_or_a_condition_limits(self, space):
        assert str(space.size()) == "networks to train: continuous; configurations per network: continuous"
        conditional = space_of(
            training={},
            network={"depth": {"low": 1, "high": 3}, "mlp_ratio": {"choices": [2, 4], "when": "depth > 1"}},
        )
        assert conditional.size().outer == 6
        assert "at most 6" in str(conditional.size())

    def test_a_space_of_one_network_has_one(self):
        assert space_of(network={}, training={}).size().outer == 1


def test_the_shipped_default_makes_valid_candidates_everywhere():
    space = load_space("digits_dvs")
    for unit in (0.0, 0.25, 0.5, 0.75, 1.0):
        candidate = space.candidate(some_assignment(space, unit))
        assert candidate.policy.timesteps is not None
        assert candidate.policy.timesteps <= candidate.workload.timesteps
