"""What the files of a bundle are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from export.bundle.manifest import InputLayout, Normalisation, ResizePolicy
from foundation.errors import UserError
from foundation.picture import Pixels

if TYPE_CHECKING:
    from torch import Tensor, nn

INPUT_NAME = "image"
"""The input of a segmentation network."""
LOGITS_NAME = "logits"
"""The output of a segmentation network."""


class Pictures(BaseModel):
    """How pictures become the input of a segmentation network, and what its outputs mean."""

    model_config = ConfigDict(frozen=True)

    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    """Names by class number; the first one is the background."""
    normalisation: Normalisation
    resize_policy: ResizePolicy = "letterbox"
    """How pictures of another size are brought to the network's."""


@dataclass(frozen=True)
class Source:
    """A network and what is known about it."""

    module: nn.Module
    inputs: Mapping[str, Tensor]
    """One example of each input by its name, in the order in which ``module`` takes them.

    A segmentation network has one: ``image``, float32 1 x 3 x height x width.
    """
    description: Mapping[str, JsonValue] = field(default_factory=dict)
    """What a user of the network must know, as plain JSON values (``Task.describe``).

    With ``normalisation`` (and the other fields of ``Pictures``) it is a segmentation network; its outputs are logits,
    float32 1 x classes x height x width.
    """
    photographs: Sequence[Pixels] = ()
    """Pictures (height x width x 3, any size) for the parity check of a segmentation network."""
    model_path: Path | None = None
    """The already exported and measured ONNX file; None where it is to be exported now."""
    seed: int = 0
    """Of the random pictures for the parity check."""

    @cached_property
    def pictures(self) -> Pictures | None:
        """None where the network does not segment pictures.

        Raises:
            UserError: a segmentation network whose inputs are not one ``image``.
        """
        if "normalisation" not in self.description:
            return None
        shapes = {name: tuple(tensor.shape) for name, tensor in self.inputs.items()}
        if list(shapes) != [INPUT_NAME] or len(shapes[INPUT_NAME]) != 4 or shapes[INPUT_NAME][:2] != (1, 3):
            raise UserError(
                "inputs of a segmentation network",
                seen=shapes,
                expected=f"{INPUT_NAME}, 1 x 3 x height x width",
                remedy="pass such an example",
            )
        return Pictures.model_validate(dict(self.description))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a segmentation network's input."""
        _, _, height, width = self.inputs[INPUT_NAME].shape
        return height, width

    @property
    def layout(self) -> InputLayout:
        """The input of a segmentation network."""
        pictures = self.pictures
        assert pictures is not None, "only segmentation networks have a layout"
        height, width = self.size
        return InputLayout(
            height=height, width=width, normalisation=pictures.normalisation, resize_policy=pictures.resize_policy
        )

    def require_pictures(self, export_format: str) -> Pictures:
        """``pictures``, for a format that only segmentation networks have.

        Raises:
            UserError: it is another network.
        """
        if self.pictures is None:
            raise UserError(
                f"export format {export_format}",
                seen=f"a network with the inputs {', '.join(self.inputs)}",
                expected="a segmentation network",
                remedy="export it as onnx",
            )
        return self.pictures
