"""Trainings as TensorBoard reads them back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import latseg
from foundation.errors import UserError
from foundation.progress import Progress
from latseg.tensorboard import TensorBoardTracker
from latseg.tracking import tracked
from search.progress import SearchProgress
from search.run_context import RunContext
from segmentation.training.checkpoint import load_checkpoint
from segmentation.training.settings import TrainSettings
from tests.latseg.conftest import DEVICE
from tests.latseg.test_cli import _one_line, document, say
from tests.latseg.test_known_networks import DATA, NETWORK, SMALL_WORDS, new_run
from tests.latseg.test_wiring import SEARCH, StopError, without_work

__all__ = ["without_work"]

Curve = list[tuple[int, float]]
TRAIN = ("train", *NETWORK, *DATA, *SMALL_WORDS)


def curves(folder: Path) -> dict[str, Curve]:
    """Steps and values of a TensorBoard run, by tag."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def write(folder: Path, *moments: Progress) -> list[Progress]:
    """Writes them; returns what was passed on."""
    told: list[Progress] = []
    with tracked(lambda: TensorBoardTracker(folder), {}, told.append) as report:
        for moment in moments:
            report(moment)
    return told


def moment(step: int, loss: float, stage: str = "teacher") -> SearchProgress:
    return SearchProgress(stage, step, 9, loss=loss)


def test_an_interrupted_training_is_one_curve(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage.startswith("train") and progress.done > progress.total // 2:
            raise KeyboardInterrupt

    run = new_run(latseg.Workspace(tmp_path / "workspace", progress=stop))
    with pytest.raises(KeyboardInterrupt):
        run.train(tensorboard=tmp_path / "logs")
    (folder,) = (tmp_path / "logs" / run.id).iterdir()
    half = curves(folder)["loss"]
    trained = latseg.Workspace(tmp_path / "workspace").run(run.id).train(tensorboard=str(tmp_path / "logs"))

    found, (_, checkpoint) = curves(folder), load_checkpoint(trained.checkpoint)
    assert folder.name == f"train {trained.trial.id}"
    assert set(found) == {"loss", "learning_rate", "mean_iou"}
    steps, per_epoch = checkpoint["step"], checkpoint["step"] // 2
    assert [step for step, _ in found["loss"]] == list(range(1, steps + 1))
    assert found["loss"][: len(half)] == half
    assert len(half) == steps // 2 + 1
    settings = TrainSettings(epochs=2)
    assert found["learning_rate"] == [
        (step + 1, pytest.approx(settings.rate(step, steps), rel=1e-6)) for step in range(steps)
    ]
    for number, loss, mean_iou in checkpoint["history"]:
        losses = [value for _, value in found["loss"][(number - 1) * per_epoch : number * per_epoch]]
        assert sum(losses) / per_epoch == pytest.approx(loss, rel=1e-6)
        assert (number * per_epoch, pytest.approx(mean_iou, rel=1e-6)) in found["mean_iou"]
    assert len(found["mean_iou"]) == 2


def test_every_stage_is_a_tensorboard_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = (*TRAIN, "--epochs", "1", "--teacher-epochs", "1", "--scene-steps", "2")
    trained = document(capsys, "--workspace", str(tmp_path / "w"), *words, "--tensorboard", str(tmp_path / "logs"))
    folder, net = tmp_path / "logs" / trained["run"], trained["winner"]
    assert {path.name for path in folder.iterdir()} == {"teacher", f"scenes {net}", f"train {net}"}
    assert [step for step, _ in curves(folder / f"scenes {net}")["loss"]] == [1, 2]
    for stage in ("teacher", f"train {net}"):
        assert set(curves(folder / stage)) == {"loss", "learning_rate", "mean_iou"}
    ((_, mean_iou),) = curves(folder / f"train {net}")["mean_iou"]
    assert mean_iou == pytest.approx(trained["quality"]["mean_iou"], rel=1e-6)


@pytest.mark.usefixtures("without_work")
def test_a_search_writes_what_it_trains(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def launch(context: RunContext, *_: object, **__: object) -> None:
        short = SearchProgress("short training 7", 3, 5, loss=0.25, learning_rate=0.5)
        context.on_progress(SearchProgress("short trainings", 1, 4, training=short))
        raise StopError

    monkeypatch.setattr("search.launch.launch", launch)
    workspace = latseg.Workspace(tmp_path / "w")

    def written(logs: str, *words: str) -> str:
        words = ("--workspace", str(workspace.path), *words, "--tensorboard", str(tmp_path / logs))
        assert say(capsys, *words)[0] == StopError.exit_code
        (folder,) = (tmp_path / logs).iterdir()
        assert curves(folder / "short training 7") == {"loss": [(3, 0.25)], "learning_rate": [(3, 0.5)]}
        return folder.name

    started = written("first", *SEARCH)
    assert workspace.runs == [started] == [written("second", "search", "--resume", started)]
    with pytest.raises(StopError):
        workspace.search(budgets={DEVICE: "2ms"}, data="synthetic:12", tensorboard=tmp_path / "third")
    assert list((tmp_path / "third").glob("*/short training 7"))


@pytest.mark.usefixtures("without_work")
@pytest.mark.parametrize(
    ("command", "replaced"), [(TRAIN, "search.winners.training.train_net"), (SEARCH, "search.launch.launch")]
)
def test_the_command_that_continues_goes_on_writing(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: tuple[str, ...],
    replaced: str,
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(replaced, interrupt)
    logs = str(tmp_path / "logs")
    _, _, err = say(capsys, "--workspace", str(tmp_path / "w"), *command, "--tensorboard", logs)
    assert err.splitlines()[-1].endswith(f" --tensorboard {logs}")


def test_a_training_that_goes_on_earlier_replaces_what_came_after(tmp_path: Path) -> None:
    write(tmp_path, *(moment(step, 1.0) for step in (1, 2, 3, 4)))
    write(tmp_path, *(moment(step, 2.0) for step in (3, 4, 5)))
    assert curves(tmp_path / "teacher")["loss"] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]


def test_moments_without_scalars_are_only_passed_on(tmp_path: Path) -> None:
    moments = [Progress("train 1", 1, 2, "loss 0.1"), SearchProgress("search", 1, 2, best_quality=0.5), moment(1, 0.5)]
    assert write(tmp_path, *moments) == moments
    assert [path.name for path in tmp_path.iterdir()] == ["teacher"]


def test_no_stage_leaves_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "logs", moment(1, 0.5, stage="../a/b"))
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["___a_b"]


def test_what_was_written_is_there_after_an_error(tmp_path: Path) -> None:
    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    tracker = tracked(lambda: TensorBoardTracker(tmp_path), {}, stop)
    with pytest.raises(KeyboardInterrupt), tracker as report:
        report(moment(1, 0.5))
    assert curves(tmp_path / "teacher")["loss"] == [(1, 0.5)]


def test_without_tensorboard_the_error_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    words = ("--workspace", str(tmp_path / "w"), *TRAIN, "--tensorboard", str(tmp_path))
    assert 'run pip install "latseg[tensorboard]"' in _one_line(capsys, 2, *words)
    assert not list(tmp_path.glob("w/runs/*")), "nothing was begun"


def test_a_folder_that_cannot_be_written_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    err = _one_line(capsys, 2, "--workspace", str(tmp_path / "w"), *TRAIN, "--tensorboard", str(file))
    assert str(file) in err
    assert "Not a directory" in err
    with monkeypatch.context() as patch:
        patch.setattr("latseg.tensorboard.os.access", lambda *_: False)
        with pytest.raises(UserError, match=r"TensorBoard folder: got .*: no permission to write"):
            write(tmp_path / "logs", moment(1, 0.5))
    (tmp_path / "logs" / "teacher").touch()
    with pytest.raises(UserError, match=r"TensorBoard folder: got .*: File exists"):
        write(tmp_path / "logs", moment(1, 0.5))
