"""The example in Kotlin that comes with a TFLite file."""

from pathlib import Path

import pytest

from export.phone_examples import KOTLIN_NAME, kotlin_example
from export.source import Pictures
from export.to_litert import LiteRtExporter
from export.to_onnx import OnnxExporter
from latseg.testing.exporter_contract import pair_source, segmentation_source


def example(*classes: str, channels_last: bool) -> str:
    pictures = Pictures.model_validate({"classes": classes, "normalisation": {"mean": [0.5] * 3, "std": [0.25] * 3}})
    return kotlin_example(pictures, (32, 48), channels_last=channels_last)


@pytest.mark.parametrize("channels_last", [True, False])
def test_the_example_fits_the_file(channels_last: bool) -> None:
    text = example("background", "person", channels_last=channels_last)
    assert "not executed" in text.splitlines()[0]
    assert len(text.splitlines()) <= 70
    for line in (
        "const val HEIGHT = 32",
        "const val WIDTH = 48",
        f"const val CHANNELS_LAST = {str(channels_last).lower()}",
        'val CLASSES = listOf("background", "person")',
        "private val MEAN = floatArrayOf(0.5f, 0.5f, 0.5f)",
        "private val STD = floatArrayOf(0.25f, 0.25f, 0.25f)",
    ):
        assert f"        {line}\n" in text
    assert "$" not in text


def test_names_of_classes_stay_text() -> None:
    text = example("background", 'a"$b\\\n', "\U000e0041\U0001f600", channels_last=True)
    assert r'listOf("background", "a\u0022\u0024b\u005c\u000a", "\udb40\udc41😀")' in text


@pytest.mark.targets
@pytest.mark.skipif(not LiteRtExporter().availability().available, reason="LiteRT or its converter is not installed")
def test_only_networks_that_segment_have_an_example(tmp_path: Path) -> None:
    for name, source in (("pictures", segmentation_source()), ("pairs", pair_source())):
        folder = tmp_path / name
        folder.mkdir()
        OnnxExporter().write(source, folder)
        LiteRtExporter().write(source, folder)
        assert (folder / KOTLIN_NAME).exists() == (name == "pictures")
    assert "CHANNELS_LAST = true" in (tmp_path / "pictures" / KOTLIN_NAME).read_text()
