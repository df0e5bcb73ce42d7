"""Records as JSON files with a checksum, read back as the models that they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from foundation.atomic_file import write_file
from foundation.checked_document import read_checked_json, with_checksum
from foundation.errors import UserError

Record = TypeVar("Record", bound=BaseModel)


def write_checked(path: Path, record: BaseModel) -> None:
    """Writes the file, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    document = with_checksum(record.model_dump(mode="json"))
    write_file(path, (json.dumps(document, indent=2) + "\n").encode())


def read_checked(path: Path, kind: type[Record], *, remedy: str) -> Record | None:
    """Reads what ``write_checked`` wrote; None where there is no file.

    Raises:
        UserError: the file is damaged, or of another kind; ``remedy`` says what to do then.
    """
    try:
        return kind.model_validate_json(json.dumps(read_checked_json(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        seen = (isinstance(error, OSError) and error.strerror) or str(error).splitlines()[0]
        raise UserError(str(path), seen=seen, expected="what latseg wrote", remedy=remedy) from error
