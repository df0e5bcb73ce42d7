"""The files of a bundle that a person reads: ``README.md`` and ``segment.py``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from export.bundle.certificate import Certificate
from export.bundle.manifest import BundleFile, Manifest, Quality, SizeParity
from export.bundle.pipeline import Pipeline
from export.parity import Parity

SCRIPT_NAME = "segment.py"
_MARKER = "{{preprocess}}"
_NEEDS = (
    "on a device that was profiled and fitted (`latseg profile`, `latseg fit`); `RUN` is the id that the search prints."
)
_OWN_IMPORTS = ("from foundation.", "from export.")
_HEAD_END = "from __future__ import annotations\n"


def segment_script() -> str:
    """``segment.py``: runs alone with numpy, Pillow and onnxruntime; treats pictures exactly as this package does."""
    template = _text("export.bundle", "segment_template.txt")
    parts = (
        _text("foundation", "regular_file.py"),
        _text("foundation", "picture.py"),
        _text("export.bundle", "enlarge.py"),
        _text("export.bundle", "preprocess.py"),
    )
    code = "\n\n\n".join(part.split(_HEAD_END, 1)[1].strip() for part in parts)
    return template.replace(_MARKER, "\n".join(line for line in code.splitlines() if not line.startswith(_OWN_IMPORTS)))


def _text(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def readme(manifest: Manifest) -> str:
    """``README.md`` for the person who puts the network into a program."""
    return f"""{_head(manifest)}

## Latency

{_certificates(manifest)}

## Quality

{_quality(manifest)}

## Input and output

{_input(manifest)}

## Files

| file | format | bytes | what it takes | runs on | parity with {_reference(manifest)} | |
|---|---|---|---|---|---|---|
{chr(10).join(_row(file) for file in manifest.files)}

{_sizes(manifest)}{_left_out(manifest)}Loading is timed without the start of the runtime; the peak memory is
that of a process that loads the file and runs it once, with Python and the runtime.

`manifest.json` holds all of this for programs, with every raw latency sample and the SHA-256 of every file.
`latseg verify` checks the hashes and the parity and measures the latency again.

## Made with

{_reproduce(manifest)}
"""


def head_line(manifest: Manifest) -> str:
    """What the network is."""
    layout = manifest.input
    if layout is None:
        return f"# {str(manifest.task.get('task', 'network')).capitalize()}, {manifest.parameters:,} parameters"
    return f"# Segmentation network, {layout.height} x {layout.width}, {manifest.parameters:,} parameters"


def _head(manifest: Manifest) -> str:
    if manifest.input is None:
        return head_line(manifest)
    return f"""{head_line(manifest)}

Classes: {", ".join(f"{number} {name}" for number, name in enumerate(manifest.classes))}.

## Try it

    pip install numpy pillow onnxruntime
    python segment.py ../photograph.jpg --out ../results

writes `photograph_mask.png` and `photograph_cutout.png` beside this folder (`latseg verify` fails on files that are
added to it)."""


def _input(manifest: Manifest) -> str:
    layout = manifest.input
    if layout is None:
        rows = [f"- `{one.name}`, {one.dtype} {' x '.join(map(str, one.shape))}" for one in manifest.inputs]
        return "\n".join(["`model.onnx` takes", "", *rows])
    size = f"{layout.height} x {layout.width}"
    return f"""`model.onnx` takes `{layout.name}`, {layout.dtype} 1 x 3 x {size} ({layout.channels}).
It returns `logits`, float32 1 x {len(manifest.classes)} x {size}; the class of a pixel is the arg-max.
The input is `(x / 255 - mean) / std` with

    mean = {numbers(layout.normalisation.mean)}
    std  = {numbers(layout.normalisation.std)}

Pictures of another size are brought to it by **{layout.resize_policy}** ({_policy(layout.resize_policy)})."""


def _certificates(manifest: Manifest) -> str:
    if not manifest.certificates and not manifest.refusals:
        return "Not certified: no latency was promised or measured for these files."
    lines = [*map(refusal_line, manifest.refusals), *map(certificate_line, manifest.certificates)]
    return "\n".join([*lines, *map(pipeline_line, [manifest.pipeline] if manifest.pipeline else [])])


def pipeline_line(pipeline: Pipeline) -> str:
    """The times of everything that ``segment.py`` does."""
    return f"- {pipeline}"


def refusal_line(refusal: str) -> str:
    """A budget that the measurements did not certify."""
    return f"- **NOT certified**: {refusal}"


def certificate_line(certificate: Certificate) -> str:
    """A certificate, when it was measured, and what was unusual about it."""
    parts = [f"- {certificate.statement} Measured {certificate.started_at or 'at an unknown time'}."]
    parts += [f"This is {certificate.retry}."] if certificate.retry else []
    unusual = ", ".join(f"{name} {value}" for name, value in certificate.unusual_protocol.items())
    parts += [f"Its protocol is not the usual one: {unusual}."] if unusual else []
    return " ".join(parts)


def _quality(manifest: Manifest) -> str:
    if not manifest.quality:
        return "Not evaluated."
    return "\n".join(map(quality_line, manifest.quality))


def quality_line(score: Quality) -> str:
    """A score and its data."""
    return f"- {score.metric}: {score.value:.4f} on {score.data}"


def numbers(values: tuple[float, ...]) -> str:
    """Numbers in brackets."""
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"


def _policy(policy: str) -> str:
    return {
        "letterbox": "shape kept, in the middle, the border filled with the mean colour",
        "resize": "stretched to fill",
    }[policy]


def _left_out(manifest: Manifest) -> str:
    return _listed([left_out_line(reason) for reason in manifest.left_out])


def _sizes(manifest: Manifest) -> str:
    return _listed([size_line(file, size) for file in manifest.models for size in file.parity_by_size])


def _listed(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines) + "\n" * bool(lines)


def size_line(file: BundleFile, size: SizeParity) -> str:
    """Parity of a dynamic file on pictures of one size."""
    return f"- At {size.height} x {size.width}, `{file.path}`: {Parity(size.max_abs, size.mask_iou)}"


def left_out_line(reason: str) -> str:
    """A format that was asked for and not written."""
    return f"- Not written: {reason}."


def _reference(manifest: Manifest) -> str:
    return "torch" if manifest.architecture else "ONNX Runtime"


def _row(file: BundleFile) -> str:
    parity = str(Parity(file.parity_max_abs, file.parity_mask_iou)) or "-"
    cells = [f"{file.bytes:,}", ", ".join(footprint_words(file)) or "-", ", ".join(file.compute_units) or "-", parity]
    return f"| `{file.path}` | {file.format} | {' | '.join(cells)} | {file.note} |"


def footprint_words(file: BundleFile) -> list[str]:
    """Time and memory that a file takes, where they were measured."""
    words = [] if file.load_ms is None else [f"loads in {file.load_ms:g} ms"]
    return words if file.peak_memory_mb is None else [*words, f"peak memory {file.peak_memory_mb:g} MB"]


def versions_line(manifest: Manifest) -> str:
    """The packages that made the bundle."""
    return ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items())) + "."


def _reproduce(manifest: Manifest) -> str:
    if not manifest.reproduce:
        return versions_line(manifest)
    needs = f"\n{_NEEDS}" if manifest.architecture else ""
    return f"    {manifest.reproduce}\n{needs}\n{versions_line(manifest)}"
