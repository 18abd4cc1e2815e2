"""Image files become bytes of one size, decoded by Pillow with a thread per core."""

import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training_factors.study.training.cache import cache_folder
from training_factors.study.training.large_arrays import allocate

USUAL_SIDE = 64
"""Pixels; the side of images that come in several sizes, or in one that is larger than this."""

CHUNK = 64
"""Files that a thread takes at once."""

GREY = ("1", "L", "LA", "La", "I", "F")

UNREADABLE = (
    OSError,
    EOFError,
    SyntaxError,
    TypeError,
    ValueError,
    OverflowError,
    LookupError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for broken files (seen with 90,000 damaged ones of seven formats, and kin)."""

Bytes = NDArray[np.uint8]
T = TypeVar("T")
R = TypeVar("R")


class Header(NamedTuple):
    """What an image says about itself. size: (width, height) in pixels."""

    size: tuple[int, int]
    grey: bool


def decode_images(paths: Sequence[Path], side: int | None) -> tuple[Bytes, list[bool]]:
    """The images that can be read, (images, channels, height, width), and which those are.

    Three channels, or one when all images are grey. side: of the square images, in pixels; None:
    the images' own size when it is one for all and at most 64 × 64, else 64. Images of another
    size are scaled so that they cover it, and cut to it around their centre.
    """
    with ThreadPoolExecutor() as threads:
        headers = list(_over_chunks(threads, read_header, paths))
        known = [header for header in headers if header is not None]
        size = (side, side) if side else _common_size(known)
        channels = 1 if all(header.grey for header in known) else 3
        images = allocate((len(known), channels, size[1], size[0]), cache_folder())
        hopeful = [path for path, header in zip(paths, headers, strict=True) if header is not None]
        count, read = 0, set()
        decode = partial(decode_image, channels=channels, size=size)
        for path, image in zip(hopeful, _over_chunks(threads, decode, hopeful), strict=True):
            if image is not None:
                images[count] = image
                read.add(path)
                count += 1
    return images[:count], [path in read for path in paths]


def resize(images: Bytes, side: int) -> Bytes:
    """Images (images, channels, height, width) as squares of this side, as image files are."""
    resized = np.empty((*images.shape[:2], side, side), dtype=np.uint8)
    for image, place in zip(images, resized, strict=True):
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        place[:] = _bytes(_fitted(Image.fromarray(np.ascontiguousarray(pixels)), (side, side)))
    return resized


def read_header(path: Path) -> Header | None:
    """Size and colour without decoding; None when this is no image."""
    try:
        with Image.open(path) as image:
            return Header(image.size, image.mode in GREY or image.mode.startswith("I;16"))
    except UNREADABLE:
        return None


def decode_image(path: Path, channels: int, size: tuple[int, int]) -> Bytes | None:
    """The image as (channels, height, width) of this (width, height); None when unreadable."""
    try:
        with Image.open(path) as image:
            # A JPEG file is decoded at a fraction of its size when that is still twice ours.
            image.draft(None, (2 * size[0], 2 * size[1]))
            ImageOps.exif_transpose(image, in_place=True)
            return _bytes(_fitted(_plain(image, channels), size))
    except UNREADABLE:
        return None


def _plain(image: Image.Image, channels: int) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow cuts 16 bits off at 255 instead of scaling them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("L" if channels == 1 else "RGB")


def _fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    return ImageOps.fit(image, size, Image.Resampling.BILINEAR)


def _bytes(image: Image.Image) -> Bytes:
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _common_size(headers: Sequence[Header]) -> tuple[int, int]:
    sizes = {header.size for header in headers}
    if len(sizes) == 1 and max(max(sizes)) <= USUAL_SIDE:
        return sizes.pop()
    return (USUAL_SIDE, USUAL_SIDE)


def _over_chunks(
    threads: ThreadPoolExecutor, function: Callable[[T], R], items: Sequence[T]
) -> chain[R]:
    """The function's values in order; few large tasks, since each costs as much as a header."""
    chunks = [items[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
    return chain.from_iterable(threads.map(lambda chunk: [function(i) for i in chunk], chunks))
