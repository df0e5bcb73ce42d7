"""The first operator after which a converted file computes something else than the ONNX file that it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from devices.model_file import read_model
from export.bundle.manifest import BundleFile
from export.cut_model import CutModel
from export.exporter import Exporter, GetDevice
from export.parity import MAX_ABS_TOLERANCE, Array, largest_difference
from export.runner import runner_of
from export.source import Source
from foundation.errors import UserError
from foundation.temporary_folder import TemporaryFolder

_NAMED = 4
"""Operators that are named where the first one that differs is not known exactly."""
_REFUSED = 8
"""Conversions of a small model that may fail; each takes as long as that of the model."""


def first_difference(
    exporter: Exporter,
    source: Source,
    folder: Path,
    file: BundleFile,
    inputs: Mapping[str, Array],
    get_device: GetDevice,
) -> str:
    """Names the first operator of ``model.onnx`` with which ``file`` begins to differ from ONNX Runtime.

    The model is cut after an operator; what stands before the cut is converted and run, and its outputs are compared.
    Bisection finds the cut behind which they differ. Cuts that the converter refuses, and those with an output that is
    no float32 tensor, are left out: then several operators are named. So they are where too many cuts are refused.

    Args:
        exporter: wrote ``file``.
        source: of the network.
        folder: holds ``model.onnx`` and ``file``.
        file: computes something else than the network.
        inputs: with which it does.
        get_device: returns the device of a name.

    Returns:
        Words; empty where the file is not made of ``model.onnx``, computes what that computes, or does not run.
    """
    if not exporter.reads_onnx:
        return ""
    comparison = _Comparison(exporter, source, inputs, get_device)
    if not comparison.runs_and_differs(folder / "model.onnx", folder / file.path):
        return ""
    model = CutModel(read_model(folder / "model.onnx"))
    return _words(model, *_bisected(model, comparison))


def _bisected(model: CutModel, comparison: _Comparison) -> tuple[int, int]:
    """The last cut before which nothing differs, and the first behind something that does, as far as it was found."""
    cuts = [cut for cut in range(1, len(model.nodes)) if model.outputs(cut)]
    first, end = 0, len(model.nodes)
    for _ in range(2 * end.bit_length() + _REFUSED):
        inner = [cut for cut in cuts if first < cut < end]
        if not inner:
            break
        cut = inner[len(inner) // 2]
        differs = comparison.after(model, cut)
        if differs is None:
            cuts.remove(cut)
        elif differs:
            end = cut
        else:
            first = cut
    return first, end


class _Comparison:
    """Outputs of converted files beside those of ONNX Runtime."""

    def __init__(self, exporter: Exporter, source: Source, inputs: Mapping[str, Array], get_device: GetDevice) -> None:
        self._exporter, self._source, self._inputs = exporter, source, inputs
        self._reference, self._device = get_device("cpu"), runner_of(exporter.device, get_device)

    def after(self, model: CutModel, cut: int) -> bool | None:
        """Whether the model before the cut differs; None where it cannot be converted or run."""
        with TemporaryFolder() as folder:
            path = folder.path / "model.onnx"
            path.write_bytes(model.after(cut).SerializeToString())
            try:
                file = self._exporter.write(replace(self._source, model_path=path), folder.path)
            except UserError:
                return None
            return self.runs_and_differs(path, folder.path / file.path)

    def runs_and_differs(self, model: Path, file: Path) -> bool | None:
        """Whether ``file`` computes something else than the ONNX file ``model``; None where one of them fails."""
        try:
            return self._differs(model, file)
        except UserError:
            return None

    def _differs(self, model: Path, file: Path) -> bool:
        names = {value.name for value in read_model(model).graph.input}
        feeds = {name: array for name, array in self._inputs.items() if name in names}
        expected, answers = self._reference.infer(model, feeds), self._device.infer(file, feeds)
        return not largest_difference([(expected, answers)], scaled=True) <= MAX_ABS_TOLERANCE


def _words(model: CutModel, first: int, end: int) -> str:
    made = set(model.dependent)
    nodes = [node for node in model.nodes[first:end] if made & set(node.output)]
    names = [f"{node.op_type} {node.name or node.output[0]}" for node in nodes[-_NAMED:]]
    more = f" or one of {len(nodes) - len(names)} before" if len(nodes) > len(names) else ""
    return f"the first operator that differs is {' or '.join(names)}{more}"
