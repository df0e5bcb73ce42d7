from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.bundle.examples import smooth_picture
from export.bundle.manifest import BundleFile, Manifest, write_manifest
from export.bundle.segment import Segmenter
from foundation.class_colours import COLOURS
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


@pytest.mark.parametrize("classes", [2, 5])
def test_the_overlay_has_the_picture_and_a_colour_for_each_class(
    make_bundle: Make, tmp_path: Path, classes: int
) -> None:
    make_bundle(classes=classes)
    path = picture(tmp_path / "in")
    output = Segmenter(tmp_path / "bundle", edges="bilinear").segment_file(path, tmp_path / "out")
    assert output.overlay == tmp_path / "out" / "photo_overlay.png"
    labels = Bundle(tmp_path / "bundle").segment(path, edges="bilinear")
    with Image.open(output.overlay) as laid_over, Image.open(path) as photo:
        assert (laid_over.mode, laid_over.size) == ("RGB", photo.size)
        pixels, before = np.asarray(laid_over), np.asarray(photo)
    np.testing.assert_array_equal(pixels[labels == 0], before[labels == 0])
    assert len(np.unique(labels)) > 1
    for label in np.unique(labels[labels > 0]):
        colour, inside = COLOURS[label], labels == label
        mixed = ((before[inside].astype(int) + colour) // 2).astype(np.uint8)
        contour = (pixels[inside] == colour).all(1)
        assert contour.any()
        np.testing.assert_array_equal(pixels[inside][~contour], mixed[~contour])


def test_a_folder_stands_for_its_pictures(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [picture(tmp_path / "in", name=name) for name in ("a.png", "b.png")]
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    words = ["--json", "segment", str(bundle), str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert cli.run(words) == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)["outputs"]
    assert [Path(row["image"]) for row in rows] == paths
    assert all(Path(row[kind]).is_file() for row in rows for kind in ("mask", "cutout", "overlay"))
    assert "1 left out of" in printed.err
    assert cli.run(["segment", str(bundle), str(tmp_path / "out" / ".."), "-o", str(tmp_path / "new")]) == 2
    assert "folder of pictures: got no pictures" in capsys.readouterr().err


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


def test_edges_are_an_option(bundle: Path, tmp_path: Path) -> None:
    """Guided ones are the default; both differ, also in the interface and in the command."""
    path = picture(tmp_path / "in")
    masks = {edges: Bundle(bundle).segment(path, edges=edges) for edges in ("guided", "bilinear")}
    np.testing.assert_array_equal(Bundle(bundle).segment(path), masks["guided"])
    assert not np.array_equal(masks["guided"], masks["bilinear"])
    for edges, mask in masks.items():
        words = ["--quiet", "segment", str(bundle), str(path), "-o", str(tmp_path), "--edges", edges]
        assert cli.run(words) == 0
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "photo_mask.png")), mask * 255)
    with pytest.raises(UserError, match="--edges: got 'sharp'; expected guided or bilinear"):
        Bundle(bundle).segment(path, edges="sharp")
    with pytest.raises(UserError, match="edges: got sharp"):
        Segmenter(bundle, edges="sharp")


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
        segmenter = Segmenter(bundle, file_format=name, get_device=lambda device, threads=1: Recording(name=device))
        segmenter.segment_file(path, tmp_path / name)
    assert used == [("openvino", "model.onnx"), ("cpu", "model_dynamic.onnx")]
    Segmenter(bundle, file_format="onnx", device=Recording()).segment_file(path, tmp_path / "given")
    assert used[2:] == [("cpu", "model.onnx")]
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


def swap_models(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes((bundle / "model_uint8.onnx").read_bytes())


def shorten_the_model(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes()[:-1])


def link_the_model(bundle: Path) -> None:
    (bundle / "model.onnx").rename(bundle.parent / "elsewhere.onnx")
    (bundle / "model.onnx").symlink_to(bundle.parent / "elsewhere.onnx")


def make_the_model_a_fifo(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()
    os.mkfifo(bundle / "model.onnx")


CHANGES = [swap_models, shorten_the_model, link_the_model, make_the_model_a_fifo]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model_is_not_run(bundle: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = picture(tmp_path / "in")
    change(bundle)
    with pytest.raises(UserError, match=r"model of the bundle: got model\.onnx \("):
        Segmenter(bundle).segment_file(path, tmp_path / "out")
    run = run_script(bundle, path, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert "model.onnx" in run.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"[]", b'{"files": 3}'])
def test_script_says_that_a_manifest_is_damaged(bundle: Path, tmp_path: Path, content: bytes) -> None:
    (bundle / "manifest.json").write_bytes(content)
    run = run_script(bundle, picture(tmp_path / "in"), "--out", tmp_path / "out")
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert run.stderr.startswith("manifest.json is damaged")


def test_a_changed_part_of_a_model_is_found(make_bundle: Make, tmp_path: Path) -> None:
    """A model in several files is as good as each of them."""
    manifest = make_bundle()
    (tmp_path / "bundle" / "weights.bin").write_bytes(b"weights")
    entry = BundleFile(path="weights.bin", format="data", sha256=hashlib.sha256(b"weights").hexdigest(), bytes=7)
    write_manifest(tmp_path / "bundle", manifest.model_copy(update={"files": (*manifest.files, entry)}))
    path = picture(tmp_path / "in")
    Segmenter(tmp_path / "bundle").segment_file(path, tmp_path / "out")
    assert run_script(tmp_path / "bundle", path, "--out", tmp_path / "out").returncode == 0
    (tmp_path / "bundle" / "weights.bin").write_bytes(b"Weights")
    with pytest.raises(UserError, match=r"weights\.bin \(the file was changed"):
        Segmenter(tmp_path / "bundle")
    run = run_script(tmp_path / "bundle", path, "--out", tmp_path / "out")
    assert (run.returncode, run.stderr.count("weights.bin was changed")) == (2, 1)


def test_a_crash_costs_one_picture(bundle: Path, tmp_path: Path) -> None:
    class Crashing(RuntimeDevice):
        runs = 0

        def infer(self, path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            self.runs += 1
            if self.runs == 2:
                raise UserError("model", seen="a crash", expected="no crash", remedy="another model")
            return super().infer(path, inputs)

    segmenter, path = Segmenter(bundle, device=Crashing()), picture(tmp_path / "in")
    segmenter.segment_file(path, tmp_path / "out")
    with pytest.raises(UserError, match="a crash"):
        segmenter.segment_file(path, tmp_path / "out")
    assert segmenter.segment_file(path, tmp_path / "out").mask.is_file()


@pytest.mark.parametrize("shape", [(1, 3, 32, 48), (1, 2, 32, 47), (2, 32, 48)])
def test_a_model_that_returns_something_else_is_refused(bundle: Path, tmp_path: Path, shape: tuple[int, ...]) -> None:
    class Other(RuntimeDevice):
        def infer(self, path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.zeros(shape, np.float32)]

    with pytest.raises(UserError, match="expected logits of shape"):
        Segmenter(bundle, device=Other()).segment_file(picture(tmp_path / "in"), tmp_path / "out")


def test_broken_pictures_do_not_stop_the_others(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = picture(tmp_path / "in")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    paths = [tmp_path / "broken.jpg", good, tmp_path / "missing.png"]
    words = ["--quiet", "--json", "segment", str(bundle), *map(str, paths), "-o", str(tmp_path / "out")]
    assert cli.run(words) == 2
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert [Path(row["image"]) for row in document["outputs"]] == [good]
    assert [Path(row["image"]) for row in document["failed_images"]] == [paths[0], paths[2]]
    assert [line.split(":")[0] for line in printed.err.splitlines()] == ["latseg", "latseg"]
    assert (tmp_path / "out" / "photo_mask.png").is_file()


def test_an_output_folder_that_cannot_be_written_ends_it(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    noted: list[Path] = []
    with pytest.raises(UserError, match="output folder"):
        list(Bundle(bundle).write_masks([picture(tmp_path)], tmp_path / "out", on_error=lambda p, _: noted.append(p)))
    assert noted == []


@pytest.mark.parametrize(("letters", "fits"), [(209, True), (210, False), (249, False)])
def test_a_name_that_is_too_long_is_refused_in_one_line(bundle: Path, tmp_path: Path, letters: int, fits: bool) -> None:
    path = picture(tmp_path / "in", name="a" * letters + ".png")
    if fits:
        assert Segmenter(bundle).segment_file(path, tmp_path / "out").cutout.is_file()
        return
    with pytest.raises(UserError, match=r"name of the result: got a{40}… with"):
        Segmenter(bundle).segment_file(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def run_script(bundle: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The bundle's own script, isolated from this project's packages."""
    command = [sys.executable, "-I", "-W", "error", str(bundle / "segment.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize(("policy", "edges"), [("letterbox", "guided"), ("resize", "guided"), ("resize", "bilinear")])
def test_script_in_the_bundle_gives_the_same_pictures(
    make_bundle: Make, tmp_path: Path, classes: int, policy: str, edges: str
) -> None:
    make_bundle(classes=classes, resize_policy=policy)
    moved = shutil.move(tmp_path / "bundle", tmp_path / "elsewhere")
    paths = [picture(tmp_path / "in", (120, 50), "RGBA", "a.png"), picture(tmp_path / "in", (31, 77), "L", "b.jpg")]
    run = run_script(moved, *paths, "--out", tmp_path / "script", *(["--edges", edges] if edges == "bilinear" else []))
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split() == [str(tmp_path / "script" / f"{stem}_mask.png") for stem in "ab"]
    segmenter = Segmenter(moved, edges=edges)
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
