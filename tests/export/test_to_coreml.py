"""The format ``coreml``: a package that is not run here, and an example in Swift."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devices.backends.coreml.target import CoreMlTarget
from devices.registry import get_device
from export.bundle.manifest import Manifest, Normalisation
from export.bundle.verify import verify_bundle
from export.phone_examples import swift_example
from export.source import Pictures


def test_the_example_knows_the_network() -> None:
    normalisation = Normalisation(mean=(0.25, 0.5, 0.75), std=(0.125, 0.25, 0.5))
    pictures = Pictures(classes=("background", 'a "\\(person)'), normalisation=normalisation)
    text = swift_example(pictures, (64, 48))
    assert "not executed" in text.splitlines()[0]
    for line in (
        r'static let classes = ["background", "a \u{22}\u{5c}(person)"]',
        "private let height = 64, width = 48",
        "model.mlpackage.zip",
        "private let mean: [Float] = [0.25, 0.5, 0.75]",
        "private let deviation: [Float] = [0.125, 0.25, 0.5]",
        'dictionary: ["image": ',
        'featureValue(for: "logits")',
        "each[$0] < each[$1]",
    ):
        assert line in text


@pytest.mark.targets
@pytest.mark.skipif(not CoreMlTarget().availability().available, reason="needs `latseg install coreml`")
def test_a_bundle_says_that_nothing_was_executed(make_bundle: Callable[..., Manifest], tmp_path: Path) -> None:
    entry = make_bundle(formats=["coreml"], get_device=get_device, certificates=()).file("coreml")
    assert (entry.executed, entry.precision, entry.parity_max_abs) == (False, "float16", None)
    assert "not executed: a compiler without an emulator" in entry.note
    assert (tmp_path / "bundle" / "CoreMlSegmenter.swift").is_file()
    checks = {check.name: check for check in verify_bundle(tmp_path / "bundle", measure=False).checks}
    assert checks["manifest against itself"].ok
    assert not [name for name in checks if "(coreml)" in name]
