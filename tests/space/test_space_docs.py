"""The page on spaces says what the code does."""

import re
from pathlib import Path

import pytest
import yaml

from aster_dse.errors import InputError
from aster_dse.space import SearchSpace
from aster_dse.space.knobs import knobs
from aster_dse.space.reference import with_tables

PAGE = Path(__file__).parents[2] / "docs" / "spaces.md"


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text(encoding="utf-8")


def test_its_tables_are_those_of_the_code(text):
    again = with_tables(text)
    assert text == again, "run: python -m aster_dse.space.reference docs/spaces.md"
    for knob in knobs().values():
        assert f"| `{knob.path.partition('.')[2]}` |" in again


def test_its_example_is_a_space(text):
    example = re.search(r"```yaml\n(name:.*?)```", text, re.DOTALL).group(1)
    assert SearchSpace.from_mapping(yaml.safe_load(example)).name == "my-space"


@pytest.mark.parametrize(
    "change",
    [
        {"hardware": {"adc_levels": 3}},
        {"training": {"tau": 2.0}},
        {"policy": {"skip_threshold": {"low": 0.5, "high": 0.1}}},
    ],
)
def test_the_messages_it_shows_are_the_messages(text, change):
    example = yaml.safe_load(re.search(r"```yaml\n(name:.*?)```", text, re.DOTALL).group(1))
    with pytest.raises(InputError) as caught:
        SearchSpace.from_mapping({**example, **change}, "my.yaml")
    assert str(caught.value) in text
