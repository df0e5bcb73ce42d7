"""Plug-ins by name: built-in ones and those that other packages bring through entry points.

A plug-in is a class. Its name, or ``NAME:KEY=VALUE,KEY=VALUE``, is what a person writes: ``cpu``, ``cpu:threads=2``,
``evolution:population=32``; one option of a class may stand first without its key, as in ``page:phone``. A class that
takes options names a frozen pydantic model of them (``foundation.plugin_options.PluginOptions``) in ``Options``; the
values are validated by that model, so that each plug-in brings its own options and no command knows them.

Entry points have the same form as built-in ones: ``name = "module:Class"`` in the group of the registry (Python
packaging user guide, "Entry points specification").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from foundation.errors import UserError

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T")


@dataclass(frozen=True)
class Registry(Generic[T]):
    """The plug-ins of one kind.

    Args:
        kind: the plug-in's kind in messages, such as ``"device"``.
        group: entry point group, such as ``"latseg.devices"``.
        base: the abstract class as ``module:Class``; it is imported together with the first plug-in.
        builtin: ``{name: "module:Class"}``; the first one is the default.
    """

    kind: str
    group: str
    base: str
    builtin: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def targets(self) -> Mapping[str, str]:
        """``{name: "module:Class"}``: built-in ones first, then those of other packages by name. Imports none of them.

        A built-in name cannot be taken by another package.
        """
        others = {point.name: point.value for point in entry_points(group=self.group)}
        return {**self.builtin, **{name: others[name] for name in sorted(others.keys() - self.builtin.keys())}}

    @property
    def names(self) -> tuple[str, ...]:
        """Every known name, the default first."""
        return tuple(self.targets)

    def get(self, name: str) -> type[T]:
        """The class of this name, imported now.

        Raises:
            UserError: no such name, or its module cannot be imported, or the object is not such a class.
        """
        if name not in self.targets:
            raise UserError(
                self.kind, seen=repr(name), expected=f"one of {', '.join(self.names)}", remedy="choose one of these"
            )
        target = self.targets[name]
        try:
            found = _load(target)
        except (ImportError, AttributeError) as error:
            raise self._broken(
                name, f"{type(error).__name__}: {error}", "reinstall the package that brings it"
            ) from error
        base = _load(self.base)
        if not (isinstance(found, type) and issubclass(found, base)):
            raise self._broken(name, f"{target}, which is no {base.__name__}", f"derive it from {self.base}")
        return cast("type[T]", found)

    def parse(self, text: str) -> tuple[type[T], dict[str, Any]]:
        """The class that ``NAME[:KEY=VALUE,...]`` names, and its validated options (those that were written).

        Raises:
            UserError: as ``get``, or an option that the class does not have or whose value it refuses.
        """
        # Here and not above: help texts list names, and answer before pydantic could be imported.
        from pydantic import ValidationError

        from foundation.plugin_options import PluginOptions

        name, _, tail = text.partition(":")
        found = self.get(name)
        model: type[PluginOptions] = getattr(found, "Options", PluginOptions)
        if model.bare and tail and "=" not in tail.partition(",")[0]:
            tail = f"{model.bare}={tail}"
        pairs = dict(_pair(self.kind, text, part) for part in tail.split(",") if part)
        try:
            options = model.model_validate(pairs)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or name
            known = ", ".join(model.model_fields) or "none"
            raise UserError(
                f"{self.kind} {text!r}",
                seen=f"{key}: {first['msg']}",
                expected=f"options of {name}: {known}",
                remedy=f"write for example {_example(name, model)}",
            ) from error
        return found, {key: getattr(options, key) for key in options.model_fields_set}

    def _broken(self, name: str, seen: str, remedy: str) -> UserError:
        return UserError(f"{self.kind} {name!r}", seen=seen, expected=f"a class for {self.group}", remedy=remedy)


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _pair(kind: str, text: str, part: str) -> tuple[str, str]:
    key, sign, value = part.partition("=")
    if not (key and sign and value):
        raise UserError(
            f"{kind} {text!r}", seen=repr(part), expected="KEY=VALUE", remedy="write NAME:KEY=VALUE,KEY=VALUE"
        )
    return key.strip(), value.strip()


def _example(name: str, model: type[BaseModel]) -> str:
    for key, known in model.model_fields.items():
        if not known.is_required():
            return f"{name}:{key}={known.default}"
        return f"{name}:{key}=VALUE"
    return name
