"""Any ONNX or TFLite file as a segmentation network; what is not known of it is found out as of a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from devices.model_file import check_model
from devices.worker.runtime import ModelFailedError
from export.bundle.preprocess import Placement, spread
from foundation.errors import UserError
from foundation.progress import OnProgress
from search.teachers.forms import planes_of
from search.teachers.guess import guess
from search.teachers.net import TeacherNet
from search.teachers.options import TeacherOptions, written
from segmentation.data.source import DataSource
from segmentation.normalisation import NORMALISATIONS

Pixels = NDArray[np.uint8]
_OURS = "latseg"
"""Producer of the files that this package exports."""


class ForeignModel:
    """Runs a model file on pictures.

    Args:
        path: the file.
        source: data; on a few of their training pictures it is found out how the model takes pictures and answers.
        threads: of the runtime.
        normalisation: one of ``NORMALISATIONS``; by default found out.
        on_progress: called while this is found out.

    Raises:
        UserError: no model, other than one picture as input, no output that is a map of classes, or one of this package
            for another number of classes.
    """

    def __init__(
        self, path: Path, source: DataSource, threads: int, *, normalisation: str | None, on_progress: OnProgress
    ) -> None:
        stated = {} if normalisation is None else _normalised(normalisation)
        self.path = path
        self._net = TeacherNet(path, threads, role="model")
        ours = path.suffix.lower() == ".onnx" and check_model(path).producer_name == _OURS
        known = _known(len(source.classes)) if ours else {}
        if not self._net.takes_whole_numbers:
            known |= stated or (_normalised("imagenet") if ours else {})
        self.guessed = not self._net.takes_whole_numbers and "mean" not in known
        """Whether it was found out how its input is normalised."""
        found = guess(self._net, TeacherOptions(file=str(path), **known), source, on_progress)
        if ours and found.channels not in (1, len(source.classes)):
            raise UserError(
                f"output of {path}", seen=f"{found.channels} channels",
                expected=f"{len(source.classes)}, one for each class",
                remedy="take data with the classes of the model (many sets have ?person)",
            )  # fmt: skip
        self._forms = found.forms
        every = found.options(len(source.classes))
        tried = [key for key in every if key not in known]
        self.reading = f"{written(every)}; found out on labelled pictures: {', '.join(tried)}"
        """How pictures are fed and answers are read, as the options of a teacher."""

    def labels(self, picture: Pixels) -> Pixels:
        """The class numbers of a picture, of its own height and width.

        Raises:
            UserError: the runtime fails, or an output of another shape.
        """
        (height, width), form = self._forms.input.size, self._forms.input
        fitted = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
        try:
            outputs = self._net.run(form.values(np.asarray(fitted)))
        except ModelFailedError as error:
            raise self._failed(error) from error
        planes = planes_of(outputs[self._forms.output.output], form)
        if planes is None:
            raise self._failed("an output of another shape than before")
        scores = self._forms.output.scores(planes)
        return spread(scores[None], Placement(0, 0, *scores.shape[1:]), *picture.shape[:2]).labels

    def _failed(self, seen: object) -> UserError:
        return UserError(f"model {self.path}", seen=seen, expected="a map of classes", remedy="export it again")


def _known(classes: int) -> dict[str, Any]:
    """Of a model that this package exported."""
    channels = {"person": (1,)} if classes == 2 else {"classes": tuple(range(classes))}
    return {"channels": "rgb", **channels}


def _normalised(name: str) -> dict[str, Any]:
    if name not in NORMALISATIONS:
        raise UserError(
            "--normalise", seen=repr(name), expected=f"one of {', '.join(NORMALISATIONS)}", remedy="correct it"
        )
    mean, std = NORMALISATIONS[name]
    return {"mean": mean, "std": std}
