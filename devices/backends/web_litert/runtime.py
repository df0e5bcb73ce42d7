"""LiteRT.js in a page, inside the worker process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from devices.backends.litert.signature import Signature, read_signature
from devices.backends.web.orders import decode_answer, encode_order
from devices.backends.web.runtime import FOR_INFERENCE, Ask, PageModel, WebRuntime
from devices.backends.web.server import PageServer
from devices.backends.web_litert.installation import LiteRtJs
from devices.worker.runtime import Array, InferenceModel, ModelFailedError, OperatorProfile, numbers
from foundation.regular_file import MODEL_BYTES, read_regular
from foundation.temporary_folder import TemporaryFolder

NO_PROFILE = "LiteRT.js has no profiler"


class WebLiteRt(WebRuntime):
    """In a headless browser of its own."""

    @property
    @override
    def model(self) -> type[PageModel]:
        return LiteRtPageModel

    @override
    def served(self) -> PageServer:
        self._folder = TemporaryFolder()
        return PageServer(("",), self._folder.path, engine=LiteRtJs().page_files(self._folder.path))

    @override
    def load_for_inference(self, path: Path) -> LiteRtPageInferenceModel:
        return LiteRtPageInferenceModel(self._ask, path)


class LiteRtPageModel(PageModel):
    """A TFLite file in the page; its outputs keep the layout of the file, as in a program."""

    @override
    def content(self, path: Path) -> bytes:
        return read_regular(path, limit=MODEL_BYTES)

    @override
    def profile(self, runs: int) -> OperatorProfile:
        return OperatorProfile(NO_PROFILE)


class LiteRtPageInferenceModel(InferenceModel):
    """A TFLite file of ours in the page, with inputs and outputs as the ONNX model has them.

    Raises:
        ModelFailedError: LiteRT.js refuses the file, or it was not made of an ONNX model.
    """

    def __init__(self, ask: Ask, path: Path) -> None:
        self._ask, self._signature = ask, _signature(path)
        self.inputs = self._signature.inputs
        order = encode_order("load", model=FOR_INFERENCE, content=read_regular(path, limit=MODEL_BYTES))
        decode_answer(ask(order))

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        header, arrays = decode_answer(self._ask(encode_order("infer", feeds, model=FOR_INFERENCE)))
        found = {each.name: array for each, array in zip(header.arrays, arrays, strict=True)}
        if missing := {output.name for output in self._signature.outputs} - set(found):
            raise ModelFailedError(f"the file has no output {', '.join(sorted(missing))}")
        return numbers([output.restored(found[output.name]) for output in self._signature.outputs])


def _signature(path: Path) -> Signature:
    found = read_signature(path)
    if found is None:
        raise ModelFailedError("a TFLite file that was not made of an ONNX model by latseg")
    return found
