"""Models in the formats of runtimes that do not read ONNX."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from devices.model_file import sha256_of
from foundation.errors import UserError
from foundation.regular_file import MODEL_BYTES, open_regular
from foundation.temporary_folder import TemporaryFolder

_logger = logging.getLogger(__name__)


def require_converted(path: Path) -> None:
    """Refuses what a runtime must not open as its own file: a link, no regular file, more than ``MODEL_BYTES``.

    Raises:
        UserError: it is one of these, or missing.
    """
    try:
        open_regular(path, limit=MODEL_BYTES, follow_links=False).close()
    except OSError as error:
        raise UserError(
            f"model {path}", seen=error.strerror, expected="a file that export wrote", remedy="export it again"
        ) from error


class ConversionCache:
    """Converted models, by the SHA-256 of the ONNX file, in a temporary folder that ends with this object.

    Args:
        file_name: name of each converted file, such as ``"model.ncnn.param"``. A converter may write other files
            beside it.
        convert: writes the model of the first path to the second one.
    """

    def __init__(self, file_name: str, convert: Callable[[Path, Path], object]) -> None:
        self._file_name = file_name
        self._convert = convert
        self._folder = TemporaryFolder()

    def get(self, onnx: Path) -> Path:
        """The converted model; converted now where no file with this content was converted before.

        Raises:
            UserError: the file cannot be read, or what ``convert`` raises; then nothing is kept.
        """
        folder = self._folder.path / sha256_of(onnx)
        if folder.is_dir():
            _logger.debug("%s was converted before", onnx)
            return folder / self._file_name
        with tempfile.TemporaryDirectory(dir=self._folder.path) as unfinished:
            self._convert(onnx, Path(unfinished, self._file_name))
            Path(unfinished).rename(folder)
            Path(unfinished).mkdir()
        _logger.info("converted %s to %s", onnx, self._file_name)
        return folder / self._file_name
