"""``latseg evaluate`` and ``latseg data check``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from foundation.errors import UserError
from latseg.cli import run as run_command
from latseg.run_handle import RunHandle
from segmentation.data.synthetic.source import _TEST_FIRST
from segmentation.normalisation import MEAN, STD
from tests.search.teachers import people
from tests.segmentation.data import drawn_sets
from tests.segmentation.data.drawn_pairs import HEIGHT, WIDTH, folder_of, grey

THRESHOLD = 0.35
"""Grey level, as a share of 255, between background and person of the drawn pairs."""
BYTE = "0.003921568627"
SIZE = ("--data-size", f"{HEIGHT}x{WIDTH}")


def say(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = run_command(list(map(str, words)))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    code, out, err = say(capsys, *words, "--json", "--quiet")
    assert code == 0, err
    return json.loads(out)


# data check


def test_data_check_writes_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "photos", grey(background=0, person=255), count=10)
    sheet = tmp_path / "new" / "sheet.png"
    found = document(capsys, "data", "check", f"folder:{folder}", "--sheet", sheet, *SIZE)
    assert found["usable"]
    assert found["sheet"] == str(sheet)
    with Image.open(sheet) as picture:
        assert picture.width > 500
    code, out, _ = say(capsys, "data", "check", f"folder:{folder}", "--sheet", sheet, *SIZE, "--quiet")
    assert code == 0
    assert "It can be used." in out
    assert "problem: test: no pairs" in out


def test_data_check_of_what_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, "data", "check", f"folder:{tmp_path}/gone", "--sheet", tmp_path / "s.png", "--json")
    assert code == UserError.exit_code
    assert json.loads(out)["problems"] == [
        f"data folder: got no folder {tmp_path}/gone; expected a folder of images and masks; check the path"
    ]
    assert not (tmp_path / "s.png").exists()


# The test part


def test_no_search_training_or_export_reads_the_test_part(
    finished: Path, run: RunHandle, portraits_made: set[int]
) -> None:
    assert portraits_made, "the search reads portraits"
    assert max(portraits_made) < _TEST_FIRST


# A run and a bundle


def test_a_run_and_its_bundle_have_the_same_scores(
    finished: Path, run: RunHandle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = shutil.copytree(finished, tmp_path / "workspace")
    of_run = document(capsys, "--workspace", workspace, "evaluate", run.id)
    (winner,) = of_run["models"]
    assert (of_run["data"], of_run["part"], of_run["size"]) == ("synthetic:12", "test", [64, 64])
    assert winner["pictures"] == 2
    assert 0 < winner["mean_iou"] <= 1
    assert set(winner["iou_by_class"]) == {"background", "person"}
    assert len({one["picture"] for one in winner["worst"]}) == 2
    with Image.open(winner["sheet"]) as sheet:
        assert sheet.height > 2 * 240
    assert winner["sheet"] in say(capsys, "--workspace", workspace, "evaluate", run.id)[1].replace("\n", "")
    words = ("evaluate", winner["bundle"], "--data", "synthetic:12", "--data-size", "64x64")
    (bundle,) = document(capsys, *words)["models"]
    for metric in ("mean_iou", "mean_f1", "boundary_f1"):
        assert bundle[metric] == pytest.approx(winner[metric], abs=0.05)
    (model,) = document(capsys, "evaluate", f"{winner['bundle']}/model.onnx", *words[2:])["models"]
    assert model["mean_iou"] == pytest.approx(bundle["mean_iou"], abs=1e-3)
    assert model["reading"].endswith("found out on labelled pictures: size, layout, output, values")
    error = "expected_calibration_error"
    assert bundle["calibration"][error] == pytest.approx(winner["calibration"][error], abs=0.05)
    assert model["calibration"] is None
    assert (bundle["sheet"], model["sheet"]) == (None, None)
    for one in (winner, bundle, model):
        assert sum(map(sum, one["confusion"])) == 2 * 64 * 64


def test_a_changed_bundle_is_refused(
    finished: Path, run: RunHandle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = shutil.copytree(next((finished / "runs" / run.id / "bundles").iterdir()), tmp_path / "bundle")
    (bundle / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes() + b"\0")
    code, _, err = say(capsys, "evaluate", bundle, "--data", "synthetic:8")
    assert code == UserError.exit_code
    assert "model of the bundle" in err


def test_data_of_other_classes_are_refused(
    finished: Path, run: RunHandle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = drawn_sets.celebamask(tmp_path)
    bundle = next((finished / "runs" / run.id / "bundles").iterdir())
    for target in (run.id, bundle):
        words = ("--workspace", finished, "evaluate", target, "--data", f"celebamask:{faces}", *SIZE)
        code, _, err = say(capsys, *words)
        assert code == UserError.exit_code
        assert "got 19 (background, skin" in err
        assert "expected 2, as the model has" in err
        assert document(capsys, *words[:-3], f"celebamask:{faces}?person", *SIZE)["models"][0]["pictures"] == 2


def test_a_run_without_a_trained_winner(
    finished: Path, run: RunHandle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = shutil.copytree(finished, tmp_path / "workspace")
    for path in (workspace / "runs" / run.id / "winners").iterdir():
        path.unlink()
    code, _, err = say(capsys, "--workspace", workspace, "evaluate", run.id)
    assert code == UserError.exit_code
    assert "no winner that was trained in full" in err


# ONNX files from elsewhere


def scores_model(path: Path, *, layout: str = "NCHW", sides: tuple[object, object] = (HEIGHT, WIDTH)) -> Path:
    """Scores of background and person by the grey level; the input is normalised as ImageNet's pictures are."""
    weights = np.zeros((2, 3, 1, 1), np.float32)
    weights[1, :, 0, 0] = np.array(STD) / 3
    bias = np.array([0, np.mean(MEAN) - THRESHOLD], np.float32)
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["y"])]
    return saved(path, nodes, [1, 3, *sides], [1, 2, *sides], {"w": weights, "b": bias})


def probability_model(path: Path) -> Path:
    """Height x width x 3 from 0 to 1; the answer is the probability of the person."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[3], keepdims=1),
        helper.make_node("Sub", ["m", "t"], ["d"]),
        helper.make_node("Mul", ["d", "k"], ["e"]),
        helper.make_node("Sigmoid", ["e"], ["y"]),
    ]
    constants = {"t": np.float32(THRESHOLD), "k": np.float32(50)}
    return saved(path, nodes, [1, HEIGHT, WIDTH, 3], [1, HEIGHT, WIDTH, 1], constants)


def numbers_model(path: Path) -> Path:
    """Whole numbers in, class numbers out."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["m"], axes=[3], keepdims=0),
        helper.make_node("Greater", ["m", "t"], ["g"]),
        helper.make_node("Cast", ["g"], ["y"], to=TensorProto.INT64),
    ]
    shapes = [1, HEIGHT, WIDTH, 3], [1, HEIGHT, WIDTH]
    return saved(path, nodes, *shapes, {"t": np.float32(255 * THRESHOLD)}, TensorProto.UINT8, TensorProto.INT64)


def saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    shape: list[object],
    answer: list[object],
    constants: dict[str, Any],
    kind: int = TensorProto.FLOAT,
    answer_kind: int = TensorProto.FLOAT,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", answer_kind, answer)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("photos"), grey(background=0, person=255), count=10)


@pytest.mark.parametrize(
    ("make", "reading"),
    [
        (
            scores_model,
            "layout=nchw,channels=rgb,mean=0.485/0.456/0.406,std=0.229/0.224/0.225,output=0,values=logits,person=1",
        ),
        (probability_model, "layout=nhwc,channels=rgb,mean=0/0/0,std=1/1/1,output=0,values=probabilities;"),
        (numbers_model, f"layout=nhwc,channels=rgb,mean=0/0/0,std={BYTE}/{BYTE}/{BYTE},output=0,values=probabilities;"),
    ],
)
def test_onnx_files_from_elsewhere(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Any, reading: str
) -> None:
    model = make(tmp_path / "net.onnx")
    words = ("evaluate", model, "--data", f"folder:{photos}", "--part", "train", *SIZE)
    code, out, err = say(capsys, *words, "--json")
    assert code == 0, err
    (scores,) = json.loads(out)["models"]
    assert scores["mean_iou"] == pytest.approx(1)
    assert scores["boundary_f1"] == pytest.approx(1)
    assert scores["reading"].startswith(f"size=48x36,{reading}")
    assert ("--normalise sets it" in err) == (make is not numbers_model)
    code, out, _ = say(capsys, *words, "--quiet")
    assert code == 0
    assert "train part of folder:" in out
    assert "Worst pictures" in out


def test_a_stated_normalisation_is_no_guess(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("evaluate", scores_model(tmp_path / "net.onnx"), "--data", f"folder:{photos}", "--part", "train", *SIZE)
    right = document(capsys, *words, "--normalise", "imagenet")["models"][0]
    wrong = document(capsys, *words, "--normalise", "0..255")["models"][0]
    assert right["mean_iou"] == pytest.approx(1)
    assert wrong["mean_iou"] < 0.9
    assert right["reading"].endswith("found out on labelled pictures: size, layout, channels, output, values, person")


def test_open_sides_are_those_of_the_data_in_steps_of_32(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = scores_model(tmp_path / "net.onnx", sides=("height", "width"))
    found = document(capsys, "evaluate", model, "--data", f"folder:{photos}", "--part", "train", "--data-size", "40x30")
    assert found["models"][0]["reading"].startswith("size=64x32,")


def test_the_colours_and_the_channel_of_the_person_are_found_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = people.folder(tmp_path / "photos", count=10)
    net = people.teacher(tmp_path / "net.onnx", normalisation=people.BYTES, channels="bgr", classes=21, person=15)
    model = onnx.load(net)
    model.producer_name = "elsewhere"
    onnx.save(model, net)
    (found,) = document(
        capsys, "evaluate", net, "--data", f"folder:{photos}", "--part", "train", "--data-size", "32x32"
    )["models"]
    assert "channels=bgr," in found["reading"]
    assert "person=15;" in found["reading"]
    assert found["mean_iou"] > 0.99


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--data", "DATA"), "no pairs"),
        (("--data", "DATA", "--part", "tests"), "--part: got 'tests'"),
        (("--data", "DATA", "--normalise", "other"), "--normalise: got 'other'; expected one of 0..1"),
        ((), "--data: got nothing"),
    ],
)
def test_what_is_refused(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: str
) -> None:
    given = [word.replace("DATA", f"folder:{photos}") for word in words]
    code, _, err = say(capsys, "evaluate", scores_model(tmp_path / "net.onnx"), *given, *SIZE)
    assert code == UserError.exit_code
    assert expected in err


def test_a_normalisation_that_is_not_needed_is_checked(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("evaluate", numbers_model(tmp_path / "net.onnx"), "--data", f"folder:{photos}", "--part", "train", *SIZE)
    code, _, err = say(capsys, *words, "--normalise", "nonsense")
    assert code == UserError.exit_code
    assert "--normalise: got 'nonsense'" in err


def test_models_that_segment_no_pictures(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--data", f"folder:{photos}", "--part", "train", *SIZE)
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    code, _, err = say(capsys, "evaluate", saved(tmp_path / "a.onnx", relu, [1, 8], [1, 8], {}), *words)
    assert code == UserError.exit_code
    assert "expected one picture" in err
    shape, mean = [1, 3, HEIGHT, WIDTH], [helper.make_node("GlobalAveragePool", ["x"], ["y"])]
    code, _, err = say(capsys, "evaluate", saved(tmp_path / "b.onnx", mean, shape, [1, 3, 1, 1], {}), *words)
    assert code == UserError.exit_code
    assert f"model {tmp_path}/b.onnx: got no output that is a map of classes" in err
    assert "FILE:size" not in err, "evaluate takes no keys of a teacher"
    model = onnx.load(saved(tmp_path / "d.onnx", relu, shape, shape, {}))
    model.producer_name = "latseg"
    onnx.save(model, tmp_path / "d.onnx")
    code, _, err = say(capsys, "evaluate", tmp_path / "d.onnx", *words)
    assert code == UserError.exit_code
    assert "got 3 channels; expected 2, one for each class" in err
    (tmp_path / "c.onnx").write_bytes(b"no model")
    assert say(capsys, "evaluate", tmp_path / "c.onnx", *words)[0] == UserError.exit_code
    assert say(capsys, "--workspace", tmp_path, "evaluate", "no-such-run")[0] == UserError.exit_code
