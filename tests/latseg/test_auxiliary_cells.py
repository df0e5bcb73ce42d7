"""The spaces ``auxiliary-cells`` and ``templates`` from the command line and from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import latseg
from tests.latseg.command_line import document, say
from tests.latseg.conftest import DEVICE

TEXT = "[[4, [0, 1, 4, 4], [2, 4, 6, 0], [6, 4, 1, 3]], [[3, 3], [1, 0], [1, 3]]]"
OTHER = "[[0, [1, 0, 3, 7], [3, 3, 2, 5], [7, 0, 3, 9]], [[3, 1], [0, 0], [5, 1]]]"
TEMPLATES = (
    "[[[3, 0, 1], [4, 1, 1], [3, 1, 1]], [[0, 1, 0, 0, 1], [2, 1, 2, 1, 0], [3, 1, 1, 1, 0], [1, 1, 2, 0, 0], "
    "[3, 0, 2, 0, 0], [5, 3, 2, 1, 0], [0, 5, 0, 1, 0]]]"
)
WORDS = ("describe", "--space", "auxiliary-cells")


def test_describe_counts_genotypes_of_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    listed = tmp_path / "genotypes.txt"
    listed.write_text(f"{TEXT}\n{OTHER}\n\n")
    full, small = (
        document(capsys, *WORDS, "--from", str(listed), "--encoder", encoder, "--classes", "17")
        for encoder in ("full", "small")
    )
    assert [row["parameters"] - row["decoder_parameters"] for row in full] == [1_812_800] * 2
    assert [row["parameters"] - row["decoder_parameters"] for row in small] == [179_848] * 2
    # Six cells of seven operations, 48 channels: four pooled or 1 x 1, two 3 x 3, a separable 5 x 5.
    cell = 4 * (48 * 48 + 96) + 2 * (9 * 48 * 48 + 96) + (25 * 48 + 48 * 48 + 96)
    around = (24 + 32 + 96 + 320) * 48 + 4 * 96 + 6 * (48 * 48 + 96) + 3 * 48 * 48 + 96 + 9 * 48 * 17 + 17
    assert full[0]["decoder_parameters"] == 6 * cell + around
    again = document(capsys, *WORDS, "--encoder", "small", "--classes", "17", small[0]["text"])
    assert again == small[:1]


def test_describe_a_genotype_at_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = document(capsys, *WORDS, TEXT, "--size", "128x128")
    assert row["input"] == [128, 128]
    code, _, err = say(capsys, *WORDS, TEXT.replace("4, [0", "12, [0"))
    assert code == 2
    assert "got 12 for the first operation" in err
    code, _, err = say(capsys, "describe", "--random", "1", "--encoder", "small")
    assert code == 2
    assert "expected options of portrait" in err


def test_describe_a_published_net_of_templates(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = document(capsys, "describe", "--space", "templates", "--classes", "19", TEMPLATES)
    assert (row["parameters"], row["parameters"] - row["decoder_parameters"]) == (280_147, 56_576)
    assert document(capsys, "describe", "--space", "templates", "--classes", "19", row["text"]) == [row]


@pytest.mark.slow
@pytest.mark.parametrize(
    "evaluator", ["training:epochs=1", pytest.param("regression:nets=4,examples=4", marks=pytest.mark.long)]
)
def test_search(workspace: Path, evaluator: str) -> None:
    run = latseg.Workspace(workspace).search(
        budgets={DEVICE: "60ms"},
        max_parameters="0.4M",
        space="auxiliary-cells:encoder=small,agg=8",
        sizes=["128x128"],
        data=latseg.DataOptions(source="synthetic:12", size=(64, 64)),
        evaluator=evaluator,
        strategy="evolution:population=4",
        trials=4,
        calibration_nets=0,
        training=latseg.TrainingOptions(scene_steps=0, batch_size=2, evaluation_images=2, threads=1),
    )
    assert len(run.trials) == 4
    assert {trial.architecture.space for trial in run.trials} == {"auxiliary-cells"}
    assert all(trial.parameters <= 400_000 for trial in run.trials)
