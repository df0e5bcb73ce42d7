"""The converter's process: ``python -m ... MODEL.onnx FEEDS.npz TARGET.tflite SIGNATURE.json``.

It runs in the environment of the installation ``litert``. onnx2tf takes some operators for others without a word, and
has rules of its own for the layout of outputs. So what it wrote is run beside ONNX Runtime. The last line on stderr is
the reason where it fails.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from devices.backends.litert.session import LiteRtSession
from devices.backends.litert.signature import Output, Signature, with_signature
from devices.backends.ort.calls import open_session, run_session, session_options
from devices.output_comparison import MOST_UNEQUAL, compare_outputs
from devices.worker.messages import read_arrays
from devices.worker.runtime import Array, ModelFailedError, one_line


def main() -> None:
    """Entry point."""
    onnx, feeds, target, document = map(Path, sys.argv[1:])
    try:
        content, signature = converted(onnx, read_arrays(feeds))
    except ModelFailedError as error:
        sys.exit(f"\n{error}")
    target.write_bytes(with_signature(content, signature))
    document.write_bytes(signature.to_json())


def converted(onnx: Path, arrays: Sequence[Array]) -> tuple[bytes, Signature]:
    """The TFLite file of a model whose inputs take ``arrays``, and how it differs from the model.

    Raises:
        ModelFailedError: ONNX Runtime, onnx2tf or LiteRT refuses the model, or the two compute something else.
    """
    session = open_session(str(onnx), session_options(1))
    names = [each.name for each in session.get_inputs()]
    feeds = dict(zip(names, arrays, strict=True))
    expected = dict(zip((each.name for each in session.get_outputs()), run_session(session, feeds), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        path = _written(onnx, names, Path(folder))
        answers = _answers(path, feeds)
        outputs = [_output(name, value, answers) for name, value in expected.items()]
        shapes = tuple((name, array.shape) for name, array in feeds.items())
        return path.read_bytes(), Signature(shapes, tuple(outputs))


def _written(onnx: Path, inputs: Sequence[str], folder: Path) -> Path:
    """What onnx2tf writes; inputs keep their axes."""
    import onnx2tf

    try:
        onnx2tf.convert(
            input_onnx_file_path=str(onnx),
            output_folder_path=str(folder),
            copy_onnx_input_output_names_to_tflite=True,
            keep_shape_absolutely_input_names=list(inputs),
            non_verbose=True,
        )
    except (Exception, SystemExit) as error:  # onnx2tf raises whatever its libraries do, and ends the process itself
        raise ModelFailedError(f"onnx2tf: {one_line(error)}") from error  # type: ignore[arg-type]
    path = folder / f"{onnx.stem}_float32.tflite"
    if not path.exists():
        raise ModelFailedError("onnx2tf wrote no file and gave no reason")
    return path


def _answers(path: Path, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs by name, as they are in the file."""
    session = LiteRtSession(path, 1)
    session.fill({name: np.atleast_1d(array) for name, array in feeds.items()})
    return dict(zip(session.outputs, session.run(), strict=True))


def _output(name: str, expected: Array, answers: Mapping[str, Array]) -> Output:
    """How the file's output becomes that of the ONNX model."""
    if name not in answers:
        raise ModelFailedError(f"onnx2tf leaves out the output {name!r}")
    layouts = [Output(name, expected.shape, last) for last in ((False, True) if expected.ndim > 2 else (False,))]
    found = {layout: compare_outputs([expected], [layout.restored(answers[name])]) for layout in layouts}
    best = min(found, key=lambda layout: found[layout].unequal)
    if found[best].unequal > MOST_UNEQUAL:
        told = found[best].fault or f"numbers that differ by up to {found[best].max_abs:.2g}"
        raise ModelFailedError(f"onnx2tf makes another net of it: for the output {name!r} it computes {told}")
    return best


if __name__ == "__main__":
    main()
