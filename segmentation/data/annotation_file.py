"""JSON documents with annotations: validated, with errors of one line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation.errors import UserError
from foundation.regular_file import DOCUMENT_BYTES, read_json

_REASON_LENGTH = 200
Side = Annotated[int, Field(ge=1, le=2**16)]
"""Height or width in pixels."""
Coordinate = Annotated[float, Field(ge=-(2**17), le=2**17)]
"""In pixels; a contour may leave the picture a little."""


class Record(BaseModel):
    """Base of what is read from annotations; what is not needed there is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


R = TypeVar("R", bound=Record)


def read_annotations(path: Path, *, limit: int = DOCUMENT_BYTES) -> object:
    """The JSON document of a file of at most ``limit`` bytes.

    Raises:
        UserError: missing, no regular file, too large, or no JSON.
    """
    try:
        return read_json(path, limit=limit)
    except OSError as error:
        raise annotation_error(path, error.strerror or str(error)) from error
    except ValueError as error:  # not UTF-8, not JSON
        raise annotation_error(path, str(error)) from error


def validated(path: Path, kind: type[R], document: object, *, where: str = "") -> R:
    """The document as a record.

    Args:
        path: its file, for the error.
        kind: of the record.
        document: what the JSON holds.
        where: place in the file, for the error.

    Raises:
        UserError: something is missing in it or has another form.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join([where] * bool(where) + [str(step) for step in first["loc"]])
        raise annotation_error(path, f"{place}: {first['msg']}"[:_REASON_LENGTH]) from error


def annotation_error(path: Path, reason: str) -> UserError:
    """The error of a file that holds no annotations of the expected form."""
    return UserError(
        f"annotations {path}", seen=reason, expected="a JSON file of the data set's form",
        remedy="get it again from where the data set is from",
    )  # fmt: skip
