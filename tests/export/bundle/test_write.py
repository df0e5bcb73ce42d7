from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from devices.footprint import Footprint
from export.bundle.examples import smooth_picture
from export.bundle.manifest import Manifest, Quality, read_manifest
from export.bundle.manifest_checks import manifest_faults
from export.bundle.verify import verify_bundle
from foundation.errors import UserError
from tests.export.conftest import certificate_for, runtime_device
from tests.export.runtime_device import RuntimeDevice
from tests.export.small_network import HEIGHT, WIDTH, export_small, small_network

Make = Callable[..., Manifest]
ALL_FORMATS = ("onnx", "onnx-dynamic", "onnx-uint8", "openvino")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_file_is_described_by_its_hash(make_bundle: Make, tmp_path: Path) -> None:
    manifest = make_bundle(formats=ALL_FORMATS)
    folder = tmp_path / "bundle"
    assert names(folder) == {file.path for file in manifest.files} | {"manifest.json"}
    for file in manifest.files:
        content = (folder / file.path).read_bytes()
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert file.bytes == len(content)


def test_certified_file_is_the_measured_file(make_bundle: Make, tmp_path: Path) -> None:
    manifest = make_bundle()
    assert (tmp_path / "bundle" / "model.onnx").read_bytes() == (tmp_path / "measured.onnx").read_bytes()
    assert manifest.certificates[0].model_sha256 == manifest.file("onnx").sha256
    assert manifest.file("onnx").measured_ms == 4.0


def test_every_model_file_was_run_beside_torch(make_bundle: Make) -> None:
    manifest = make_bundle(formats=ALL_FORMATS, photographs=[smooth_picture(50, 70, 5)])
    for name in ALL_FORMATS:
        file = manifest.file(name)
        assert file.executed
        assert file.parity_mask_iou is not None
        assert file.parity_mask_iou > 0.99
        if name == "onnx-uint8":
            assert file.parity_max_abs is None
        else:
            assert file.parity_max_abs is not None
            assert file.parity_max_abs < 1e-5
    assert manifest.file("openvino").path == "model.onnx"
    assert manifest.file("openvino").measured_ms is None  # certified on another runtime


def test_what_each_file_takes_is_told(make_bundle: Make, tmp_path: Path) -> None:
    class Tells(RuntimeDevice):
        def footprint(self, path: Path, inputs: dict[str, np.ndarray]) -> Footprint | None:
            self.infer(path, inputs)
            return Footprint(3.25, None, ("gpu", "cpu")) if self.name == "openvino" else None

    manifest = make_bundle(formats=ALL_FORMATS, get_device=lambda name, threads=1: Tells(name=name))
    file = manifest.file("openvino")
    assert (file.load_ms, file.peak_memory_mb, file.compute_units) == (3.25, None, ("gpu", "cpu"))
    assert (manifest.file("onnx").load_ms, manifest.file("onnx").compute_units) == (None, ())
    text = (tmp_path / "bundle" / "README.md").read_text()
    assert f"| openvino | {file.bytes:,} | loads in 3.25 ms | gpu, cpu | largest difference" in text
    assert verify_bundle(tmp_path / "bundle", measure=False, get_device=runtime_device).ok


def test_runtime_that_is_missing_is_not_claimed(make_bundle: Make) -> None:
    manifest = make_bundle(
        formats=ALL_FORMATS, get_device=lambda name, threads=1: RuntimeDevice(name=name, usable=name != "openvino")
    )
    file = manifest.file("openvino")
    assert not file.executed
    assert file.parity_mask_iou is None
    assert file.note.endswith("not executed: not installed")
    assert manifest.file("onnx").executed


def test_onnx_is_always_there(make_bundle: Make) -> None:
    manifest = make_bundle(formats=["onnx-uint8", "onnx-uint8"])
    assert [file.format for file in manifest.files][:2] == ["onnx", "onnx-uint8"]


@pytest.mark.parametrize("name", ["tflite9", "ONNX", ""])
def test_format_that_cannot_be_checked_here(make_bundle: Make, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="expected one of onnx, onnx-dynamic, onnx-uint8, onnx-fp16"):
        make_bundle(formats=["onnx", name])
    assert not (tmp_path / "bundle").exists()


def test_certificate_of_another_file(make_bundle: Make, tmp_path: Path) -> None:
    other = export_small(small_network(seed=1), tmp_path / "other.onnx")
    with pytest.raises(UserError, match="certificate: got one for a file with SHA-256"):
        make_bundle(certificates=[certificate_for(other)])
    assert not (tmp_path / "bundle").exists()


def test_model_of_another_network(make_bundle: Make, tmp_path: Path) -> None:
    other = export_small(small_network(seed=1), tmp_path / "other.onnx")
    with pytest.raises(UserError, match="the file is not of this network"):
        make_bundle(model_path=other, certificates=())


def test_file_is_exported_where_none_is_given(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle(model_path=None)  # deterministic, so the certificate fits
    assert (tmp_path / "bundle" / "model.onnx").read_bytes() == (tmp_path / "measured.onnx").read_bytes()


def test_new_bundle_replaces_the_old_one(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle(formats=ALL_FORMATS)
    make_bundle()
    assert "model_uint8.onnx" not in names(tmp_path / "bundle")
    assert names(tmp_path) == {"bundle", "measured.onnx"}


def test_failure_leaves_the_old_bundle(make_bundle: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_bundle()
    before = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("export.bundle.write.readme", full)
    with pytest.raises(UserError, match="No space left on device"):
        make_bundle(formats=ALL_FORMATS)
    assert {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()} == before
    assert names(tmp_path) == {"bundle", "measured.onnx"}


def test_rename_that_fails_brings_the_old_bundle_back(
    make_bundle: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle()
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(UserError, match="Input/output error"):
        make_bundle()
    assert "manifest.json" in names(tmp_path / "bundle")


def test_folder_with_other_things_is_not_replaced(make_bundle: Make, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="which holds something else"):
        make_bundle()
    assert names(tmp_path / "bundle") == {"thesis.tex"}


def test_photographs_do_not_enter_the_bundle(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle()
    plain = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    make_bundle(photographs=[np.full((HEIGHT, WIDTH, 3), 200, np.uint8)])
    assert (tmp_path / "bundle" / "parity.safetensors").read_bytes() == plain["parity.safetensors"]


def test_readme_for_the_person_who_deploys(make_bundle: Make, tmp_path: Path) -> None:
    manifest = make_bundle(formats=ALL_FORMATS)
    text = (tmp_path / "bundle" / "README.md").read_text()
    for word in [
        manifest.certificates[0].statement, "0 background, 1 person", "mean_iou: 0.9000 on synthetic", "letterbox",
        "mean = [0.485, 0.456, 0.406]", "latseg export run-1 --winner 2", "`model_uint8.onnx`", "1 x 3 x 32 x 48",
    ]:  # fmt: skip
        assert word in text
    make_bundle(certificates=(), quality=())
    text = (tmp_path / "bundle" / "README.md").read_text()
    assert "Not certified" in text
    assert "Not evaluated" in text


@pytest.mark.parametrize("bright", [True, False])
def test_a_difference_on_a_photograph_alone_is_noticed(make_bundle: Make, tmp_path: Path, bright: bool) -> None:
    class WrongOnWhite(RuntimeDevice):
        def infer(self, path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            (logits,) = super().infer(path, inputs)
            return [logits + np.float32(inputs["image"].mean() > 2)]

    photograph = np.full((50, 70, 3), 255 if bright else 0, np.uint8)
    settings = {"photographs": [photograph], "get_device": lambda name, threads=1: WrongOnWhite(name=name)}
    if not bright:
        make_bundle(**settings)
        return
    with pytest.raises(UserError, match="the file is not of this network"):
        make_bundle(**settings)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("size", "words"),
    [((2 * HEIGHT, WIDTH), "64 x 48"), ((HEIGHT, 2 * WIDTH), "32 x 96"), ((HEIGHT, HEIGHT), "32 x 32")],
)
def test_a_dynamic_file_is_checked_at_other_sizes(make_bundle: Make, size: tuple[int, int], words: str) -> None:
    class WrongAtOneSize(RuntimeDevice):
        def infer(self, path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            assert "dynamic" in path.name or inputs["image"].shape[2:] == (HEIGHT, WIDTH)
            (logits,) = super().infer(path, inputs)
            return [logits + np.float32(logits.shape[2:] == size)]

    with pytest.raises(UserError, match=rf"parity of model_dynamic\.onnx \(onnx-dynamic\) at {words}: "):
        make_bundle(formats=["onnx-dynamic"], get_device=lambda name, threads=1: WrongAtOneSize(name=name))


def test_parity_at_every_size_is_told(make_bundle: Make, tmp_path: Path) -> None:
    """On photographs, too: the smooth picture alone is nowhere white."""
    seen = set()

    class Sees(RuntimeDevice):
        def infer(self, path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            seen.add((inputs["image"].shape[2:], bool(inputs["image"].mean() > 2)))
            (logits,) = super().infer(path, inputs)
            return [logits + np.float32(1e-5 * logits.shape[3])]

    white = np.full((50, 50, 3), 255, np.uint8)
    make_bundle(
        formats=["onnx-dynamic"], photographs=[white], resize_policy="resize",
        get_device=lambda name, threads=1: Sees(name=name),
    )  # fmt: skip
    sizes = [(32, 48), (64, 48), (32, 96), (32, 32)]
    assert seen == {(size, bright) for size in sizes for bright in (False, True)}
    file = read_manifest(tmp_path / "bundle").file("onnx-dynamic")
    assert [(one.height, one.width) for one in file.parity_by_size] == sizes
    assert [one.max_abs for one in file.parity_by_size] == [pytest.approx(1e-5 * width, rel=0.05) for _, width in sizes]
    assert file.parity_max_abs == max(one.max_abs or 0 for one in file.parity_by_size)
    assert (
        "- At 32 x 96, `model_dynamic.onnx`: largest difference 9.6e-04, mask IoU 1.0000\n"
        in (tmp_path / "bundle" / "README.md").read_text()
    )
    assert verify_bundle(tmp_path / "bundle", get_device=runtime_device, measure=False).ok


def test_parities_by_size_belong_to_the_whole(make_bundle: Make, tmp_path: Path) -> None:
    manifest = make_bundle(formats=["onnx-dynamic"])
    file = manifest.file("onnx-dynamic")
    assert not manifest_faults(tmp_path / "bundle", manifest)
    for changed in (
        file.model_copy(update={"parity_mask_iou": 0.995}),
        manifest.file("onnx").model_copy(update={"parity_by_size": file.parity_by_size}),
        file.model_copy(update={"parity_by_size": (*file.parity_by_size, file.parity_by_size[0])}),
    ):
        files = [changed if one.path == changed.path else one for one in manifest.files]
        faults = manifest_faults(tmp_path / "bundle", manifest.model_copy(update={"files": tuple(files)}))
        told = ("parity is not the worst", "not dynamic", "one size twice")
        assert any(each in one for one in faults for each in told)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("architecture", {"space": "other"}),
        ("parameters", 7),
        ("quality", [Quality(metric="mean_f1", value=0.5, data="other")]),
        ("certificates", ()),
        ("refusals", ["cpu: too slow"]),
        ("formats", ["onnx-uint8"]),
        ("reproduce", "other command"),
        ("get_device", lambda name, threads=1: RuntimeDevice(name=name, usable=False)),
        ("classes", 3),
        ("resize_policy", "resize"),
        ("seed", 1),
    ],
)
def test_every_setting_changes_the_bundle(make_bundle: Make, tmp_path: Path, setting: str, value: object) -> None:
    make_bundle()
    before = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    make_bundle(**({"model_path": None, "certificates": ()} if setting == "classes" else {}), **{setting: value})
    after = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    assert after["manifest.json"] != before["manifest.json"]
    stored = {"architecture": "architecture", "parameters": "parameters", "reproduce": "reproduce"}.get(setting)
    if stored:
        assert json.loads(after["manifest.json"])[stored] == value
    if setting == "seed":
        assert after["parity.safetensors"] != before["parity.safetensors"]


def test_a_certificate_after_a_retry_says_so(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle()
    certificate = read_manifest(tmp_path / "bundle").certificates[0]
    retried = certificate.model_copy(update={"retry": "the middle one of 3 measurements"})
    make_bundle(certificates=[retried])
    assert "This is the middle one of 3 measurements." in (tmp_path / "bundle" / "README.md").read_text()
    content = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert content["certificates"][0]["appeal"] == "the middle one of 3 measurements"
    assert read_manifest(tmp_path / "bundle").certificates == (retried,)


def test_what_else_is_known_is_kept(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle()
    assert read_manifest(tmp_path / "bundle").task == {"task": "segmentation"}
