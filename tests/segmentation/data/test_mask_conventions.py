"""What masks mean is decided by colours and counts over the whole folder; what is ambiguous is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foundation.errors import UserError
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from tests.segmentation.data.drawn_pairs import SIZE, Array, Save, drawn, folder_of, grey, person

WHITE_PERSON = grey(background=0, person=255)
NUMBERS = grey(background=0, person=1)
VOID = grey(background=0, person=1, contour=255)


def palette(*colours: tuple[int, int, int], order: tuple[int, int, int] = (0, 1, 1)) -> Save:
    """Saves a palette mask; ``order`` are the indices of background, person and contour."""

    def save(mask: Array, path: Path) -> None:
        indices = np.choose(np.where(mask == 255, 2, mask), order).astype(np.uint8)
        image = Image.fromarray(indices).convert("P")
        table = np.zeros((256, 3), np.uint8)
        table[: len(colours)] = colours
        table[255] = 224, 224, 192
        image.putpalette(table.tobytes())
        image.save(path)

    return save


def colours(background: tuple[int, ...], other: tuple[int, ...]) -> Save:
    def save(mask: Array, path: Path) -> None:
        Image.fromarray(np.where(mask[..., None] > 0, np.uint8(other), np.uint8(background))).save(path)

    return save


def one_bit(mask: Array, path: Path) -> None:
    Image.fromarray(255 * person(mask)).convert("1").save(path)


def jpeg(mask: Array, path: Path) -> None:
    Image.fromarray(255 * person(mask)).save(path, "JPEG", quality=70)


def colour_jpeg(mask: Array, path: Path) -> None:
    Image.fromarray(255 * person(mask)).convert("RGB").save(path, "JPEG", quality=70)


def smoothed(mask: Array, path: Path) -> None:
    image = Image.fromarray(255 * person(mask))
    image.resize((72, 96), Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BILINEAR).save(path)


def alpha_of(colour: int) -> Save:
    def save(mask: Array, path: Path) -> None:
        Image.merge("LA", [Image.new("L", SIZE[::-1], colour), Image.fromarray(255 * person(mask))]).save(path)

    return save


def cut_out(mask: Array, path: Path) -> None:
    """White and opaque where the person is, black and clear elsewhere."""
    white = 255 * person(mask)
    Image.fromarray(np.dstack([white, white, white, white])).save(path)


def shares(mask: Array, path: Path) -> None:
    edge = np.where(np.arange(mask.shape[1]) % 2, 0.75, 0.9)
    Image.fromarray(np.where(mask == 255, edge, mask).astype(np.float32)).save(path)


def optimised(mask: Array, path: Path) -> None:
    """As an optimiser saves 0, 1 and 255: a palette of greys in the order of their counts."""
    palette((0, 0, 0), (1, 1, 1), (255, 255, 255), order=(0, 1, 2))(mask, path)


def labels(source: DataSource) -> dict[str, Array]:
    parts = (source.train, source.validation)
    return {
        part.files[index][0].stem: part[index][1].numpy()  # type: ignore[attr-defined]
        for part in parts
        for index in range(len(part))
    }


def error(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        open_source(f"folder:{folder}", size=SIZE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("save", "ending", "said"),
    [
        (WHITE_PERSON, "png", "0 background, 255 person"),
        (NUMBERS, "png", "0 background, 1 person"),
        (grey(background=0, person=65535), "png", "255 person"),
        (grey(background=0, person=200), "png", "0 background, 200 person"),
        (palette((255, 255, 255), (0, 0, 0), order=(1, 0, 0)), "png", "by grey level: 0 background, 255 person"),
        (palette((0, 0, 0), (255, 255, 255)), "png", "255 person"),
        (palette((0, 0, 0), (128, 0, 0)), "png", "by palette index: 0 background, 1 person"),
        (palette((128, 0, 0), (0, 0, 0), order=(1, 0, 0)), "png", "by colour"),
        (palette((9, 9, 9), (0, 0, 0), (255, 255, 255), order=(1, 2, 2)), "png", "by grey level"),
        (colours((0, 0, 0), (255, 0, 0)), "png", "by colour"),
        (one_bit, "png", "255 person"),
        (one_bit, "tif", "255 person"),
        (shares, "tif", "128 to 255 person"),
        (alpha_of(255), "png", "by opacity"),
        (alpha_of(0), "png", "by opacity"),
        (cut_out, "png", "by value"),
    ],
)
def test_two_classes(tmp_path: Path, save: Save, ending: str, said: str) -> None:
    source = open_source(f"folder:{folder_of(tmp_path, save, ending=ending)}", size=SIZE)
    assert said in source.notes[0]
    found = labels(source)
    assert len(found) == 6
    for name, mask in found.items():
        np.testing.assert_array_equal(mask, person(drawn(int(name[1:]))[1]))


@pytest.mark.parametrize("save", [jpeg, colour_jpeg, smoothed])
def test_greys_at_edges(tmp_path: Path, save: Save) -> None:
    for name, mask in labels(open_source(f"folder:{folder_of(tmp_path, save)}", size=SIZE)).items():
        assert (mask != person(drawn(int(name[1:]))[1])).mean() < 0.02


@pytest.mark.parametrize(
    "save",
    [
        VOID,
        grey(background=0, person=1, contour=65535),
        grey(background=0, person=255, contour=128),
        grey(background=0, person=255, contour=127),
        palette((0, 0, 0), (192, 128, 128), order=(0, 1, 255)),
        optimised,
    ],
)
def test_a_contour_without_label_is_ignored(tmp_path: Path, save: Save) -> None:
    source = open_source(f"folder:{folder_of(tmp_path, save)}", size=SIZE)
    assert "ignored" in source.notes[0]
    for name, mask in labels(source).items():
        np.testing.assert_array_equal(mask, drawn(int(name[1:]))[1])


def test_bits_and_palettes_follow_the_other_masks(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, VOID)
    one_bit(drawn(2)[1], folder / "masks" / "p2.png")
    np.testing.assert_array_equal(labels(open_source(f"folder:{folder}", size=SIZE))["p2"], person(drawn(2)[1]))


def test_a_mask_with_a_contour_only_fits_to_class_numbers(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, VOID)
    held_out = open_source(f"folder:{folder}", size=SIZE).validation.files[0][0].stem  # type: ignore[attr-defined]
    name = "p3" if held_out != "p3" else "p4"
    grey(background=0, person=0, contour=255)(drawn(3)[1], folder / "masks" / f"{name}.png")
    assert set(np.unique(labels(open_source(f"folder:{folder}", size=SIZE))[name])) == {0, 255}


@pytest.mark.parametrize(
    ("most", "one"),
    [
        (WHITE_PERSON, NUMBERS),
        (VOID, WHITE_PERSON),
        (VOID, smoothed),
        (WHITE_PERSON, VOID),
        (alpha_of(255), WHITE_PERSON),
        (alpha_of(255), cut_out),
    ],
)
def test_mixed_conventions_name_two_files(tmp_path: Path, most: Save, one: Save) -> None:
    folder = folder_of(tmp_path, most)
    one(drawn(4)[1], folder / "masks" / "p4.png")
    message = error(folder)
    assert "p4.png" in message
    assert any(f"p{number}.png" in message for number in (0, 1, 2, 3, 5))


@pytest.mark.parametrize(
    ("save", "expected"),
    [
        (grey(background=0, person=128, contour=255), "grey levels 128"),
        (grey(background=0, person=255, contour=1), None),
        (grey(background=0, person=2), "values up to 2"),
        (grey(background=0, person=15, contour=255), "values up to 15"),
        (grey(background=255, person=1, contour=255), "more pixels than 1"),
        (colours((255, 255, 255), (255, 0, 0)), "in colour"),
        (colours((0, 0, 200), (255, 0, 0)), "in colour"),
        (palette((255, 0, 0), (0, 0, 200)), "in colour"),
        (palette((0, 0, 0), (9, 9, 9), (200, 0, 0), order=(0, 2, 255)), "with indices up to 2"),
    ],
)
def test_ambiguous_masks_are_refused(tmp_path: Path, save: Save, expected: str | None) -> None:
    message = error(folder_of(tmp_path, save))
    assert (expected or "more pixels than 1") in message


def test_colours_and_opacity_that_disagree_are_refused(tmp_path: Path) -> None:
    def photograph_with_alpha(mask: Array, path: Path) -> None:
        Image.fromarray(np.dstack([drawn(0)[0], 255 * person(mask)])).save(path)

    assert "transparency" in error(folder_of(tmp_path, photograph_with_alpha))


def test_values_that_no_mask_has_are_refused(tmp_path: Path) -> None:
    def negative(mask: Array, path: Path) -> None:
        Image.fromarray(np.where(mask == 255, -1, mask.astype(np.int32))).save(path)

    assert "with the value -1" in error(folder_of(tmp_path, negative, ending="tif"))


# Class numbers

THREE = "background\nperson\nhair\n"


def three(folder: Path, save: Save, **settings: str) -> Path:
    folder_of(folder, save, **settings)  # type: ignore[arg-type]
    (folder / "classes.txt").write_text(THREE)
    return folder


@pytest.mark.parametrize(
    ("save", "ending"),
    [
        (grey(background=0, person=1, contour=2), "png"),
        (grey(background=0, person=257, contour=514), "png"),
        (palette((0, 0, 0), (128, 0, 0), (0, 128, 0), order=(0, 1, 2)), "png"),
        (palette((2, 2, 2), (1, 1, 1), (0, 0, 0), order=(2, 1, 0)), "png"),
    ],
)
def test_class_numbers(tmp_path: Path, save: Save, ending: str) -> None:
    for name, mask in labels(open_source(f"folder:{three(tmp_path, save, ending=ending)}", size=SIZE)).items():
        values = drawn(int(name[1:]))[1]
        np.testing.assert_array_equal(mask, np.where(values == 255, 2, values))


@pytest.mark.parametrize(
    ("save", "expected"),
    [
        (grey(background=0, person=1, contour=3), "value 3; expected class numbers below 3"),
        (grey(background=0, person=300, contour=514), "value 300"),
        (palette((0, 200, 0), (128, 0, 0), (0, 0, 0), order=(2, 1, 0)), "black at index 2"),
        (colours((0, 0, 0), (255, 0, 0)), "in colour"),
        (jpeg, "in JPEG"),
        (WHITE_PERSON, "no pixel of person, hair in any of the 6 masks"),
        (NUMBERS, "no pixel of hair in any of the 6 masks"),
    ],
)
def test_what_is_no_class_number_is_refused(tmp_path: Path, save: Save, expected: str) -> None:
    assert expected in error(three(tmp_path, save))


def test_palettes_that_differ_are_refused(tmp_path: Path) -> None:
    folder = three(tmp_path, palette((0, 0, 0), (128, 0, 0), (0, 128, 0), order=(0, 1, 2)))
    palette((0, 0, 0), (0, 128, 0), (128, 0, 0), order=(0, 2, 1))(drawn(4)[1], folder / "masks" / "p4.png")
    message = error(folder)
    assert "p4.png" in message
    assert "different colours" in message


# Classes that are missing


@pytest.mark.parametrize(("value", "missing"), [(0, "person"), (255, "background")])
def test_one_class_only_is_refused(tmp_path: Path, value: int, missing: str) -> None:
    folder = folder_of(tmp_path, grey(background=value, person=value))
    assert f"no pixel of {missing} in any of the 6 masks" in error(folder)


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_class_that_one_part_lacks_is_refused(tmp_path: Path, part: str) -> None:
    folder = folder_of(tmp_path, WHITE_PERSON)
    source = open_source(f"folder:{folder}", size=SIZE)
    for _, mask in (source.train if part == "training" else source.validation).files:  # type: ignore[attr-defined]
        Image.new("L", SIZE[::-1]).save(mask)
    assert f"masks of the {part} part" in error(folder)


def test_the_fingerprint_sees_how_masks_are_read_where_that_has_changed(tmp_path: Path) -> None:
    plain = open_source(f"folder:{folder_of(tmp_path / 'plain', NUMBERS)}", size=SIZE)
    void = open_source(f"folder:{folder_of(tmp_path / 'void', VOID)}", size=SIZE)
    assert plain.reading == ""
    assert void.reading == "masks by value: 0 background, 1 person, 255 unlabelled and ignored"
    assert replace(void, reading="").fingerprint != void.fingerprint


@pytest.mark.parametrize("void", [254, 240])
def test_a_label_number_for_void_that_is_not_255_is_refused(tmp_path: Path, void: int) -> None:
    folder = folder_of(tmp_path / "photos", grey(background=0, person=1, contour=void))
    with pytest.raises(UserError, match=f"with values up to {void}; expected 0 and 1, or 0 and 255"):
        open_source(f"folder:{folder}", size=SIZE)
