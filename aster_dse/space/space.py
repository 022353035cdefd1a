"""The search space: fixed values, searched parameters, objectives, constraints, search settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aster_dse.errors import InputError, Problems
from aster_dse.space.configuration import Candidate
from aster_dse.space.constraint import Constraint
from aster_dse.space.document import Place, kind_of, nearest_name, parse_setting, show
from aster_dse.space.entries import READERS
from aster_dse.space.file_knobs import paths_from_here
from aster_dse.space.groups import in_dependency_order, read_group
from aster_dse.space.hashing import content_hash
from aster_dse.space.knobs import GROUPS, LAYERS, SearchSettings, knobs
from aster_dse.space.layer_ranges import LayerRanges
from aster_dse.space.layers import layer_names
from aster_dse.space.parameter import Parameter

__all__ = ["SearchSpace", "SpaceSize", "assign"]

_DEPTH = "network.depth"
_KEYS = ("name", "description", *GROUPS, "objectives", "constraints", "search")
_REQUIRED = {
    "name": "name: my-space",
    "workload": "workload: {name: digits-dvs}",
    "objectives": "objectives: {accuracy: max, energy_uj: min}",
}


@dataclass(frozen=True)
class SpaceSize:
    """How many configurations there are; None where a continuous range makes them uncountable.

    Conditions are not taken off: where there are some, the counts are upper bounds.
    """

    outer: int | None
    """Networks, each of which needs a training."""
    inner: int | None
    """Configurations of policy and hardware for one network."""
    bounds_only: bool

    def __str__(self) -> str:
        limit = "at most " if self.bounds_only else ""
        outer = "continuous" if self.outer is None else f"{limit}{self.outer:,}"
        inner = "continuous" if self.inner is None else f"{limit}{self.inner:,}"
        return f"networks to train: {outer}; configurations per network: {inner}"


@dataclass(frozen=True)
class SearchSpace:
    """What is searched, with every knob resolved."""

    name: str
    description: str
    fixed: Mapping[str, Any] = field(hash=False)
    """Every knob by path: its value, or, where it is searched, the value while its condition is false."""
    parameters: tuple[Parameter, ...] = field(hash=False)
    """The searched knobs, so ordered that a condition reads only earlier ones."""
    objectives: Mapping[str, str] = field(hash=False)
    """Metric to ``max`` or ``min``, in the order of :data:`METRICS`."""
    constraints: tuple[Constraint, ...]
    search: SearchSettings = field(hash=False)
    folder: str = field(default="", compare=False)
    """To which relative paths of libraries and presets are relative; empty for the working directory."""

    @classmethod
    def from_mapping(cls, content: object, source: str = "", *, folder: str = "") -> SearchSpace:
        """The space that a file's content, or :meth:`as_dict`, describes.

        Args:
            source: what messages call the place the content came from.
            folder: to which relative paths of files in the content are relative.

        Raises:
            InputError: all that is wrong, in the order of the file.
        """
        top = Place(source)
        problems = Problems()
        if not isinstance(content, Mapping):
            raise top.error(f"{kind_of(content)}, not a mapping", f"write keys such as {', '.join(_KEYS)}")
        read: dict[str, Any] = {}
        fixed = {path: knob.default for path, knob in knobs().items()}
        searched: dict[str, Parameter] = {}
        for key, value in content.items():
            with problems.noted():
                if key in GROUPS:
                    group_fixed, group_searched = read_group(key, value, top.at(key))
                    fixed |= group_fixed
                    searched |= group_searched
                elif key not in READERS:
                    raise top.at(key).error("unknown key", nearest_name(key, _KEYS))
                else:
                    read[key] = READERS[key](value, top.at(key))
        for key, example in _REQUIRED.items():
            with problems.noted():
                if key not in content:
                    raise top.at(key).error("missing", f"add {example}")
        problems.refuse()
        if not searched:
            raise top.error("nothing is searched", "give at least one knob choices or a range")
        ranges = searched.get(LAYERS)
        if isinstance(ranges, LayerRanges):
            searched[LAYERS] = _layers_of_the_chip(ranges, fixed, searched, top)
        parameters = in_dependency_order(searched, top)
        settings = read.get("search", SearchSettings())
        _check_starts(settings, parameters, top)
        return cls(
            name=read["name"],
            description=read.get("description", ""),
            fixed=fixed,
            parameters=parameters,
            objectives=read["objectives"],
            constraints=read.get("constraints", ()),
            search=settings,
            folder=folder,
        )

    @cached_property
    def outer(self) -> tuple[Parameter, ...]:
        """Searched knobs whose change needs a training."""
        return tuple(parameter for parameter in self.parameters if parameter.needs_training)

    @cached_property
    def inner(self) -> tuple[Parameter, ...]:
        """Searched knobs that a trained network's trace answers."""
        return tuple(parameter for parameter in self.parameters if not parameter.needs_training)

    def parameter(self, path: str) -> Parameter:
        """The searched knob at ``path``.

        Raises:
            KeyError: it is fixed, or there is none.
        """
        return self._by_path[path]

    @cached_property
    def _by_path(self) -> dict[str, Parameter]:
        return {parameter.path: parameter for parameter in self.parameters}

    def active(self, parameter: Parameter, assignment: Mapping[str, Any]) -> bool:
        """Whether the parameter's condition holds, given the earlier parameters' values."""
        return parameter.when is None or parameter.when.holds({**self.fixed, **assignment})

    def complete(self, assignment: Mapping[str, Any]) -> dict[str, Any]:
        """A value for every searched knob: ``assignment``, with inactive knobs at their defaults.

        Two assignments that mean the same configuration become equal.

        Raises:
            InputError: an active knob has no value, or one outside its domain; a path that is not searched.
        """
        for path in assignment:
            if path not in self._by_path:
                raise InputError(path, "not searched in this space", nearest_name(path, self._by_path))
        values = dict(self.fixed)
        for parameter in self.parameters:
            path = parameter.path
            if parameter.when is not None and not parameter.when.holds(values):
                continue
            if path not in assignment:
                raise InputError(path, "no value assigned", "it is searched and active")
            if assignment[path] not in parameter:
                raise InputError(
                    path, f"{show(assignment[path])} lies outside the space", show(parameter.as_dict())
                )
            values[path] = assignment[path]
        return {path: values[path] for path in self._by_path}

    def candidate(self, assignment: Mapping[str, Any]) -> Candidate:
        """The configuration with the fixed values and ``assignment`` (see :meth:`complete`)."""
        return _candidate({**self.fixed, **self.complete(assignment)})

    def assignment(self, candidate: Candidate) -> dict[str, Any]:
        """The candidate's values of the searched knobs: the inverse of :meth:`candidate`."""
        return {path: getattr(getattr(candidate, p.group), p.name) for path, p in self._by_path.items()}

    def size(self) -> SpaceSize:
        """How many configurations there are."""
        return SpaceSize(
            outer=_product(self.outer),
            inner=_product(self.inner),
            bounds_only=any(parameter.when for parameter in self.parameters)
            # A network of fewer blocks has fewer layers.
            or (_DEPTH in self._by_path and isinstance(self._by_path.get(LAYERS), LayerRanges)),
        )

    def as_dict(self) -> dict[str, Any]:
        """The space as JSON-able values, every knob written out; :meth:`from_mapping` reads it back."""
        content: dict[str, Any] = {"name": self.name, "description": self.description}
        for path, value in self.fixed.items():
            group, _, name = path.partition(".")
            parameter = self._by_path.get(path)
            content.setdefault(group, {})[name] = value if parameter is None else parameter.as_dict()
        content["objectives"] = dict(self.objectives)
        content["constraints"] = [str(constraint) for constraint in self.constraints]
        content["search"] = self.search.model_dump(mode="json")
        return content

    @cached_property
    def hash(self) -> str:
        """Address of what is searched: 16 hexadecimal digits of a SHA-256.

        Groups, objectives and constraints count, however they are ordered and whether a default is written
        out or not. Knobs that came later count only where they differ from their default. Name,
        description and search settings do not count: they may change while a study goes on.
        """
        return content_hash(self.as_dict())

    def override(self, *settings: str) -> SearchSpace:
        """The space after ``path=value`` settings, the values in YAML.

        ``network.width=32`` fixes a knob, ``network.width={choices: [16, 32]}`` searches it,
        ``training.learning_rate.high=0.05`` moves one end, ``search.trials=8`` changes the search. A knob
        that takes text takes it as it stands. Relative paths are relative to the working directory.

        Raises:
            InputError: there is no such path, or the space with the value is not valid.
        """
        space = self
        for setting in settings:
            place = Place(f"--set {setting}")
            content = space.as_dict()
            path, equals, text = setting.partition("=")
            keys = path.strip().split(".")
            if not equals or not all(keys):
                raise place.error("no setting", "write path=value, as in network.width=32")
            inside: Any = content
            for depth, key in enumerate(keys[:-1]):
                if not isinstance(inside.get(key), dict):
                    known = [name for name, value in inside.items() if isinstance(value, dict)]
                    path_so_far = ".".join(keys[: depth + 1])
                    raise place.error(
                        f"there is nothing to set inside {path_so_far}", nearest_name(key, known)
                    )
                inside = inside[key]
            knob = knobs().get(path.strip())
            is_text = knob is not None and knob.kind == "string"
            value = parse_setting(text, place, is_text=is_text)
            inside[keys[-1]] = paths_from_here(keys, value) if self.folder else value
            space = SearchSpace.from_mapping(content, place.source, folder=self.folder)
        return space


def _check_starts(settings: SearchSettings, parameters: Sequence[Parameter], top: Place) -> None:
    trained = {parameter.path: parameter for parameter in parameters if parameter.needs_training}
    for index, network in enumerate(settings.start):
        for path, value in network.items():
            here = top.at("search").at("start").at(str(index)).at(path)
            if path not in trained:
                raise here.error("not a searched knob that needs a training", nearest_name(path, trained))
            if value not in trained[path]:
                raise here.error(f"{show(value)} is not searched", f"one of {trained[path].as_dict()}")


def _layers_of_the_chip(
    ranges: LayerRanges, fixed: Mapping[str, Any], searched: Mapping[str, Parameter], top: Place
) -> LayerRanges:
    """The ranges on the layers of the deepest network of the space."""
    for family in ranges.families:
        for name, _ in family.knobs:
            if family.general == "*" and f"hardware.{name}" in searched:
                raise top.at(f"hardware.{name}").error(
                    f"searched for the chip, but {LAYERS}.{family.pattern} searches it for every layer",
                    "leave one of them out",
                )
    depths = [fixed[_DEPTH], *((searched[_DEPTH].values() or ()) if _DEPTH in searched else ())]
    return ranges.on(layer_names(range(max(depths[1:] or depths))))


def assign(candidate: Candidate, values: Mapping[str, Any]) -> Candidate:
    """``candidate`` with the knobs in ``values`` (by path) replaced and checked."""
    groups = candidate.model_dump()
    for path, value in values.items():
        group, _, name = path.partition(".")
        groups[group][name] = value
    return Candidate.model_validate(groups)


def _candidate(values: Mapping[str, Any]) -> Candidate:
    groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for path, value in values.items():
        group, _, name = path.partition(".")
        groups[group][name] = value
    return Candidate.model_validate(groups)


def _product(parameters: tuple[Parameter, ...]) -> int | None:
    counts = [parameter.cardinality for parameter in parameters]
    return None if None in counts else math.prod(count for count in counts if count is not None)
