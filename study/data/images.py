"""Decode image files to uint8 arrays of one size, with Pillow and a thread per core."""

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

from training_factors.study.data.cache import allocate

DEFAULT_SIDE = 64
"""Side in pixels of images that come in several sizes, or in one size larger than this."""

FILES_PER_TASK = 64
"""Number of files in a task of a thread; a task per file would cost as much as its header."""

GREY_MODES = ("1", "L", "LA", "La", "I", "F")
"""Pillow's modes of images without colour, besides those of 16 bits."""

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
"""Errors that Pillow raises for damaged files: those seen with 90,000 damaged files of seven
formats, and related ones."""

Pixels = NDArray[np.uint8]
T = TypeVar("T")
R = TypeVar("R")


class Header(NamedTuple):
    """Size, as (width, height) in pixels, and colour of an image that is not decoded yet."""

    size: tuple[int, int]
    grey: bool


def decode_images(paths: Sequence[Path], side: int | None) -> tuple[Pixels, list[bool]]:
    """Decode the files to one array; return it, and for each path whether it could be read.

    The array is (readable files, channels, height, width) with one channel when all images are
    grey, else three.

    side: of the square images, in pixels. None keeps the files' own size when it is the same for
        all and at most `DEFAULT_SIDE`, else `DEFAULT_SIDE` is used. Other images are scaled until
        they cover the square and cropped at the centre.
    """
    with ThreadPoolExecutor() as threads:
        headers = list(_map_in_order(threads, read_header, paths))
        valid_headers = [header for header in headers if header is not None]
        size = (side, side) if side else _common_size(valid_headers)
        channels = 1 if all(header.grey for header in valid_headers) else 3
        images = allocate((len(valid_headers), channels, size[1], size[0]))
        readable = [header is not None for header in headers]
        candidates = [i for i, header in enumerate(headers) if header is not None]
        decode = partial(decode_image, channels=channels, size=size)
        decoded = _map_in_order(threads, decode, [paths[i] for i in candidates])
        count = 0
        for i, image in zip(candidates, decoded, strict=True):
            if image is None:
                readable[i] = False
            else:
                images[count] = image
                count += 1
    return images[:count], readable


def resize(images: Pixels, side: int) -> Pixels:
    """Resize images (images, channels, height, width) to squares, as `decode_images` does."""
    resized = np.empty((*images.shape[:2], side, side), dtype=np.uint8)
    for i, image in enumerate(images):
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        pillow_image = Image.fromarray(np.ascontiguousarray(pixels))
        resized[i] = _to_pixels(_fit(pillow_image, (side, side)))
    return resized


def read_header(path: Path) -> Header | None:
    """Read size and colour without decoding; None when the file is no image."""
    try:
        with Image.open(path) as image:
            return Header(image.size, image.mode in GREY_MODES or image.mode.startswith("I;16"))
    except UNREADABLE:
        return None


def decode_image(path: Path, channels: int, size: tuple[int, int]) -> Pixels | None:
    """Decode one file to (channels, height, width); None when it cannot be read.

    channels: 1 or 3. size: (width, height) in pixels.
    """
    try:
        with Image.open(path) as image:
            # Let the JPEG decoder downscale as long as the result is twice the wanted size.
            image.draft(None, (2 * size[0], 2 * size[1]))
            ImageOps.exif_transpose(image, in_place=True)
            return _to_pixels(_fit(_convert_mode(image, channels), size))
    except UNREADABLE:
        return None


def _convert_mode(image: Image.Image, channels: int) -> Image.Image:
    """Convert to 8 bits of grey or RGB."""
    if image.mode.startswith("I;16"):
        # Pillow would clip 16-bit values at 255 instead of scaling them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("L" if channels == 1 else "RGB")


def _fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale the image until it covers the size, and crop it at the centre."""
    if image.size == size:
        return image
    return ImageOps.fit(image, size, Image.Resampling.BILINEAR)


def _to_pixels(image: Image.Image) -> Pixels:
    """Return the image as (channels, height, width)."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _common_size(headers: Sequence[Header]) -> tuple[int, int]:
    sizes = {header.size for header in headers}
    if len(sizes) == 1 and max(max(sizes)) <= DEFAULT_SIDE:
        return sizes.pop()
    return (DEFAULT_SIDE, DEFAULT_SIDE)


def _map_in_order(
    threads: ThreadPoolExecutor, function: Callable[[T], R], items: Sequence[T]
) -> chain[R]:
    """Call the function on every item in the threads; yield the results in the items' order."""
    chunks = [items[i : i + FILES_PER_TASK] for i in range(0, len(items), FILES_PER_TASK)]
    return chain.from_iterable(threads.map(lambda chunk: [function(i) for i in chunk], chunks))
