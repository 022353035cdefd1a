"""What a space file may say, and the one line that answers when it says something else."""

import copy
import re
import subprocess
import sys

import jsonschema
import pytest
import yaml

from aster_dse.errors import InputError, problems_of
from aster_dse.space import SearchSpace, json_schema, load_space, shipped_spaces

SHIPPED = [
    "cifar10",
    "cifar100",
    "cifar10_dvs",
    "digits",
    "digits_dvs",
    "dvs_gesture",
    "hardware_only",
    "imagenet",
]
MINIMAL = """\
name: tiny
workload: {name: digits-dvs}
network: {width: {choices: [16, 32]}}
objectives: {accuracy: max}
"""


def write(folder, text):
    path = folder / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(path):
    with pytest.raises(InputError) as caught:
        load_space(path)
    assert caught.value.exit_code == 2
    for problem in problems_of(caught.value):
        assert problem.remedy
        assert "\n" not in str(problem)
    # Without the line, which has a test of its own.
    return re.sub(r": line \d+: (?=[a-z]+(\.\S+)?: )", ": ", str(problems_of(caught.value)[0]), count=1)


class TestShippedSpaces:
    def test_each_loads_by_its_name_with_dashes_or_underscores(self):
        listed = shipped_spaces()
        assert [name for name, _ in listed] == SHIPPED
        for name, description in listed:
            space = load_space(name)
            assert description == space.description != ""
            assert load_space(name.replace("_", "-")) == space

    def test_the_default_job_searches_all_four_groups_for_four_objectives(self):
        space = load_space("digits_dvs")
        assert {parameter.group for parameter in space.outer} == {"network", "training"}
        assert {parameter.group for parameter in space.inner} == {"policy", "hardware"}
        assert list(space.objectives) == ["accuracy", "energy_uj", "latency_us", "area_mm2"]

    def test_of_accelerators_alone_nothing_needs_a_second_training(self):
        space = load_space("hardware_only")
        assert space.outer == ()
        assert {parameter.group for parameter in space.inner} == {"policy", "hardware"}

    def test_a_path_loads_too(self, tmp_path):
        assert load_space(write(tmp_path, MINIMAL)).name == "tiny"
        assert load_space(str(tmp_path / "space.yaml")).parameter("network.width").options == (16, 32)


class TestMessages:
    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("hardwre: {rows: 64}", "hardwre: unknown key (did you mean hardware?)"),
            ("training: {epoch: 3}", "training.epoch: unknown knob (did you mean epochs?)"),
            ("training: {tau: 3}", "training.tau: unknown knob (did you mean network.tau?)"),
            ("training: {epochs: {low: 1, hi: 3}}", "training.epochs.hi: unknown key (did you mean high?)"),
            ("search: {trails: 3}", "search.trails: unknown key (did you mean trials?)"),
            ("training: {epochs: '3'}", 'training.epochs: "3" is text, not an integer (>= 1, <= 1000)'),
            (
                "training: {epochs: 3.0}",
                "training.epochs: 3.0 is a decimal number, not an integer (did you mean 3?)",
            ),
            (
                "training: {epochs: true}",
                "training.epochs: true is a truth value, not an integer (>= 1, <= 1000)",
            ),
            ("training: {epochs: }", "training.epochs: empty (write an integer or leave it out)"),
            ("training: {epochs: 0}", "training.epochs: 0 is out of range (>= 1, <= 1000)"),
            (
                "training: {epochs: [3, 4]}",
                "training.epochs: a list, [3, 4], is not a value (write {choices: [3, 4]})",
            ),
            (
                "training: {learning_rate: .nan}",
                "training.learning_rate: nan is not a finite number (> 0, <= 1)",
            ),
            (
                "training: {tet_mean: .inf}",
                "training.tet_mean: inf is not a finite number (any finite number)",
            ),
            ("training: 3", "training: 3 is an integer, not a mapping (write knob: value lines)"),
            (
                "hardware: {event_gating: yes}",
                'hardware.event_gating: "yes" is text, not true or false (true, false)',
            ),
            ("hardware: {columns: 13}", "hardware.columns: 13 is not a multiple of 8 (did you mean 16?)"),
            (
                "hardware: {adc_levels: 3}",
                "hardware.adc_levels: 3 is not one of 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024 "
                "(did you mean 4?)",
            ),
            ("training: {loss: tett}", 'training.loss: "tett" is not one of tet, ce (did you mean tet?)'),
            (
                "hardware: {rows: {choices: []}}",
                "hardware.rows.choices: empty (list the values to choose from)",
            ),
            (
                "hardware: {rows: {choices: 16}}",
                "hardware.rows.choices: 16 is not a list (write choices: [first, second])",
            ),
            (
                "hardware: {rows: {choices: [16, a]}}",
                'hardware.rows.choices: [16, "a"] mixes numbers and text (use one type)',
            ),
            (
                "hardware: {event_gating: {choices: [true, 1]}}",
                "hardware.event_gating.choices: [true, 1] mixes truth values and numbers (use one type)",
            ),
            (
                "hardware: {rows: {choices: [16, 16]}}",
                "hardware.rows.choices.1: 16 is listed twice (drop one)",
            ),
            (
                "hardware: {rows: {choices: [16, 17]}}",
                re.compile(r"hardware.rows.choices.1: 17 is not one of .*16\?\)"),
            ),
            (
                "hardware: {rows: {choices: [16], low: 3}}",
                "hardware.rows.low: choices and a range at once (beside choices only 'when' is known)",
            ),
            (
                "hardware: {rows: {low: 16, high: 64}}",
                re.compile(
                    r"hardware.rows: a range, but the knob takes only listed values \(write \{choices: \[16"
                ),
            ),
            ("hardware: {base: {low: 1, high: 2}}", re.compile("hardware.base: a range, but .*choices")),
            ("training: {epochs: {low: 2}}", "training.epochs: high is missing (a range has low and high)"),
            ("training: {epochs: {}}", "training.epochs: low is missing (a range has low and high)"),
            (
                "training: {epochs: {low: 9, high: 2}}",
                "training.epochs: low 9 is greater than high 2 (swap them)",
            ),
            (
                "training: {epochs: {low: 2, high: 2}}",
                "training.epochs: low and high are both 2 (to fix it, write epochs: 2)",
            ),
            (
                "training: {epochs: {low: 0, high: 2}}",
                "training.epochs.low: 0 is out of range (>= 1, <= 1000)",
            ),
            (
                "training: {epochs: {low: 1, high: 2.5}}",
                re.compile("training.epochs.high: 2.5 is a decimal number"),
            ),
            ("training: {epochs: {low: 1, high: null}}", "training.epochs.high: empty (write a number)"),
            (
                "training: {epochs: {low: 1, high: 9, step: 3}}",
                "training.epochs.step: steps of 3 from 1 miss high 9 (high: 7?)",
            ),
            (
                "training: {epochs: {low: 1, high: 9, step: 0}}",
                re.compile("training.epochs.step: 0 is not a step"),
            ),
            (
                "training: {epochs: {low: 1, high: 9, step: 9}}",
                re.compile("training.epochs.step: 9 is not a step"),
            ),
            (
                "training: {epochs: {low: 1, high: 9, step: .5}}",
                re.compile("training.epochs.step: 0.5 is a decimal"),
            ),
            (
                "hardware: {columns: {low: 8, high: 32, step: 4}}",
                re.compile("hardware.columns.step: 4 is not a multiple of 8"),
            ),
            (
                "hardware: {columns: {low: 8, high: 32, log: true}}",
                re.compile("hardware.columns: a log range, but only mult"),
            ),
            (
                "training: {weight_decay: {low: 0.0, high: 0.1, log: true}}",
                "training.weight_decay.low: 0.0 has no logarithm (on a log scale low is greater than 0)",
            ),
            (
                "training: {weight_decay: {low: 0.1, high: 0.2, log: true, step: 0.1}}",
                "training.weight_decay.step: a step on a log scale (drop one of them)",
            ),
            (
                "training: {weight_decay: {low: 0.1, high: 0.2, log: 1}}",
                re.compile("training.weight_decay.log: 1 is an integer"),
            ),
            (
                "training: {weight_decay: {low: 0.1, high: 0.2, log: true, scale: linear}}",
                "training.weight_decay.scale: scale linear and log true contradict (drop one of them)",
            ),
            (
                "policy: {exit_threshold: {low: 0, high: 0.9, scale: logit}}",
                re.compile('exit_threshold.scale: unknown scale "logit"'),
            ),
            (
                "policy: {exit_threshold: {low: 0.2, high: 1.0, scale: neglog10}}",
                "policy.exit_threshold.high: 1.0 lies at infinity on a neglog10 scale "
                "(end below 1, as in 0.9999999)",
            ),
            (
                "training: {epochs: {low: 1, high: 9, scale: neglog10}}",
                re.compile("epochs.scale: .* is for shares"),
            ),
            (
                "constraints: ['area <= 5']",
                'constraints.0: unknown metric area in "area <= 5" (did you mean area_mm2?)',
            ),
            ("constraints: ['']", 'constraints.0: "" is not a constraint (write it like "area_mm2 <= 50")'),
            (
                "constraints: ['area_mm2 < 5']",
                re.compile('constraints.0: "area_mm2 < 5" compares by neither <= nor >='),
            ),
            ("constraints: ['0 <= accuracy <= 1']", re.compile("constraints.0: .* holds two comparisons")),
            ("constraints: ['area_mm2 <= energy_uj']", re.compile("does not compare a metric with a number")),
            ("constraints: ['area_mm2 <= print(1)']", re.compile("does not compare a metric with a number")),
            (
                "constraints: ['accuracy >= 80']",
                'constraints.0: "accuracy >= 80" can never hold (accuracy is at most 1)',
            ),
            (
                "constraints: ['accuracy >= 0.9', 'accuracy <= 0.8']",
                'constraints.1: "accuracy <= 0.8" and "accuracy >= 0.9" exclude each other (loosen one)',
            ),
            ("constraints: area_mm2 <= 5", re.compile('constraints: "area_mm2 <= 5" is text, not a list')),
            (
                "search: {resources_per_training: {workers: 2, gpus: 0.5}}",
                "search.resources_per_training.gpus: 0.5 is a part of a GPU, which workers of one training "
                "cannot share (whole GPUs, or workers: 1)",
            ),
            ("search: {trials: 0}", "search.trials: 0 is out of range (>= 1, <= 1000000)"),
            (
                "search: {sampler: nsga2}",
                re.compile(r'search.sampler: "nsga2" is not one of .*\(did you mean nsga3\?\)'),
            ),
            ("network: {depth: 2}", "network: given twice, in lines 3 and 5 (keep one)"),
            ("training: {epochs: 2, epochs: 3}", "training.epochs: given twice, in lines 5 and 5 (keep one)"),
            ("training: [", re.compile("line 6, column 1: not YAML: ")),
            ("training: !!python/object:os.system {}", re.compile("training: the tag .* means nothing here")),
            (
                "training: &a {epochs: *a}",
                "training.epochs: an alias that contains itself (write the value out)",
            ),
        ],
    )
    def test_the_line_names_file_path_value_and_remedy(self, tmp_path, line, message):
        path = write(tmp_path, MINIMAL + line + "\n")
        told = complaint(path)
        assert told.startswith(f"{path}: ")
        told = told.removeprefix(f"{path}: ")
        if isinstance(message, re.Pattern):
            assert message.search(told), told
        else:
            assert told == message

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (
                "accuracy: max",
                "accurcy: max",
                "objectives.accurcy: unknown objective (did you mean accuracy?)",
            ),
            (
                "accuracy: max",
                "speed: max",
                "objectives.speed: unknown objective (one of accuracy, energy_uj,",
            ),
            ("accuracy: max", "accuracy: min", 'objectives.accuracy: "min" is not its direction (write max)'),
            ("{accuracy: max}", "{}", "objectives: empty"),
            ("{accuracy: max}", "[accuracy]", 'objectives: ["accuracy"] is a list, not a mapping'),
            ("objectives: {accuracy: max}", "", "objectives: missing (add objectives:"),
            ("workload: {name: digits-dvs}", "", "workload: missing (add workload:"),
            ("{name: digits-dvs}", "{seed: 1}", "workload: name is missing (add name: ...)"),
            ("name: tiny", "", "name: missing (add name:"),
            ("name: tiny", "name: a/b", 'name: "a/b" is not a name'),
            ("{choices: [16, 32]}", "16", "nothing is searched (give at least one knob choices or a range)"),
            (
                "network:",
                "network: {pooling: 1101}\ntraining:",
                "network.pooling: 1101 is an integer, not text (put it in quo",
            ),
        ],
    )
    def test_what_is_missing_or_wrong_at_the_top(self, tmp_path, old, new, message):
        path = write(tmp_path, MINIMAL.replace(old, new, 1))
        assert complaint(path).startswith(f"{path}: {message}")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "empty, not a mapping"),
            ("- a\n- b\n", "a list, not a mapping"),
            ("just words", "text, not a mapping"),
            ("a: \x00", "line 1: a control character"),
            ("[" * 5000, "nested too deeply"),
            ("{a: 1}: 2", "line 1: a key is plain text"),
            ("a: 1\n---\nb: 2\n", "line 2, column 1: not YAML: a second document begins (keep one)"),
        ],
    )
    def test_what_is_no_mapping(self, tmp_path, text, message):
        path = write(tmp_path, text)
        assert complaint(path).startswith(f"{path}: {message}")

    def test_every_problem_is_told_in_the_order_of_the_file_with_its_line(self, tmp_path):
        path = write(tmp_path, "objectives: {speed: max}\nnetwork:\n  wdth: 3\nnonsense: 1\n")
        with pytest.raises(InputError) as caught:
            load_space(path)
        places = [problem.where.removeprefix(f"{path}: ") for problem in problems_of(caught.value)]
        assert places == [
            "line 1: objectives.speed",
            "line 3: network.wdth",
            "line 4: nonsense",
            "name",
            "workload",
        ]

    def test_a_file_that_is_not_there_lists_what_ships(self, tmp_path):
        missing = tmp_path / "nowhere.yaml"
        shipped = ", ".join(SHIPPED)
        assert complaint(missing) == f"{missing}: no such file (a path, or one that ships: {shipped})"
        assert complaint("digit_dvs").startswith("digit_dvs: no such file")

    def test_a_folder_or_a_picture_is_not_a_space(self, tmp_path):
        assert "Is a directory" in complaint(tmp_path)
        picture = tmp_path / "picture.yaml"
        picture.write_bytes(b"\x89PNG\xff\xfe")
        assert "not text" in complaint(picture)


class TestConditionsInFiles:
    @pytest.mark.parametrize(
        ("condition", "message"),
        [
            ("network.depht >= 2", "there is no knob network.depht"),
            ("neuron == plif", "there is no knob plif"),
            ("neuron == 'lief'", '"lief" is not one of lif, plif'),
            ("neuron > 'lif'", "network.neuron has no order"),
            ("depth >= 'two'", 'network.depth against "two"'),
            ("depth >= 2 and", "is not a condition"),
            ("__import__('os').system('true')", "is not a condition"),
            ("depth + 1 >= 2", "is more than comparisons"),
            ("depth is 2", "compares with 'is'"),
            ("depth in 2", "a list stands to the right of 'in'"),
            ("1 <= 2", "compares two constants"),
            ("depth", "network.depth alone is neither true nor false"),
            ("tau > 1", "a condition on itself"),
            ("exit_metric == 'entropy'", "is settled before policy.exit_metric"),
            ("seed == 1", "seed is ambiguous"),
            ("(" * 300 + "depth" + ")" * 300, "a condition of 605 characters"),
        ],
    )
    def test_a_condition_compares_knobs_with_values_they_can_have(self, tmp_path, condition, message):
        searched = {"tau": {"low": 2, "high": 3, "when": condition}}
        text = yaml.safe_dump({**yaml.safe_load(MINIMAL), "network": searched})
        told = complaint(write(tmp_path, text))
        assert ": network.tau.when: " in told
        assert message in told

    def test_conditions_in_a_circle_are_named(self, tmp_path):
        text = MINIMAL + (
            "training:\n"
            "  epochs: {low: 1, high: 4, when: batch_size == 64}\n"
            "  batch_size: {choices: [32, 64], when: epochs >= 2}\n"
        )
        assert (
            "conditions in a circle: training.epochs -> training.batch_size -> training.epochs"
            in complaint(write(tmp_path, text))
        )

    def test_a_required_knob_has_nothing_to_fall_back_to(self, tmp_path):
        text = MINIMAL.replace(
            "name: digits-dvs", "name: {choices: [digits, digits-dvs], when: 'resolution > 8'}"
        )
        assert "has no default to fall back to" in complaint(write(tmp_path, text))


class TestJsonSchema:
    def test_is_a_valid_schema_that_every_shipped_space_meets(self):
        schema = json_schema()
        jsonschema.Draft202012Validator.check_schema(schema)
        for name, _ in shipped_spaces():
            jsonschema.validate(load_space(name).as_dict(), schema)

    @pytest.mark.parametrize(
        "entry",
        [
            {"foo": 1},
            {"network": {"wdth": 32}},
            {"network": {"width": "32"}},
            {"network": {"width": 13}},
            {"network": {"width": {"choices": []}}},
            {"network": {"width": {"choices": [16, 16]}}},
            {"network": {"width": {"low": 16}}},
            {"network": {"width": {"low": 16, "high": 32, "stp": 8}}},
            {"network": {"neuron": {"low": 16, "high": 32}}},
            {"policy": {"exit_threshold": {"low": 0, "high": 0.5, "scale": "logit"}}},
            {"objectives": {}},
            {"objectives": {"accuracy": "min"}},
            {"objectives": {"speed": "max"}},
            {"constraints": ["area <= 50"]},
            {"constraints": ["area_mm2 < 50"]},
            {"search": {"sampler": "nsga2"}},
            {"search": {"resources_per_training": {"workers": 0}}},
            {"search": {"resources_per_training": {"gpu": 1}}},
            {"search": {"resources_per_training": 2}},
            {"workload": {}},
        ],
    )
    def test_refuses_what_the_loader_refuses(self, entry):
        content = {**yaml.safe_load(MINIMAL), **entry}
        assert not jsonschema.Draft202012Validator(json_schema()).is_valid(content)
        with pytest.raises(InputError):
            SearchSpace.from_mapping(content)

    @pytest.mark.parametrize(
        "entry",
        [
            {"hardware": {"rows": None, "tiles": {"choices": [None, 4]}}},
            {"hardware": None},
            {"training": {"epochs": {"low": 2, "high": 8, "step": 2, "when": "network.depth >= 2"}}},
            {"constraints": ["area_mm2 <= 5e1", "0.8 <= accuracy"]},
            {"search": {"trials": 2, "resources_per_training": {"workers": 2, "cpus": 4, "gpus": 1}}},
            {"search": {"resources_per_training": {"gpus": 0.5}}},
            {"search": {"resources_per_training": None}},
        ],
    )
    def test_accepts_what_the_loader_accepts(self, entry):
        content = {**yaml.safe_load(MINIMAL), **entry}
        jsonschema.validate(content, json_schema())
        SearchSpace.from_mapping(copy.deepcopy(content))


def test_the_package_loads_without_the_heavy_libraries():
    heavy = "{'torch', 'ray', 'optuna', 'dash', 'plotly', 'sklearn', 'pandas', 'numpy', 'sqlalchemy'}"
    code = f"import sys, aster_dse.space; sys.exit(', '.join({heavy} & set(sys.modules)) or None)"
    subprocess.run([sys.executable, "-c", code], check=True)
