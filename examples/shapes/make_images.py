"""Make the images of this example: coloured shapes of four classes, 32 × 32 pixels.

    python make_images.py

writes `images/CLASS/NUMBER.png`, 100 of each class. The class is the shape alone; its place, size,
turn and colour, the background and the noise vary. The same script makes the same pixels.
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE = 32
"""Side of an image, in pixels."""

PER_CLASS = 100
"""Number of images of each class."""

CORNERS = {"triangle": (3, 1.0), "square": (4, 1.0), "star": (10, 0.45), "disc": (40, 1.0)}
"""Class -> number of corners, and the radius of every second one over that of the others."""

Pixels = NDArray[np.float64]
"""An image with values from 0 to 255: (height, width, colours)."""


def main() -> None:
    """Write all images into the folder `images` beside this script."""
    random = np.random.default_rng(0)
    folder = Path(__file__).parent / "images"
    for name in CORNERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(PER_CLASS):
            draw_shape(name, random).save(folder / name / f"{number:03}.png")


def draw_shape(name: str, random: np.random.Generator) -> Image.Image:
    """Return an image of a shape; all but its class is drawn at random."""
    pixels = draw_background(random)
    mask = np.array(draw_mask(name, random), dtype=np.float64)[:, :, None] / 255
    colour = random.uniform(150, 255, 3)
    pixels = (1 - mask) * pixels + mask * colour
    pixels += random.normal(0, random.uniform(0, 25), pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def draw_background(random: np.random.Generator) -> Pixels:
    """Return a gradient between two random colours, in a random direction."""
    angle = random.uniform(0, 2 * math.pi)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1) - 0.5
    along = np.cos(angle) * columns + np.sin(angle) * rows
    first, second = random.uniform(0, 110, (2, 3))
    gradient: Pixels = first + (along[:, :, None] / math.sqrt(2) + 0.5) * (second - first)
    return gradient


def draw_mask(name: str, random: np.random.Generator) -> Image.Image:
    """Return the area of a shape, white on black, with a random place, size and turn."""
    corners, inner = CORNERS[name]
    radius = random.uniform(8, 13)
    centre = random.uniform(radius, SIDE - radius, 2)
    turn = random.uniform(-0.3, 0.3)
    angles = turn + np.arange(corners) * 2 * math.pi / corners
    radii = np.where(np.arange(corners) % 2, inner * radius, radius)
    points = centre + np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in points], fill=255)
    return mask


if __name__ == "__main__":
    main()
