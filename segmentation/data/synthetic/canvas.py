"""The canvas of a portrait: colour and exact regions, at twice the size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Points = npt.NDArray[np.float64]
"""``n x 2`` array of x, y."""
Colour = tuple[int, int, int]
Floats = npt.NDArray[np.float32]
Region = Literal["head", "body", "hair"]

SUPERSAMPLING = 2
_MARKS: dict[Region, Colour] = {"head": (255, 0, 0), "body": (0, 255, 0), "hair": (0, 0, 255)}


@dataclass(frozen=True, slots=True)
class Frame:
    """Coordinates of a body part: origin and turn in pixels of the finished image, one unit is half a head's height."""

    origin: tuple[float, float]
    scale: float
    angle: float

    def to_pixels(self, points: Points) -> Points:
        """Points of the part in pixels of the finished image."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        turn = np.array([[cosine, sine], [-sine, cosine]]) * self.scale
        return np.asarray(points @ turn + np.array(self.origin), np.float64)

    def from_pixels(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """The inverse of ``to_pixels``, for grids of x and of y."""
        cosine, sine = math.cos(self.angle) / self.scale, math.sin(self.angle) / self.scale
        dx, dy = x - self.origin[0], y - self.origin[1]
        return (dx * cosine + dy * sine).astype(np.float32), (dy * cosine - dx * sine).astype(np.float32)


class Canvas:
    """The person on black, and the region of each pixel (one channel for each region).

    Whatever is given a region becomes part of the person, so that the mask is exact by construction; what is drawn
    without one (a shine, a button) must lie on the person already.
    """

    def __init__(self, height: int, width: int) -> None:
        size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
        self.image = Image.new("RGB", size)
        self.regions = Image.new("RGB", size)
        self._paint = ImageDraw.Draw(self.image, "RGBA")
        self._mark = ImageDraw.Draw(self.regions)

    def polygon(self, pixels: Points, colour: Colour, region: Region | None, alpha: int = 255) -> None:
        """Fills a polygon given in pixels of the finished image."""
        corners = _corners(pixels)
        self._paint.polygon(corners, fill=(*colour, alpha))
        if region is not None:
            self._mark.polygon(corners, fill=_MARKS[region])

    def erase(self, pixels: Points) -> None:
        """Takes away what was painted inside a polygon."""
        corners = _corners(pixels)
        self._paint.polygon(corners, fill=(0, 0, 0, 255))
        self._mark.polygon(corners, fill=(0, 0, 0))

    def line(self, pixels: Points, colour: Colour, width: float, region: Region | None, alpha: int = 255) -> None:
        """Draws a line, ``width`` pixels of the finished image wide."""
        corners, thick = _corners(pixels), max(1, round(width * SUPERSAMPLING))
        self._paint.line(corners, fill=(*colour, alpha), width=thick, joint="curve")
        if region is not None:
            self._mark.line(corners, fill=_MARKS[region], width=thick, joint="curve")

    def clipped(self, pixels: Points, paint: Callable[[ImageDraw.ImageDraw], None]) -> None:
        """Lets ``paint`` draw (in pixels of the doubled image) on the colour only, inside a polygon."""
        layer, inside = self.image.copy(), Image.new("L", self.image.size)
        paint(ImageDraw.Draw(layer, "RGBA"))
        ImageDraw.Draw(inside).polygon(_corners(pixels), fill=255)
        self.image.paste(layer, mask=inside)

    def finished(self) -> tuple[Floats, Floats]:
        """Colour multiplied by coverage and the coverage by region, both ``height x width x 3`` in 0..1."""
        colour = np.asarray(self.image.reduce(SUPERSAMPLING), np.float32)
        regions = np.asarray(self.regions.reduce(SUPERSAMPLING), np.float32)
        return colour / np.float32(255), regions / np.float32(255)


@dataclass(frozen=True, slots=True)
class Brush:
    """Draws on a canvas in the coordinates of a body part."""

    canvas: Canvas
    frame: Frame

    def fill(self, points: Points, colour: Colour, region: Region | None = None, alpha: int = 255) -> None:
        """Fills a polygon."""
        self.canvas.polygon(self.frame.to_pixels(points), colour, region, alpha)

    def erase(self, points: Points) -> None:
        """Takes away what was painted inside a polygon."""
        self.canvas.erase(self.frame.to_pixels(points))

    def stroke(
        self, points: Points, colour: Colour, width: float, region: Region | None = None, alpha: int = 255
    ) -> None:
        """Draws a line ``width`` units wide."""
        self.canvas.line(self.frame.to_pixels(points), colour, width * self.frame.scale, region, alpha)

    def oval(
        self, centre: tuple[float, float], radii: tuple[float, float], colour: Colour, region: Region | None = None
    ) -> None:
        """Fills an ellipse."""
        self.fill(ellipse(centre, radii), colour, region)


def ellipse(centre: tuple[float, float], radii: tuple[float, float], count: int = 28) -> Points:
    """Points on an ellipse, counted from the right over the bottom."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], 1) * radii + centre


def smooth(points: Points, *, closed: bool = True, rounds: int = 2) -> Points:
    """Rounds the corners of a polygon or line (Chaikin's corner cutting)."""
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0) if closed else points[1:]
        kept = points if closed else points[:-1]
        cut = np.stack([0.75 * kept + 0.25 * following, 0.25 * kept + 0.75 * following], 1).reshape(-1, 2)
        points = cut if closed else np.concatenate([points[:1], cut, points[-1:]])
    return points


def moved(points: Points, x: float, y: float) -> Points:
    """Points shifted to the right and down."""
    return np.asarray(points + np.array([x, y]), np.float64)


def mirrored(points: Points) -> Points:
    """A right half, top to bottom, closed with its mirror image on the left."""
    return np.concatenate([points, points[::-1] * (-1, 1)])


def shaded(colour: Colour, factor: float) -> Colour:
    """A colour made darker (factor below 1) or lighter."""
    red, green, blue = (max(0, min(255, round(value * factor))) for value in colour)
    return red, green, blue


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two; ``share`` is the second's."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _corners(pixels: Points) -> list[float]:
    # Pillow puts integer coordinates at pixel centres; ours are at the corners.
    corners: list[float] = (pixels * SUPERSAMPLING - 0.5).ravel().tolist()
    return corners
