"""What the browser is sent: columns that lose nothing, deltas that repeat nothing, details that add up."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from dashboard_studies import COMPONENTS, LAYERS, begin, candidate, create, evaluation, fail, finish

from aster_dse.dashboard.data import Cursor, knob_label, metric_label, number, points_since, read_point
from aster_dse.dashboard.data.breakdown import SERIES, breakdowns
from aster_dse.dashboard.data.columns import Column, encode_column, encode_frame
from aster_dse.dashboard.data.feed import state_of
from aster_dse.dashboard.pages.study.choice import Choice
from aster_dse.errors import NotFoundError
from aster_dse.search.protocol import NetworkResult
from aster_dse.space import Candidate
from aster_dse.store import StudyReader, StudyStore


def decode(column: Column) -> list[Any]:
    kinds = {"float64": "<f8", "float32": "<f4", "int32": "<i4", "code": "<u2"}
    values = np.frombuffer(base64.b64decode(column["data"]), kinds[column["kind"]]).tolist()
    if column["kind"] == "code":
        return [None if code == 0xFFFF else column["levels"][code] for code in values]
    return values


class TestColumns:
    def test_whole_numbers_stay_whole(self) -> None:
        column = encode_column(pd.Series([3, -1, 2**30]))
        assert column["kind"] == "int32"
        assert decode(column) == [3, -1, 2**30]

    def test_objectives_keep_their_precision(self) -> None:
        values = [0.1, 0.1 + 1e-12, 1 / 3]
        assert decode(encode_column(pd.Series(values), exact=True)) == values

    def test_other_figures_take_half_the_room(self) -> None:
        assert encode_column(pd.Series([0.1, 0.2]))["kind"] == "float32"

    def test_words_become_codes_and_what_is_missing_stays_missing(self) -> None:
        assert decode(encode_column(pd.Series(["lif", None, "plif", "lif"]))) == ["lif", None, "plif", "lif"]

    def test_truth_values_are_words(self) -> None:
        assert decode(encode_column(pd.Series([True, False]))) == ["true", "false"]

    def test_a_knob_that_is_unset_in_places_is_still_a_number(self) -> None:
        values = decode(encode_column(pd.Series([0.25, None], dtype=object)))
        assert values[0] == 0.25
        assert np.isnan(values[1])

    def test_numbers_and_words_mixed_are_words(self) -> None:
        assert decode(encode_column(pd.Series([4, "auto"], dtype=object))) == ["4", "auto"]

    def test_an_empty_column_is_left_out(self) -> None:
        frame = pd.DataFrame({"a": [1], "b": [None]})
        assert encode_frame(frame, set()).keys() == {"a"}


class TestFeed:
    def test_the_points_of_a_study_come_whole(self, store: StudyStore, reader: StudyReader) -> None:
        study = create(store)
        finish(store, study, 0, points=5)
        message = points_since(reader, study, 0)
        stored = store.evaluations(study.id)
        assert message["rows"] == 5
        assert decode(message["columns"]["id"]) == stored["id"].tolist()
        assert decode(message["columns"]["accuracy"]) == stored["accuracy"].tolist()
        assert decode(message["columns"]["network.neuron"]) == ["lif"] * 5

    def test_knobs_of_single_layers_are_no_column_where_they_are_searched(
        self, store: StudyStore, reader: StudyReader
    ) -> None:
        choices = {"choices": ["stem.*: rows=64", "stem.*: rows=32"]}
        for count, (layers, shown) in enumerate([({"each": {"rows": choices}}, False), (choices, True)]):
            study = store.create_study(
                f"layers {count}",
                space={"hardware": {"layers": layers}},
                space_hash="a",
                objectives={"accuracy": "max"},
            )
            key = begin(store, study, 0)
            own = evaluation(0, 0)
            scored = replace(own, assignment={**own.assignment, "hardware.layers": "stem.*: rows=64"})
            store.finish_trial(study.id, NetworkResult(0, key, False, {}, (scored,), 1.0), ())
            message = points_since(reader, study, 0)
            assert ("hardware.layers" in message["columns"]) == shown
            assert ("hardware.layers" in {knob["name"] for knob in message["knobs"]}) == shown

    def test_then_only_what_is_new(self, store: StudyStore, reader: StudyReader) -> None:
        study, other = create(store), create(store, "other")
        finish(store, study, 0, points=3)
        first = points_since(reader, study, 0)
        finish(store, other, 0, points=3)
        assert points_since(reader, study, first["last"])["rows"] == 0
        finish(store, study, 1, points=2)
        assert decode(points_since(reader, study, first["last"])["columns"]["trial"]) == [1, 1]

    def test_the_state_changes_when_the_study_does_and_only_then(
        self, store: StudyStore, reader: StudyReader
    ) -> None:
        study = create(store)
        before = state_of(reader, study)
        assert state_of(reader, reader.study_with_id(study.id)) == before
        fail(store, study, 0)
        after = state_of(reader, reader.study_with_id(study.id))
        assert after != before
        with store.lease(study.id):
            assert state_of(reader, reader.study_with_id(study.id)) != after

    @pytest.mark.parametrize(
        "value", [None, [], "x", {"last": -1, "state": ""}, {"last": True, "state": ""}, {"last": 2**70}]
    )
    def test_a_malformed_cursor_starts_over(self, value: object) -> None:
        assert Cursor.from_browser(value) == Cursor()

    def test_an_empty_study_is_an_empty_message(self, store: StudyStore, reader: StudyReader) -> None:
        message = points_since(reader, create(store), 0)
        assert (message["rows"], message["last"], message["columns"]) == (0, 0, {})


class TestPoint:
    def test_the_configuration_is_the_points_own_and_valid(
        self, store: StudyStore, reader: StudyReader
    ) -> None:
        study = create(store)
        finish(store, study, 4, points=3)
        ids = store.evaluations(study.id)["id"]
        detail = read_point(reader, study, int(ids[2]))
        written = Candidate.model_validate(yaml.safe_load(detail.configuration()))
        assert written.network == candidate(4).network
        assert written.hardware.adc_levels == detail.point.assignment["hardware.adc_levels"]
        assert written.policy.exit_threshold == detail.point.assignment["policy.exit_threshold"]

    def test_a_point_of_another_study_is_not_shown(self, store: StudyStore, reader: StudyReader) -> None:
        study, other = create(store), create(store, "other")
        finish(store, other, 0, points=1)
        with pytest.raises(NotFoundError):
            read_point(reader, study, int(store.evaluations(other.id)["id"][0]))

    def test_objectives_come_first(self, store: StudyStore, reader: StudyReader) -> None:
        study = create(store)
        finish(store, study, 0, points=1)
        metrics = read_point(reader, study, 1).metrics()
        assert [label.name for label, _, objective in metrics if objective] == list(study.objectives)
        assert [objective for _, _, objective in metrics] == [True] * 3 + [False] * 3

    def test_commands_survive_a_shell(self, store: StudyStore, reader: StudyReader) -> None:
        study = create(store, "two words; rm -rf $HOME")
        finish(store, study, 0, points=1)
        for _, text in read_point(reader, study, 1).commands():
            assert "'two words; rm -rf $HOME'" in text

    def test_the_breakdown_adds_up_to_the_energy(self, store: StudyStore, reader: StudyReader) -> None:
        study = create(store)
        finish(store, study, 0, points=1)
        detail = read_point(reader, study, 1)
        energy = next(part for part in detail.breakdowns() if part.name == "energy")
        assert energy.unit == "µJ"
        total = sum(sum(values) for _, values in energy.series)
        assert total == pytest.approx(detail.point.evaluation.metrics["energy_uj"])
        assert [name for name, _ in energy.series] == sorted(COMPONENTS, key=lambda name: -COMPONENTS[name])

    def test_layers_are_in_the_order_of_execution(self, store: StudyStore, reader: StudyReader) -> None:
        study = create(store)
        finish(store, study, 0, points=1)
        assert read_point(reader, study, 1).breakdowns()[0].rows == LAYERS

    def test_many_small_components_become_one(self) -> None:
        table = {f"part_{i}": {"head": float(i + 1)} for i in range(14)}
        (energy,) = breakdowns({"energy_pj": table})
        assert len(energy.series) == SERIES + 1
        assert energy.series[-1] == ("7 others", (28.0,))

    def test_nothing_recorded_nothing_drawn(self) -> None:
        assert breakdowns({}) == []


class TestLabels:
    def test_axes_say_the_unit_and_what_is_better(self) -> None:
        assert metric_label("accuracy").axis == "accuracy (higher is better)"
        assert metric_label("energy_uj").axis == "energy (µJ, lower is better)"

    def test_knobs_read_as_words(self) -> None:
        assert knob_label("hardware.adc_levels") == "adc levels"
        assert knob_label("policy.timesteps") == "policy timesteps"

    @pytest.mark.parametrize(
        ("figure", "text"),
        [
            (1.87249, "1.872"),
            (0.0123456, "0.01235"),
            (12345.6, "12,346"),
            (3.2e-7, "3.200e-07"),
            (34.03, "34.03"),
        ],
    )
    def test_four_digits(self, figure: float, text: str) -> None:
        assert number(figure) == text


class TestChoice:
    def test_defaults_put_quality_over_cost(self) -> None:
        choice = Choice.read("", ["accuracy", "energy_uj", "latency_us"])
        assert (choice.x, choice.y) == ("energy_uj", "accuracy")

    def test_the_address_is_read_back(self) -> None:
        choice = Choice.read(
            "?x=area_mm2&y=trial&color=hardware.adc_levels&size=violation&show=logx.feasible&rows=all&p=17",
            ["accuracy"],
        )
        assert choice == Choice(
            "area_mm2", "trial", "hardware.adc_levels", "violation", ("logx", "feasible"), "all", 17
        )

    def test_nonsense_in_it_is_ignored(self) -> None:
        choice = Choice.read("?x=<script>&p=1e9&color=a'b&show=rm.-rf", ["accuracy", "energy_uj"])
        assert choice == Choice("energy_uj", "accuracy", None, None, (), "front", None)
