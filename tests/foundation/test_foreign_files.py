"""Files that come from elsewhere are opened in ``foundation.regular_file``, which waits for no FIFO and has limits."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("foundation", "devices", "latency", "segmentation", "graphs", "search", "export", "latseg")
ALLOWED = {
    ("foundation/regular_file.py", "os.open"): "the place itself",
    ("foundation/picture.py", "Image.open"): "of a stream that was opened there",
    ("foundation/database_lock.py", "os.open"): "a regular file, to lock it",
    ("foundation/process_identity.py", ".read_text"): "files of /proc",
    ("foundation/temporary_folder.py", "os.open"): "a folder, to lock it",
    ("devices/hardware.py", ".read_text"): "files of /proc and /sys",
    ("devices/other_load.py", ".read_text"): "a file of /proc",
    ("devices/worker/memory_limit.py", ".read_text"): "files of /proc and /sys",
    ("devices/worker/run_queue.py", "os.open"): "a file of /proc",
    ("devices/input_values.py", "np.load"): "of bytes in memory",
    ("devices/worker/messages.py", "np.load"): "a file of the worker that this process started",
    ("devices/ssh/agent.py", ".read_bytes"): "files in a folder of ours, on another machine",
    ("devices/ssh/agent.py", "os.open"): "/dev/null",
    ("devices/ssh/loader.py", "open"): "files of this package, and their copies on another machine",
    ("devices/ssh/sources.py", ".read_text"): "a file of this package",
    ("devices/worker/peak_memory.py", ".read_text"): "a file of /proc",
    ("devices/backends/executorch/profile.py", ".read_bytes"): "a file that the runtime wrote in a folder of ours",
    ("devices/backends/litert/converter.py", ".read_bytes"): "a file that the converter wrote in a folder of ours",
    ("devices/backends/litert/converter_program.py", ".read_bytes"): "a file that it wrote itself",
    ("devices/backends/qnn/quantise.py", "onnx.load"): "a file that ONNX Runtime wrote in a folder of ours",
    ("devices/backends/web/browser.py", ".open"): "a file in a folder of ours, for writing",
    ("devices/backends/web/browser.py", ".read_text"): "a file of /proc",
    ("devices/backends/web/profile.py", "onnx.load"): "a file that ONNX Runtime wrote in a folder of ours",
    ("devices/backends/web/server.py", ".read_bytes"): "files of this package and of an installation, on a list",
    ("devices/backends/ncnn/convert.py", ".read_text"): "files that the converter wrote in a folder of ours",
    ("devices/backends/ort/profile.py", ".read_text"): "a file that the runtime wrote in a folder of ours",
    ("devices/backends/ort/profile.py", "onnx.load"): "a file that the runtime wrote in a folder of ours",
    ("export/bundle/texts.py", ".read_text"): "a file of this package",
    ("export/build_engine.py", ".read_bytes"): "a program that is copied into bundles, on its own timing cache",
    ("export/build_engine.py", "np.load"): "a program that is copied into bundles, on a file of its bundle",
    ("export/phone_examples.py", ".read_text"): "a file of this package",
    ("export/to_reduced_onnx.py", "onnx.load"): "the file that export has just written",
    ("export/to_tensorrt.py", "onnx.load"): "the file that export has just written",
    ("export/to_web.py", ".read_bytes"): "files of this package and of ONNX Runtime's",
    ("search/spaces/trained_nets.py", ".read_text"): "a file of this package",
    ("segmentation/pretrained/weights.py", ".read_bytes"): "files of this package",
    ("graphs/data/cora.py", "np.load"): "of bytes in memory",
    ("latseg/input_values.py", "np.load"): "of a stream that was opened there",
    ("latseg/streams.py", "os.open"): "/dev/null",
    ("segmentation/data/supervisely_document.py", "Image.open"): "of bytes in memory",
    ("segmentation/data/synthetic/camera.py", "Image.open"): "of bytes in memory",
    ("segmentation/data/synthetic/light.py", "Image.open"): "of bytes in memory",
}
READERS = {
    ("os", "open"), ("io", "open"), ("Image", "open"), ("np", "load"), ("np", "fromfile"), ("np", "loadtxt"),
    ("onnx", "load"), ("onnx", "load_model"), ("json", "load"), ("torch", "load"),
}  # fmt: skip
METHODS = {"read_text", "read_bytes"}
FUNCTIONS = {"open", "safe_open", "load_file"}


def test_no_file_is_read_past_the_checks() -> None:
    found = set()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith("latseg/testing/"):
                found |= {(name, call) for call in reading_calls(ast.parse(path.read_text(encoding="utf-8")))}
    assert found == set(ALLOWED)


def test_the_search_finds_what_it_looks_for() -> None:
    source = (
        "path.read_text()\npath.read_bytes()\nopen(path)\npath.open('rb')\npath.open()\nImage.open(path)\n"
        "onnx.load(path)\nsafe_open(path, 'pt')\nsafetensors.torch.load_file(path)\nos.open(path, 0)\n"
        "path.open('wb')\ntarget.open(run)\nload(content)\njson.loads(text)\n"
    )
    assert len(list(reading_calls(ast.parse(source)))) == 10


def reading_calls(tree: ast.Module) -> Iterator[str]:
    """What in the module opens a file by its path to read it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in FUNCTIONS:
                yield name
            case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in READERS:
                yield f"{module}.{name}"
            case ast.Attribute(attr=name) if name in METHODS | FUNCTIONS - {"open"}:
                yield f".{name}"
            case ast.Attribute(attr="open") if reads(node):
                yield ".open"


def reads(call: ast.Call) -> bool:
    """Whether ``.open(...)`` is that of a path, to read."""
    modes = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return not call.args or any("r" in mode or "+" in mode for mode in modes[:1])
