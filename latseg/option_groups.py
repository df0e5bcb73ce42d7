"""Command-line options that belong together, as dataclasses.

A command takes a group as one parameter; ``expand`` makes an option of each of the group's fields::

    @dataclass(frozen=True, slots=True)
    class DeviceOptions:
        device: Annotated[str, typer.Option("--device", "-d", help="...")] = "cpu"

    def fit(context: typer.Context, target: DeviceOptions) -> None: ...

    app.command("fit")(expand(fit))
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Sequence
from copy import copy
from typing import Annotated, Any, get_type_hints

import typer

from foundation.errors import UserError


def expand(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every parameter that is a dataclass replaced by the fields of that dataclass."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        kind = hints[parameter.name]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            groups[parameter.name] = kind
            parameters += _parameters(kind)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kind))

    def expanded(**values: Any) -> None:
        made = {name: _take(group, values) for name, group in groups.items()}
        command(**values, **made)

    expanded.__name__, expanded.__doc__ = command.__name__, command.__doc__
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": None}
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return expanded


def _parameters(group: type) -> list[inspect.Parameter]:
    """In help, the options of a group stand in a panel of their own, named by the first line of its docstring."""
    panel = (group.__doc__ or group.__name__).splitlines()[0].rstrip(".")
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=_in_panel(hints[field.name], panel),
        )
        for field in dataclasses.fields(group)
    ]


def _in_panel(annotated: Any, panel: str) -> Any:
    (option,) = annotated.__metadata__
    shown = copy(option)
    shown.rich_help_panel = panel
    return Annotated[annotated.__origin__, shown]


def _take(group: type, values: dict[str, Any]) -> Any:
    return group(**{field.name: values.pop(field.name) for field in dataclasses.fields(group)})


def refuse_other_options(context: typer.Context, allowed: Collection[str], together: str, expected: str) -> None:
    """Refuses options that would be ignored.

    Raises:
        UserError: an option that is not ``allowed`` was given together with the option or argument ``together``.
    """
    given = [
        name
        for name in context.params
        if name not in allowed and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise UserError(
            f"{option} with {together}",
            seen="both",
            expected=expected,
            remedy=f"leave {option} out, or start a new run",
        )


def refuse_options(what: str, **options: object) -> None:
    """Refuses options, by their names, that were given together with an argument that they do not belong to.

    Raises:
        UserError: one of them was given.
    """
    for name, value in options.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise UserError(option, seen=f"{option} with {what}", expected="none", remedy=f"leave {option} out")


def one_of(names: Sequence[str]) -> str:
    """The names of a registry for a help text: ``cpu, openvino or simulated``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
