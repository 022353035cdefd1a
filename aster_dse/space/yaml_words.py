"""What is wrong with a text that is no YAML, in words that say what to change."""

from __future__ import annotations

import re

import yaml

__all__ = ["yaml_problem"]

_WORDS: tuple[tuple[str, str, str], ...] = (
    (
        r"mapping values are not allowed",
        "a colon where none can be",
        "put the text in quotes, or mind the indentation",
    ),
    (r"could not find expected ':'", "a key without its colon", "write key: value"),
    (r"cannot start any token", "{character} cannot begin a value", "put the text in quotes"),
    (r"undefined alias", "a * refers to nothing", "put a text with an asterisk in quotes"),
    (r"unknown escape character", "a backslash with what it cannot stand before", "use single quotes"),
    (r"unexpected end of stream", "quotes are not closed", "close them"),
    (r"document separator", "quotes are not closed", "close them"),
    (r"expected ',' or '\]'", "a list is not closed", "end it with ]"),
    (r"expected ',' or '\}'", "a mapping is not closed", "end it with }}"),
    (r"expected <block end>", "the indentation does not fit the lines above", "align keys of one mapping"),
    (r"sequence entries are not allowed", "a dash where none can be", "put the list on lines of its own"),
    (r"but found another document|expected '<document start>'", "a second document begins", "keep one"),
    (r"node content, but found '<stream end>'", "a list or mapping is not closed", "close it"),
    (
        r"expected the node content",
        "a value is missing or has brackets that nothing opened",
        "write the value",
    ),
    (r"duplicate anchor", "an anchor is given twice", "write the values out"),
)


def yaml_problem(error: yaml.YAMLError, text: str) -> tuple[str, str]:
    """What is wrong, with line and column, and what would be right."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = f"{getattr(error, 'context', '') or ''} {getattr(error, 'problem', '') or ''}"
    if mark is None:
        position = getattr(error, "position", None)
        if not isinstance(position, int):
            return "not YAML", "plain UTF-8 text is expected"
        line = text.count("\n", 0, position) + 1
        return f"line {line}: a control character, which no text has", "plain UTF-8 text is expected"
    spot = f"line {mark.line + 1}, column {mark.column + 1}: not YAML: "
    opened = getattr(error, "context_mark", None)
    for pattern, words, remedy in _WORDS:
        if not re.search(pattern, said):
            continue
        found = re.search(r"character '(.+?)'", said)
        character = found[1].encode().decode("unicode_escape", "replace") if found else "this"
        if character == "\t":
            return f"{spot}a tab", "indent with blanks"
        if words.endswith("not closed") and opened is not None and opened.line != mark.line:
            words = f"{words}, begun in line {opened.line + 1}"
        return spot + words.format(character=character), remedy.format()
    return f"{spot}it does not fit what stands before", "mind indentation, colons and closing brackets"
