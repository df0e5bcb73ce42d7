"""Options of commands that take a known network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from foundation.errors import UserError
from latseg.network_model import NetworkModel
from latseg.option_groups import one_of
from latseg.units import parse_size
from segmentation.baselines.registry import NETWORKS


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """A known network."""

    network: Annotated[
        str | None,
        typer.Option("--network", help=f"{one_of(NETWORKS.names)}; options follow a colon, as in unet:width=32."),
    ] = None
    size: Annotated[str | None, typer.Option("--size", help="Input HEIGHTxWIDTH of --network, e.g. 160x128.")] = None

    def checked_size(self) -> tuple[int, int]:
        """Height and width.

        Raises:
            UserError: none, or malformed.
        """
        if self.size is None:
            raise UserError(
                "--size", seen="nothing", expected="HEIGHTxWIDTH, the input of --network",
                remedy="write for example --size 128x128",
            )  # fmt: skip
        return parse_size(self.size)


@dataclass(frozen=True, slots=True)
class ModelOptions(NetworkOptions):
    """A known network instead of a file."""

    classes: Annotated[int | None, typer.Option("--classes", min=2, help="Classes of --network; default: 2.")] = None

    def chosen(self, file: Path | None) -> Path | NetworkModel:
        """The file, or the network.

        Raises:
            UserError: both or none, or options of a network without one.
        """
        if (file is None) == (self.network is None):
            raise UserError(
                "model", seen="nothing" if file is None else f"{file} and --network",
                expected="either MODEL.onnx or --network", remedy="name one of them",
            )  # fmt: skip
        if self.network is not None:
            return NetworkModel(self.network, self.checked_size(), self.classes or 2)
        if self.size is not None or self.classes is not None:
            option = "--classes" if self.size is None else "--size"
            raise UserError(option, seen=f"given with {file}", expected="only with --network", remedy="leave it out")
        assert file is not None
        return file
