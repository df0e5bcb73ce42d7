"""Genotypes as their publications write them: lists of numbers in JSON."""

from __future__ import annotations

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from foundation.errors import UserError

_SHOWN = 80
_Form = TypeVar("_Form")


def read_genotype(text: str, form: TypeAdapter[_Form], *, expected: str, example: str) -> _Form:
    """The lists of a text.

    Raises:
        UserError: no JSON, or lists of another form.
    """
    try:
        return form.validate_json(text, strict=True)
    except ValidationError as error:
        reason = error.errors()[0]
        place = "".join(f"[{index}]" for index in reason["loc"] if isinstance(index, int))
        seen = f"{text[:_SHOWN]!r} ({place or 'all of it'}: {reason['msg']})"
        raise genotype_error(seen, expected, example) from error


def genotype_error(seen: str, expected: str, example: str) -> UserError:
    """The error of a text that is no genotype."""
    return UserError("genotype", seen=seen, expected=expected, remedy=f"write for example {example}")
