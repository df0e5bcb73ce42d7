"""``svhn:PATH``: cropped digits of SVHN (Netzer et al., Reading Digits in Natural Images, 2011)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from typing_extensions import override

from foundation.errors import UserError
from foundation.regular_file import PICTURE_BYTES, read_regular
from segmentation.data.classified.split import split_by_class
from segmentation.data.path_options import path_and_options, require_folder, source_name
from segmentation.data.source import DataOptions, DataSource, Pair, PairDataset

_KIND = "svhn"
_TRAIN, _TEST = "train_32x32.mat", "test_32x32.mat"
_DIGITS = tuple("0123456789")
_COLOURS = 3


class DigitFile:
    """A file of digits: ``X``, height x width x 3 x count of uint8, and ``y``, the digits, where 10 stands for 0.

    Raises:
        UserError: it cannot be read, or does not hold these.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        digits = self._read("y").reshape(-1)
        if not np.isin(digits, range(1, 11)).all():
            raise _other(path, f"y with other values than 1 to 10, such as {digits[~np.isin(digits, range(1, 11))][0]}")
        self.labels = [int(digit) % 10 for digit in digits]
        shape = self.pictures.shape
        if self.pictures.dtype != np.uint8 or len(shape) != 4 or shape[2:] != (_COLOURS, len(self.labels)):
            raise _other(path, f"X of {self.pictures.dtype}, {' x '.join(map(str, shape))}")

    @cached_property
    def pictures(self) -> NDArray[Any]:
        """``X``."""
        return self._read("X")

    def _read(self, name: str) -> NDArray[Any]:
        from scipy.io import loadmat

        try:
            content = read_regular(self.path, limit=PICTURE_BYTES)
            return np.asarray(loadmat(BytesIO(content), variable_names=[name])[name])
        except Exception as error:  # scipy does not say what it raises on a broken file
            raise _other(self.path, (isinstance(error, OSError) and error.strerror) or repr(error)) from error


class Digits(PairDataset):
    """The digits of a file with these numbers, stretched to ``size``; a mask is one pixel.

    The stretched pictures are not kept in memory: the file is there already.
    """

    def __init__(self, file: DigitFile, numbers: Sequence[int], *, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.file, self.numbers = file, tuple(numbers)

    @override
    def __len__(self) -> int:
        return len(self.numbers)

    @override
    def identity(self, index: int) -> str:
        number = self.numbers[index]
        return f"{self.file.path.name} {number} of {len(self.file.labels)}: {self.file.labels[number]}"

    @override
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        pair = super().__getitem__(index)
        self._kept.clear()
        return pair

    @override
    def make(self, index: int) -> Pair:
        number = self.numbers[index]
        picture = Image.fromarray(np.ascontiguousarray(self.file.pictures[..., number]))
        stretched = picture.resize((self.size[1], self.size[0]), Image.Resampling.BILINEAR)
        return np.array(stretched, np.uint8), np.full((1, 1), self.file.labels[number], np.uint8)


class SvhnSource(DataSource):
    """``PATH``: the folder of ``train_32x32.mat`` and, if it is there, ``test_32x32.mat``, the test part.

    One fifth of the training digits validates. Digits are never mirrored.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> SvhnSource:
        folder, _ = path_and_options(_KIND, text, ())
        require_folder(folder, _TRAIN)
        name = source_name(_KIND, folder, {})
        train = DigitFile(folder / _TRAIN)
        parts = split_by_class(name, _DIGITS, train.labels, options)
        training, validation = (Digits(train, numbers, size=options.size) for numbers in parts)
        held_out = Digits(train, (), size=options.size)
        if (folder / _TEST).exists():
            test = DigitFile(folder / _TEST)
            held_out = Digits(test, range(len(test.labels))[: options.count], size=options.size)
        return cls(name, _DIGITS, training, validation, held_out, mirrors=False)


def _other(path: Path, seen: object) -> UserError:
    return UserError(
        f"digits {path}", seen=seen, expected="X, height x width x 3 x count of uint8, and y, a digit for each",
        remedy="fetch the file again, or lay pictures out in a folder for each class (images:PATH)",
    )  # fmt: skip
