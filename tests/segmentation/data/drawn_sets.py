"""Small data sets in the layouts of public ones: noise as pictures, bands or rectangles as masks."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

HEIGHT, WIDTH = 48, 36
Array = npt.NDArray[np.uint8]


def picture(number: int, height: int = HEIGHT, width: int = WIDTH) -> Array:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(pixels: Array, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def bands(classes: int, height: int = HEIGHT, width: int = WIDTH) -> Array:
    """Every class in a band of its own, from top to bottom."""
    return np.repeat((np.arange(height) * classes // height).astype(np.uint8)[:, None], width, 1)


def write_lines(path: Path, lines: Iterable[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(str, lines)) + "\n")
    return path


# CelebAMask-HQ

CELEBA_PARTS = (
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip", "hair",
    "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
CELEBA_ORIGINALS = [*range(1, 9), 162_770, 162_771, 182_637, 182_638, 202_599]
"""Numbers in CelebA: nine of the training part, two of validation, two of test."""


def celebamask(folder: Path, originals: Sequence[int] = CELEBA_ORIGINALS) -> Path:
    """Pictures of twice the size of their masks; masks as RGB files."""
    mask = bands(19, 38, 38)
    for number, _ in enumerate(originals):
        save(picture(number, 76, 76), folder / "CelebA-HQ-img" / f"{number}.jpg")
        for label, part in enumerate(CELEBA_PARTS, start=1):
            pixels = np.repeat(np.uint8(255) * (mask == label)[..., None], 3, 2).astype(np.uint8)
            save(pixels, folder / "CelebAMask-HQ-mask-anno" / str(number // 5) / f"{number:05}_{part}.png")
    heading = "idx          orig_idx   orig_file"
    lines = [f"{number}  {original - 1}  {original:06}.jpg" for number, original in enumerate(originals)]
    write_lines(folder / "CelebA-HQ-to-CelebA-mapping.txt", [heading, *lines])
    return folder


# EG1800


def eg1800(folder: Path, train: int = 12, test: int = 3) -> Path:
    for number in range(train + test):
        save(picture(number), folder / "Images" / f"{number:05}.png")
        save(bands(2), folder / "Labels" / f"{number:05}.png")
    write_lines(folder / "eg1800_train.txt", [f"{number:05}.png" for number in range(train)])
    write_lines(folder / "eg1800_test.txt", [f"{number:05}.png" for number in range(train, train + test)])
    return folder


# HELEN


def helen(folder: Path, counts: Sequence[int] = (5, 2, 3)) -> Path:
    mask, number = bands(11), 0
    for name, count in zip(("exemplars", "tuning", "testing"), counts, strict=True):
        lines = []
        for _ in range(count):
            stem = f"{100 + number}_1"
            save(picture(number), folder / "images" / f"{stem}.jpg")
            for label in range(11):
                soft = np.where(mask == label, 140, 115 if label == 0 else 0).astype(np.uint8)
                save(soft, folder / "labels" / stem / f"{stem}_lbl{label:02}.png")
            lines.append(f"{number + 1} , {stem}")
            number += 1
        write_lines(folder / f"{name}.txt", lines)
    return folder


# Pascal VOC


def voc(folder: Path, train: int = 8, val: int = 3, test: int = 0) -> Path:
    """Class 15 (person) is one of 21 bands; the last column has no label. Of ``test`` only the pictures are there."""
    mask = bands(21, 63, 40)
    mask[:, -1] = 255
    names = [f"2007_{number:06}" for number in range(train + val + test)]
    for number, name in enumerate(names):
        save(picture(number, 63, 40), folder / "JPEGImages" / f"{name}.jpg")
        if number < train + val:
            image = Image.fromarray(mask)
            image.putpalette([level for index in range(256) for level in (index, index * 7 % 256, index * 13 % 256)])
            (folder / "SegmentationClass").mkdir(exist_ok=True)
            image.save(folder / "SegmentationClass" / f"{name}.png")
    lists = folder / "ImageSets" / "Segmentation"
    write_lines(lists / "train.txt", names[:train])
    write_lines(lists / "val.txt", names[train : train + val])
    write_lines(lists / "test.txt", names[train + val :])
    return folder


# COCO


def rectangle(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def coco_document(names: Sequence[str], outlines: Sequence[Any] = ()) -> dict[str, Any]:
    """A person in each picture: the outline of its number, or a rectangle."""
    images = [{"id": 7 + n, "file_name": name, "height": HEIGHT, "width": WIDTH} for n, name in enumerate(names)]
    objects = [
        {
            "id": number,
            "image_id": 7 + number,
            "category_id": 1,
            "iscrowd": 0,
            "segmentation": outlines[number] if number < len(outlines) else [rectangle(4, 6, 20, 40)],
        }
        for number in range(len(names))
    ]
    categories = [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}]
    return {"info": {}, "images": images, "annotations": objects, "categories": categories}


def coco(folder: Path, train: int = 8, val: int = 3) -> Path:
    number = 0
    for part, count in (("train2017", train), ("val2017", val)):
        names = [f"{number + place:012}.jpg" for place in range(count)]
        for name in names:
            save(picture(number), folder / part / name)
            number += 1
        write_json(folder / "annotations" / f"instances_{part}.json", coco_document(names))
        write_json(folder / "annotations" / f"captions_{part}.json", {"images": []})
    return folder


def write_json(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


# Supervisely


def bitmap(pixels: npt.NDArray[np.bool_], origin: tuple[int, int]) -> dict[str, Any]:
    """As Supervisely writes it: a palette PNG whose first colour is transparent."""
    image = Image.fromarray(pixels.astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    data = base64.b64encode(zlib.compress(buffer.getvalue())).decode()
    return {"data": data, "origin": list(origin)}


def supervisely_object(title: str, **geometry: Any) -> dict[str, Any]:
    empty = {"bitmap": None, "points": {"exterior": [], "interior": []}}
    return {"id": 1, "tags": [], "classTitle": title, **empty, **geometry}


def supervisely_document(*objects: dict[str, Any], height: int = HEIGHT, width: int = WIDTH) -> dict[str, Any]:
    return {"description": "", "tags": [], "size": {"height": height, "width": width}, "objects": list(objects)}


SUPERVISELY_META = {
    "classes": [
        {"title": "person_bmp", "shape": "bitmap", "color": "#F6FF00"},
        {"title": "person_poly", "shape": "polygon", "color": "#00FF06"},
        {"title": "neutral", "shape": "polygon", "color": "#FF0000"},
        {"title": "face", "shape": "rectangle", "color": "#FF0000"},
    ],
    "tags": [],
}


def supervisely(folder: Path, train: int = 8, test: int = 3) -> Path:
    write_json(folder / "meta.json", SUPERVISELY_META)
    person = supervisely_object("person_bmp", bitmap=bitmap(np.ones((20, 10), bool), (5, 8)))
    for part, numbers in (("train", range(train)), ("test", range(train, train + test))):
        for number in numbers:
            save(picture(number), folder / part / "img" / f"{number}.jpg")
            write_json(folder / part / "ann" / f"{number}.jpg.json", supervisely_document(person))
    return folder
