"""The page on spaces says what the code does."""

import re
from pathlib import Path

import pytest
import yaml

from aster_dse.errors import InputError
from aster_dse.space import SearchSpace, load_space
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


def test_the_messages_it_shows_are_the_messages(text, tmp_path, monkeypatch):
    example = re.search(r"```yaml\n(name:.*?)```", text, re.DOTALL).group(1)
    for above, added in (
        ("policy:\n", "training:\n  tau: 2.0\npolicy:\n  skip_threshold: {low: 0.5, high: 0.1}\n"),
        ("hardware:\n", "hardware:\n  adc_levels: 3\n"),
    ):
        example = example.replace(above, added)
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text(example, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_space("my.yaml")
    assert f"```text\n{caught.value}\n```" in text
