from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.bundle.examples import smooth_picture
from export.bundle.manifest import Manifest
from export.bundle.segment import Segmenter
from foundation.errors import UserError
from latseg import cli
from latseg.bundle import Bundle
from tests.export.runtime_device import RuntimeDevice

Make = Callable[..., Manifest]


def picture(folder: Path, size: tuple[int, int] = (90, 60), mode: str = "RGB", name: str = "photo.png") -> Path:
    folder.mkdir(exist_ok=True)
    width, height = size
    path = folder / name
    Image.fromarray(smooth_picture(height, width, 2)).convert(mode).save(path)
    return path


@pytest.mark.parametrize("policy", ["letterbox", "resize"])
@pytest.mark.parametrize(
    ("size", "mode", "name"),
    [
        ((90, 60), "RGB", "a.jpg"), ((1, 1), "RGB", "a.png"), ((3000, 20), "RGB", "a.png"), ((20, 3000), "L", "a.png"),
        ((33, 47), "RGBA", "a.png"), ((64, 64), "CMYK", "a.jpg"), ((50, 70), "1", "a.png"), ((48, 32), "P", "a.gif"),
    ],
)  # fmt: skip
def test_any_picture(bundle: Path, tmp_path: Path, policy: str, size: tuple[int, int], mode: str, name: str) -> None:
    path = picture(tmp_path / "in", size, mode, name)
    output = Segmenter(bundle, policy=policy).segment_file(path, tmp_path / "out")
    assert (output.mask, output.cutout) == (tmp_path / "out" / "a_mask.png", tmp_path / "out" / "a_cutout.png")
    with Image.open(output.mask) as mask, Image.open(output.cutout) as cutout:
        assert (mask.mode, mask.size) == ("L", size)
        assert (cutout.mode, cutout.size) == ("RGBA", size)
        values = np.asarray(mask)
        alpha = np.asarray(cutout)[..., 3]
    assert set(np.unique(values)) <= {0, 255}
    assert output.foreground_share == pytest.approx(np.mean(values == 255))
    np.testing.assert_array_equal(alpha > 127, values == 255) if mode != "RGBA" else None
    assert (output.height, output.width) == size[::-1]


def test_mask_of_several_classes_holds_their_numbers(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle(classes=5)
    output = Segmenter(tmp_path / "bundle").segment_file(picture(tmp_path / "in"), tmp_path / "out")
    with Image.open(output.mask) as mask:
        values = set(np.unique(np.asarray(mask)))
    assert values <= set(range(5))
    assert len(values) > 1


def test_policy_of_the_bundle_is_the_default(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle(resize_policy="resize")
    path = picture(tmp_path / "in", (200, 30))
    masks = {}
    for policy in (None, "resize", "letterbox"):
        output = Segmenter(tmp_path / "bundle", policy=policy).segment_file(path, tmp_path / str(policy))
        masks[policy] = output.mask.read_bytes()
    assert masks[None] == masks["resize"]
    assert masks[None] != masks["letterbox"]


def test_unknown_policy(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="resize policy: got crop; expected letterbox or resize"):
        Segmenter(bundle, policy="crop").segment_file(picture(tmp_path), tmp_path)


def test_device_gives_the_same_mask(bundle: Path, tmp_path: Path) -> None:
    path = picture(tmp_path / "in")
    own = Segmenter(bundle).segment_file(path, tmp_path / "own")
    given = Segmenter(bundle, device=RuntimeDevice()).segment_file(path, tmp_path / "given")
    assert own.mask.read_bytes() == given.mask.read_bytes()


def test_file_that_is_run(bundle: Path, tmp_path: Path) -> None:
    """The one of the format, on its device."""
    used: list[tuple[str, str]] = []

    class Recording(RuntimeDevice):
        def infer(self, path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            used.append((self.name, path.name))
            return super().infer(path, inputs)

    path = picture(tmp_path / "in")
    for name in ("openvino", "onnx-dynamic"):
        segmenter = Segmenter(bundle, file_format=name, get_device=lambda device: Recording(name=device))
        segmenter.segment_file(path, tmp_path / name)
    assert used == [("openvino", "model.onnx")]  # files for the processor run in this process
    Segmenter(bundle, file_format="onnx-dynamic", device=Recording()).segment_file(path, tmp_path / "given")
    assert used[1:] == [("cpu", "model_dynamic.onnx")]
    (bundle / "model.onnx").unlink()
    Segmenter(bundle, file_format="onnx-dynamic").segment_file(path, tmp_path / "alone")


def test_command_and_interface_run_the_file_of_a_format(bundle: Path, tmp_path: Path) -> None:
    path = picture(tmp_path / "in")
    expected = Bundle(bundle).segment(path)
    (bundle / "model.onnx").unlink()
    words = ["--quiet", "segment", str(bundle), str(path), "-o", str(tmp_path / "out")]
    assert cli.run(words) == 2
    assert cli.run([*words, "--format", "onnx-dynamic"]) == 0
    assert (tmp_path / "out" / "photo_mask.png").is_file()
    np.testing.assert_array_equal(Bundle(bundle).segment(path, file_format="onnx-dynamic"), expected)


@pytest.mark.parametrize("name", ["onnx-uint8", "python"])
def test_file_without_logits(bundle: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"format of the bundle: got {name}; expected a model that returns logits"):
        Segmenter(bundle, file_format=name)


def test_pictures_of_one_name_do_not_overwrite_each_other(bundle: Path, tmp_path: Path) -> None:
    segmenter = Segmenter(bundle)
    paths = [picture(tmp_path / "in", name=name) for name in ("a.png", "a.jpg")]
    masks = {segmenter.segment_file(path, tmp_path / "out").mask.name for path in paths}
    assert masks == {"a_mask.png", "a_2_mask.png"}


@pytest.mark.parametrize("content", [None, b"not a picture"])
def test_bad_picture_is_refused_in_one_line(bundle: Path, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "photo.jpg"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"picture: got .*photo\.jpg: (no such file|not a picture)") as error:
        Segmenter(bundle).segment_file(path, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_output_folder_that_is_a_file(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="output folder"):
        Segmenter(bundle).segment_file(picture(tmp_path / "in"), tmp_path / "out")


def test_broken_model(bundle: Path, tmp_path: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"broken")
    with pytest.raises(UserError, match="model of the bundle"):
        Segmenter(bundle).segment_file(picture(tmp_path / "in"), tmp_path / "out")


def run_script(bundle: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The bundle's own script, isolated from this project's packages."""
    command = [sys.executable, "-I", "-W", "error", str(bundle / "segment.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("policy", ["letterbox", "resize"])
def test_script_in_the_bundle_gives_the_same_pictures(
    make_bundle: Make, tmp_path: Path, classes: int, policy: str
) -> None:
    make_bundle(classes=classes, resize_policy=policy)
    moved = shutil.move(tmp_path / "bundle", tmp_path / "elsewhere")
    paths = [picture(tmp_path / "in", (120, 50), "RGBA", "a.png"), picture(tmp_path / "in", (31, 77), "L", "b.jpg")]
    run = run_script(moved, *paths, "--out", tmp_path / "script")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split() == [str(tmp_path / "script" / f"{stem}_mask.png") for stem in "ab"]
    segmenter = Segmenter(moved)
    for path in paths:
        ours = segmenter.segment_file(path, tmp_path / "ours")
        for file in (ours.mask, ours.cutout):
            with Image.open(file) as mine, Image.open(tmp_path / "script" / file.name) as its:
                np.testing.assert_array_equal(np.asarray(mine), np.asarray(its))


def test_script_names_bad_pictures_and_goes_on(bundle: Path, tmp_path: Path) -> None:
    good = picture(tmp_path / "in")
    run = run_script(bundle, tmp_path / "missing.jpg", good, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert run.stderr.strip() == f"{tmp_path / 'missing.jpg'}: no such file"
    assert (tmp_path / "out" / "photo_mask.png").is_file()


def test_script_needs_nothing_else(bundle: Path) -> None:
    text = (bundle / "segment.py").read_text()
    imported = {
        line.split()[1].split(".")[0] for line in text.splitlines() if line.lstrip().startswith(("import ", "from "))
    }
    assert imported - set(sys.stdlib_module_names) - {"__future__"} == {"numpy", "PIL", "onnxruntime"}
