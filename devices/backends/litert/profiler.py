"""The profiler of LiteRT's C interface, in the library ``libLiteRt.so`` of the wheel, called by ``ctypes``.

The wheel promises neither the library nor its structures, so only versions are used for which they are known
(``litert/c/litert_profiler.h`` and ``litert_profiler_event.h`` of google-ai-edge/LiteRT).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import ExitStack
from ctypes import byref, c_char, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from devices.worker.runtime import Array, ModelFailedError

_KNOWN_VERSIONS = ("2.3.",)
_OPERATOR, _DELEGATES_OPERATOR = 1 << 1, 1 << 3
"""Of ``event_type``: a kernel of LiteRT's own, and one of XNNPACK's."""
_CPU, _WRITE = 1, 1
_FORGET = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: None)
"""What frees the content of options: it is ours."""
_TYPE_BYTES = 256
"""More than ``LiteRtRankedTensorType`` takes."""
_OPTIONS = ((b"runtime_options_string", "enable_profiling = true\n"), (b"xnnpack", "num_threads = {threads}\n"))


@dataclass(frozen=True, slots=True)
class Event:
    """A kernel that ran. ``operator`` is its place in the file, None for one of XNNPACK, which has its own order."""

    kernel: str
    us: int
    operator: int | None


class _Event(ctypes.Structure):
    """``ProfiledEventData``."""

    _fields_: ClassVar = [
        ("tag", c_char_p),
        ("type", c_int),
        ("start_us", c_uint64),
        ("us", c_uint64),
        ("memory", c_int64 * 6),
        ("place", c_uint64),
        ("second_place", c_uint64),
        ("source", c_int),
    ]


class ProfiledRun:
    """A TFLite file under the profiler, with its inputs; a context.

    Args:
        path: of a file that LiteRT has loaded before.
        feeds: values by input, as the file takes them.
        threads: of XNNPACK.

    Raises:
        ModelFailedError: this version of LiteRT has no profiler that is known here, or a call failed.
    """

    def __init__(self, path: Path, feeds: Mapping[str, Array], threads: int) -> None:
        self._library = _library()
        self._kept: list[Any] = []
        """Memory that LiteRT reads for as long as this object lives."""
        with ExitStack() as stack:
            self._environment = self._made("CreateEnvironment", 0, None, destroy=(stack, "Environment"))
            self._model = self._made(
                "CreateModelFromFile", self._environment, str(path).encode(), destroy=(stack, "Model")
            )
            options = self._options(threads, stack)
            arguments = (self._environment, self._model, options)
            self._compiled = self._made("CreateCompiledModel", *arguments, destroy=(stack, "CompiledModel"))
            self._profiler = self._made("CompiledModelGetProfiler", self._compiled)
            signature = self._made("GetModelSignature", self._model, c_size_t(0))
            self._inputs = self._buffers("Input", signature, stack)
            self._outputs = self._buffers("Output", signature, stack)
            for name, buffer in self._inputs.items():
                self._write(buffer, feeds[name])
            self._close = stack.pop_all().close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def run(self) -> list[Event]:
        """One inference; its kernels in the order of execution.

        Raises:
            ModelFailedError: it failed.
        """
        for step in ("ResetProfiler", "StartProfiler"):
            self._call(step, self._profiler)
        inputs, outputs = (
            (c_void_p * len(each))(*(buffer.value for buffer in each.values()))
            for each in (self._inputs, self._outputs)
        )
        sizes = (c_size_t(len(inputs)), c_size_t(len(outputs)))
        self._call("RunCompiledModel", self._compiled, c_size_t(0), sizes[0], inputs, sizes[1], outputs)
        count = c_int()
        self._call("GetNumProfilerEvents", self._profiler, byref(count))
        events = (_Event * count.value)()
        self._call("GetProfilerEvents", self._profiler, count, events)
        return [
            Event(each.tag.decode(errors="replace"), each.us, each.place if each.type == _OPERATOR else None)
            for each in events
            if each.type in (_OPERATOR, _DELEGATES_OPERATOR)
        ]

    def _options(self, threads: int, stack: ExitStack) -> c_void_p:
        options = self._made("CreateOptions", destroy=(stack, "Options"))
        self._call("SetOptionsHardwareAccelerators", options, c_int(_CPU))
        for name, text in _OPTIONS:
            content = ctypes.create_string_buffer(text.format(threads=threads).encode())
            self._kept.append(content)
            part = self._made("CreateOpaqueOptions", name, ctypes.cast(content, c_void_p), _FORGET)
            self._call("AddOpaqueOptions", options, part)
        return options

    def _buffers(self, kind: str, signature: c_void_p, stack: ExitStack) -> dict[str, c_void_p]:
        """A buffer for each input or output, by its name and in the file's order."""
        count = c_size_t()
        self._call(f"GetNumSignature{kind}s", signature, byref(count))
        found: dict[str, c_void_p] = {}
        for place in map(c_size_t, range(count.value)):
            name = c_char_p()
            self._call(f"GetSignature{kind}Name", signature, place, byref(name))
            tensor = self._made(f"GetSignature{kind}TensorByIndex", signature, place)
            tensor_type = (c_char * _TYPE_BYTES)()
            self._call("GetRankedTensorType", tensor, tensor_type)
            needs = self._made(f"GetCompiledModel{kind}BufferRequirements", self._compiled, c_size_t(0), place)
            create = ("CreateManagedTensorBufferFromRequirements", self._environment, tensor_type, needs)
            found[(name.value or b"").decode()] = self._made(*create, destroy=(stack, "TensorBuffer"))
        return found

    def _write(self, buffer: c_void_p, values: Array) -> None:
        memory = c_void_p()
        self._call("LockTensorBuffer", buffer, byref(memory), c_int(_WRITE))
        content = np.ascontiguousarray(values)
        ctypes.memmove(memory.value or 0, content.ctypes.data, content.nbytes)
        self._call("UnlockTensorBuffer", buffer)

    def _made(self, name: str, *arguments: Any, destroy: tuple[ExitStack, str] | None = None) -> c_void_p:
        """What a function returns through its last argument; destroyed when the stack closes."""
        made = c_void_p()
        self._call(name, *arguments, byref(made))
        if destroy:
            stack, kind = destroy
            stack.callback(self._library[f"LiteRtDestroy{kind}"], made)
        return made

    def _call(self, name: str, *arguments: Any) -> None:
        status = self._library[f"LiteRt{name}"](*arguments)
        if status:
            raise ModelFailedError(f"LiteRt{name} ended with status {status}")


def _library() -> Any:
    version = metadata.version("ai-edge-litert")
    spec = find_spec("ai_edge_litert")
    path = Path(spec.origin if spec and spec.origin else "").with_name("libLiteRt.so")
    if not version.startswith(_KNOWN_VERSIONS) or not path.exists():
        raise ModelFailedError(f"no profiler is known for LiteRT {version} on this system")
    return ctypes.CDLL(str(path))
