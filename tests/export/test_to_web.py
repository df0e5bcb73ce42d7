"""The page in a real browser: its masks are those of ONNX Runtime."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from devices.backends.web.installation import WebPackages
from devices.registry import get_device
from export.bundle.examples import smooth_picture
from export.bundle.manifest import Manifest, read_manifest
from export.bundle.segment import Segmenter
from export.bundle.verify import verify_bundle
from export.bundle.write import write_bundle
from export.parity import mean_iou
from export.to_web import WebExporter
from foundation.picture import Picture
from tests.export.chromium import PROGRAM, Page, opened, served
from tests.export.conftest import runtime_device, segmentation_source

Make = Callable[..., Manifest]
in_a_browser = pytest.mark.skipif(
    PROGRAM is None or not WebPackages().is_installed(), reason="needs chromium and `latseg install web`"
)
READY = "document.getElementById('photograph')?.disabled === false"
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture
def page() -> Iterator[Page]:
    with opened(CAMERA) as one:
        yield one


def write(folder: Path, classes: int, policy: str) -> None:
    """A network that depends on nothing but colours, so that every picture has several classes."""
    torch.manual_seed(0)
    source = segmentation_source(nn.Conv2d(3, classes, 3, padding=1), classes, resize_policy=policy)
    known = {"architecture": {"space": "other"}, "parameters": 28 * classes}
    write_bundle(folder, source, formats=["web"], get_device=runtime_device, **known)


def canvas(page: Page, name: str) -> np.ndarray:
    content = page.evaluate(f"document.getElementById('{name}').toDataURL()").partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA"))


def segmented(page: Page, photograph: Path) -> None:
    page.wait_for(READY)
    page.choose_file("#photograph", photograph)
    page.wait_for(f"document.getElementById('status').textContent.startsWith('{photograph.name}, ')")


def test_it_needs_the_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path))
    availability = WebExporter().availability()
    assert (availability.available, availability.remedy) == (False, "latseg install web")


@pytest.mark.targets
@in_a_browser
@pytest.mark.parametrize("size", [(90, 60), (25, 70), (20, 20)])
@pytest.mark.parametrize(("policy", "classes"), [("letterbox", 2), ("resize", 3)])
def test_a_photograph(page: Page, tmp_path: Path, size: tuple[int, int], policy: str, classes: int) -> None:
    write(tmp_path / "bundle", classes, policy)
    picture = smooth_picture(*size, seed=3)
    photograph = tmp_path / "photo.png"
    Image.fromarray(picture).save(photograph)
    with served(tmp_path / "bundle" / "web") as address:
        page.call("Page.navigate", url=address)
        segmented(page, photograph)
        mask, cutout = canvas(page, "mask"), canvas(page, "cutout")
        assert all(one.startswith((address, "blob:", "data:")) for one in page.fetched)
    expected = Segmenter(tmp_path / "bundle", edges="bilinear").segment(Picture(picture, None))
    labels = np.rint(mask[..., 0] / 255 * (classes - 1)).astype(np.uint8)
    assert len(np.unique(expected.labels)) == classes
    assert mean_iou([expected.labels], [labels]) > 0.995
    assert np.abs(cutout[..., 3] - 255 * expected.foreground).max() < 2
    assert not page.complaints


@pytest.mark.targets
@in_a_browser
def test_the_camera_and_what_is_no_picture(page: Page, make_bundle: Make, tmp_path: Path) -> None:
    make_bundle(formats=["web"])
    (tmp_path / "text.png").write_text("no picture")
    status = "document.getElementById('status').textContent"
    with served(tmp_path / "bundle" / "web") as address:
        page.call("Page.navigate", url=address)
        page.wait_for(READY)
        page.choose_file("#photograph", tmp_path / "text.png")
        page.wait_for(f"{status}.startsWith('text.png cannot be segmented: ')")
        page.evaluate("document.getElementById('camera').click()")
        page.wait_for(f"{status}.startsWith('Camera: ')")
        assert canvas(page, "mask").shape == (480, 640, 4)
        first = canvas(page, "cutout")
        page.wait_for(f"{status} !== {page.evaluate(status)!r}")
        assert not np.array_equal(first, canvas(page, "cutout"))
        Image.fromarray(smooth_picture(30, 20, seed=1)).save(tmp_path / "photo.png")
        segmented(page, tmp_path / "photo.png")
        assert canvas(page, "mask").shape == (30, 20, 4)  # and no picture of the camera comes behind it
        assert page.evaluate("document.getElementById('camera').getAttribute('aria-pressed')") == "false"
        assert not page.complaints


@pytest.mark.targets
@in_a_browser
def test_it_uses_threads_where_the_server_allows_them(page: Page, tmp_path: Path) -> None:
    write(tmp_path / "bundle", 2, "resize")
    Image.fromarray(smooth_picture(30, 20, seed=1)).save(tmp_path / "photo.png")
    threads = "document.getElementById('network').textContent.includes('on one thread')"
    for isolated in (False, True):
        with served(tmp_path / "bundle" / "web", isolated=isolated) as address:
            page.call("Page.navigate", url=address)
            segmented(page, tmp_path / "photo.png")
            assert page.evaluate("crossOriginIsolated") == isolated
            assert page.evaluate(threads) == (not isolated or page.evaluate("navigator.hardwareConcurrency") == 1)
    assert not page.complaints


@pytest.mark.targets
@in_a_browser
def test_its_file_is_run_in_the_browser(make_bundle: Make, tmp_path: Path) -> None:
    make_bundle(formats=["web"], get_device=get_device)
    folder = tmp_path / "bundle"
    file = read_manifest(folder).file("web")
    assert (file.path, file.device, file.executed, file.peak_memory_mb) == ("web/model.onnx", "web", True, None)
    checks = verify_bundle(folder, measure=False).checks
    assert "parity of web/model.onnx (web)" in [check.name for check in checks]
    assert all(check.ok for check in checks), checks
    (folder / "web" / "page.js").write_text("alert(1)")
    assert not verify_bundle(folder, measure=False).ok
