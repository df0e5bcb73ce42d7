"""Whether ``README.md`` of a bundle says the same as the manifest.

The text around the facts changes with versions of this package, so facts are looked for, not whole texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from export.bundle.manifest import BundleFile, Manifest
from export.bundle.texts import (
    certificate_line,
    footprint_words,
    head_line,
    left_out_line,
    numbers,
    pipeline_line,
    quality_line,
    refusal_line,
    size_line,
    versions_line,
)
from export.parity import Parity
from foundation.regular_file import read_regular

README_NAME = "README.md"
_BYTES = 2**20
"""Most bytes of it; it has some kilobytes."""
_MEASURED_WORDS = ("largest difference", "mask IoU", "loads in ", "peak memory ")


def readme_faults(folder: Path, manifest: Manifest) -> list[str]:
    """Facts of the manifest that ``README.md`` does not have, and refusals and certificates that only it has.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text.
    """
    text = read_regular(folder / README_NAME, limit=_BYTES, follow_links=False).decode("utf-8")
    lines = text.splitlines()
    faults = [f"it does not say {fact.strip()!r}" for fact in _facts(manifest) if fact not in f"\n{text}\n"]
    faults += [
        f"it says something else about {file.path} ({file.format})"
        for file in manifest.files
        if file.path != README_NAME and not any(_is_row(line, file) for line in lines)
    ]
    counts = {
        "**NOT certified**": len(manifest.refusals),
        "- One run takes ": len(manifest.certificates),
        "- At ": sum(len(file.parity_by_size) for file in manifest.models),
        "- Not written: ": len(manifest.left_out),
        "- Pipeline, ": manifest.pipeline is not None,
    }
    faults += [f"it has another number of lines with {word!r}" for word, n in counts.items() if text.count(word) != n]
    sections = text.partition("## Quality")[2].partition("##")[0]
    if sum(line.startswith("- ") for line in sections.splitlines()) != len(manifest.quality):
        faults.append("it has another number of scores")
    return faults


def _facts(manifest: Manifest) -> Iterator[str]:
    yield from (f"\n{line}\n" for line in _lines(manifest))
    if manifest.input is not None:
        yield f"**{manifest.input.resize_policy}**"
    yield from (f"`{each.name}`, {each.dtype} {' x '.join(map(str, each.shape))}" for each in manifest.inputs)


def _lines(manifest: Manifest) -> Iterator[str]:
    """Whole lines: a part of one may be said of something longer."""
    yield head_line(manifest)
    if manifest.input is not None:
        yield "Classes: " + ", ".join(f"{number} {name}" for number, name in enumerate(manifest.classes)) + "."
        yield f"    mean = {numbers(manifest.input.normalisation.mean)}"
        yield f"    std  = {numbers(manifest.input.normalisation.std)}"
    yield from map(refusal_line, manifest.refusals)
    yield from map(certificate_line, manifest.certificates)
    yield from () if manifest.pipeline is None else (pipeline_line(manifest.pipeline),)
    yield from (size_line(file, size) for file in manifest.models for size in file.parity_by_size)
    yield from map(left_out_line, manifest.left_out)
    yield from map(quality_line, manifest.quality)
    yield from (f"    {manifest.reproduce}",) if manifest.reproduce else ()
    yield versions_line(manifest)


def _is_row(line: str, file: BundleFile) -> bool:
    if not (line.startswith(f"| `{file.path}` | {file.format} | ") and line.endswith(f" | {file.note} |")):
        return False
    parts = [part for part in str(Parity(file.parity_max_abs, file.parity_mask_iou)).split(", ") if part]
    parts += footprint_words(file)
    units = f" | {', '.join(file.compute_units)} | " if file.compute_units else ""
    cells = line.removesuffix(f"{file.note} |")
    words = sum(cells.count(word) for word in _MEASURED_WORDS)
    return units in cells and all(part in cells for part in parts) and words == len(parts)
