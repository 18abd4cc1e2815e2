"""Decode image files to uint8 arrays of one size, with Pillow and a thread per core."""

import struct
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from io import BytesIO
from itertools import chain
from math import sqrt
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training_factors.storage.data_report import CONVERTED, RESIZED, WARNING, DataNote, data_note
from training_factors.study.data.cache import allocate
from training_factors.study.data.encoding import ImageEncoding

DEFAULT_SIDE = 64
"""Largest side in pixels of images that come in several sizes; images of one size have no more
pixels than a square of this side."""

WHITE, BLACK = 255, 0

SAMPLED_TRANSPARENT = 500
"""Number of transparent images that are looked at to choose what they are laid over."""

MIN_CONTRAST = 5.0
"""Mean standard deviation of grey levels below which transparent images do not show over white."""

LARGE_PIXELS = 10**8
"""Number of pixels above which an image is named as very large."""

ORIENTATION = 0x0112
"""EXIF's tag for how an image is to be turned."""

ALPHA_MODES = ("RGBA", "LA", "PA", "La", "RGBa")
"""Pillow's modes with transparent pixels."""

COMMON_FORMATS = ("JPEG", "PNG")
"""Pillow's formats that are tried first: opening 60,000 JPEG files takes half the time."""

SMALL_PIXELS = 100**2
"""Mean number of pixels of a file below which one thread decodes faster than two, which then mostly
wait for each other: 60,000 files of 32 × 32 took 12 s instead of 18 s."""

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


class StoredImage(NamedTuple):
    """Names an image file that lies inside another file. read: returns its bytes."""

    name: str
    read: Callable[[], bytes]


ImageSource = Path | StoredImage


class Header(NamedTuple):
    """Holds what the head of an image file says, before the image is decoded.

    size: (width, height) in pixels, as the image is shown. mode: Pillow's. transparent: whether it
    may have transparent pixels. turned: whether EXIF data says how to turn it. animated:
    whether it has more than one frame.
    """

    size: tuple[int, int]
    mode: str
    transparent: bool = False
    turned: bool = False
    animated: bool = False

    @property
    def is_grey(self) -> bool:
        """Return whether the image has no colour."""
        return self.mode in GREY_MODES or self.is_deep

    @property
    def is_deep(self) -> bool:
        """Return whether a pixel is a number of more than 8 bits."""
        return self.mode in ("I", "F") or self.mode.startswith("I;16")


class Conversion(NamedTuple):
    """Holds the rule by which all files of a set are converted.

    size: (width, height) in pixels. channels: 1 or 3. fit: see `options.DataOptions`. low, high:
    the values of deep images that become 0 and 255. background: grey level under transparent
    pixels.
    """

    size: tuple[int, int]
    channels: int
    fit: str = "pad"
    low: float = 0.0
    high: float = 255.0
    background: int = WHITE


class DecodedImages(NamedTuple):
    """The images of a set of files.

    images: (readable files, channels, height, width), with one channel when all are grey, else
    three. readable: for each path whether it could be read. notes: what was done to them.
    encoding: how.
    """

    images: Pixels
    readable: list[bool]
    notes: tuple[DataNote, ...]
    encoding: ImageEncoding


def decode_images(
    paths: Sequence[ImageSource], side: int | None, fit: str | None = None
) -> DecodedImages:
    """Decode the files to one array.

    side: of the square images, in pixels. None keeps the files' own size where it is the same for
        all and not too large: see `_common_size`. fit: see `options.DataOptions`; None pads.
    """
    with _without_warnings(), ThreadPoolExecutor() as threads:
        different: dict[Header | None, Header | None] = {}  # equal headers share one object
        headers = [
            different.setdefault(header, header)
            for header in _map_in_order(threads, read_header, paths)
        ]
        found = {i: header for i, header in enumerate(headers) if header is not None}
        conversion, notes = _plan_conversion(threads, paths, found, side, fit)
        width, height = conversion.size
        images = allocate((len(found), conversion.channels, height, width))
        readable = [header is not None for header in headers]
        decode = partial(decode_image, conversion=conversion)
        files = [paths[i] for i in found]
        pixels = np.mean([header.size[0] * header.size[1] for header in found.values()] or [0])
        is_small = pixels < SMALL_PIXELS
        decoded = map(decode, files) if is_small else _map_in_order(threads, decode, files)
        count = 0
        for i, image in zip(found, decoded, strict=True):
            if image is None:
                readable[i] = False
            else:
                images[count] = image
                count += 1
    encoding = ImageEncoding(conversion.fit, conversion.low, conversion.high, conversion.background)
    return DecodedImages(images[:count], readable, notes, encoding)


def is_image(path: Path) -> bool:
    """Return whether a file is an image, by its content."""
    with _without_warnings():
        return read_header(path) is not None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence Pillow, which warns about single files in its own words; notes say what matters."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        yield


def resize(
    images: Pixels, side: int, fit: str | None = None
) -> tuple[Pixels, tuple[DataNote, ...]]:
    """Resize images (images, channels, height, width) to squares, as `decode_images` does."""
    height, width = images.shape[2:]
    fit = fit or "pad"
    resized = np.empty((*images.shape[:2], side, side), dtype=np.uint8)
    for i, image in enumerate(images):
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        pillow_image = Image.fromarray(np.ascontiguousarray(pixels))
        resized[i] = _to_pixels(_fit(pillow_image, (side, side), fit))
    return resized, tuple(_size_notes([(width, height)], (side, side), fit))


def read_header(path: ImageSource) -> Header | None:
    """Read what the head of a file says, without decoding; None when the file is no image."""
    try:
        with _open(path) as image:
            # Only formats with EXIF data in their head are asked: PNG would be decoded for it.
            orientation = image.getexif().get(ORIENTATION, 1) if "exif" in image.info else 1
            width, height = image.size
            return Header(
                (height, width) if orientation in (5, 6, 7, 8) else (width, height),
                image.mode,
                image.mode in ALPHA_MODES or "transparency" in image.info,
                orientation != 1,
                getattr(image, "is_animated", False),
            )
    except UNREADABLE:
        return None


def decode_image(path: ImageSource, conversion: Conversion) -> Pixels | None:
    """Decode one file to (channels, height, width); None when it cannot be read."""
    try:
        with _open(path) as image:
            # Let the JPEG decoder downscale while the result is twice the wanted size.
            image.draft(None, (2 * conversion.size[0], 2 * conversion.size[1]))
            ImageOps.exif_transpose(image, in_place=True)
            converted = _convert_mode(image, conversion)
            return _to_pixels(_fit(converted, conversion.size, conversion.fit))
    except UNREADABLE:
        return None


def _plan_conversion(
    threads: ThreadPoolExecutor,
    paths: Sequence[ImageSource],
    headers: Mapping[int, Header],
    side: int | None,
    fit: str | None,
) -> tuple[Conversion, tuple[DataNote, ...]]:
    """Choose one conversion for all files; return it with the notes about what it does."""
    fit = fit or "pad"
    sizes = [header.size for header in headers.values()]
    size = (side, side) if side else _common_size(sizes)
    grey = all(header.is_grey for header in headers.values())
    # Images of one shape are only scaled: rounding their size must not give them borders.
    keep_shape = all(_have_same_shape(each, size) for each in sizes)
    conversion = Conversion(size, 1 if grey else 3, "stretch" if keep_shape else fit)
    deep = [paths[i] for i, header in headers.items() if header.is_deep]
    transparent = [paths[i] for i, header in headers.items() if header.transparent]
    notes = _size_notes(sizes, size, fit)
    if deep:
        ranges = [each for each in _map_in_order(threads, _value_range, deep) if each is not None]
        low, high = value_scale(ranges)
        conversion = conversion._replace(low=low, high=high)
        text = f"images of more than 8 bits: {low:g} to {high:g} become 0 to 255 in all files"
        notes.append(data_note(CONVERTED, text, [path.name for path in deep]))
    if transparent:
        background = _background(threads, transparent)
        conversion = conversion._replace(background=background)
        colour = "white" if background == WHITE else "black"
        text = f"images with transparency, laid over {colour}"
        notes.append(data_note(CONVERTED, text, [path.name for path in transparent]))
    concerns: tuple[tuple[str, Callable[[Header], bool]], ...] = (
        ("images turned as their EXIF data says", lambda header: header.turned),
        ("images with several frames: the first is used", lambda header: header.animated),
    )
    for text, is_concerned in concerns:
        names = [paths[i].name for i, header in headers.items() if is_concerned(header)]
        if names:
            notes.append(data_note(CONVERTED, text, names))
    large = [
        paths[i].name
        for i, header in headers.items()
        if header.size[0] * header.size[1] > LARGE_PIXELS
    ]
    if large:
        text = f"very large images, of more than {LARGE_PIXELS // 10**6} million pixels"
        notes.append(data_note(WARNING, text, large))
    if not grey:
        names = [paths[i].name for i, header in headers.items() if header.is_grey]
        if names:
            notes.append(data_note(CONVERTED, "grey images among others in colour", names))
    return conversion, tuple(notes)


@cache
def _formats() -> tuple[str, ...]:
    """Return Pillow's formats without EPS, for which it would start another program.

    The most common come first, since Pillow tries one after the other.
    """
    Image.init()
    others = [name for name in Image.OPEN if name not in (*COMMON_FORMATS, "EPS")]
    return (*COMMON_FORMATS, *others)


def _open(source: ImageSource) -> Image.Image:
    opened = source if isinstance(source, Path) else BytesIO(source.read())
    return Image.open(opened, formats=_formats())


def _value_range(path: ImageSource) -> tuple[float, float, bool] | None:
    """Return the least and greatest pixel, and whether pixels are whole numbers."""
    try:
        with _open(path) as image:
            pixels = np.asarray(image)
    except UNREADABLE:
        return None
    finite = pixels[np.isfinite(pixels)]
    if not finite.size:
        return None
    return float(finite.min()), float(finite.max()), pixels.dtype.kind in "iu"


def value_scale(ranges: Sequence[tuple[float, float, bool]]) -> tuple[float, float]:
    """Return the values that become 0 and 255, for all files alike.

    Whole numbers from 0 on fill the bits of their greatest: 255, 1,023, 4,095, 65,535. Floats in 0
    to 1 and in 0 to 255 are taken as such. All others are scaled from the least to the greatest.
    """
    if not ranges:
        return 0.0, 255.0
    low, high = min(each[0] for each in ranges), max(each[1] for each in ranges)
    if low < 0:
        return low, max(high, low + 1)
    if all(is_whole for *_, is_whole in ranges):
        return 0.0, float(2 ** max(8, int(high).bit_length()) - 1)
    if high <= 1:
        return 0.0, 1.0
    return (0.0, 255.0) if high <= 255 else (low, high)


def lay_over(images: Pixels) -> tuple[Pixels, str]:
    """Lay images (images, 4, height, width) over white, or over black if only that shows them.

    Return them with three channels, and the name of the colour.
    """
    alpha = images[:, 3:].astype(np.float32) / 255
    laid = [
        np.rint(images[:, :3] * alpha + level * (1 - alpha)).astype(np.uint8)
        for level in (WHITE, BLACK)
    ]
    contrasts = [float(each.mean(axis=1).std(axis=(1, 2)).mean()) for each in laid]
    level = _shows(*contrasts)
    return (laid[0], "white") if level == WHITE else (laid[1], "black")


def _shows(over_white: float, over_black: float) -> int:
    """Return the grey level over which images show, by their contrasts over both."""
    return BLACK if over_white < MIN_CONTRAST and over_black > over_white else WHITE


def _background(threads: ThreadPoolExecutor, paths: Sequence[ImageSource]) -> int:
    """Return the grey level to lay transparent images over: white, unless only black shows them."""
    some = paths[:: max(1, len(paths) // SAMPLED_TRANSPARENT)]
    contrasts = [each for each in _map_in_order(threads, _contrasts, some) if each is not None]
    if not contrasts:
        return WHITE
    return _shows(*np.mean(contrasts, axis=0))


def _contrasts(path: ImageSource) -> tuple[float, float] | None:
    """Return the standard deviation of an image's grey levels over white, and over black."""
    try:
        with _open(path) as image:
            over = [np.asarray(_opaque(image, level).convert("L")) for level in (WHITE, BLACK)]
    except UNREADABLE:
        return None
    return float(over[0].std()), float(over[1].std())


def _opaque(image: Image.Image, background: int) -> Image.Image:
    """Lay the image over a grey level, if it may have transparent pixels."""
    if image.mode not in ALPHA_MODES and "transparency" not in image.info:
        return image
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (background,) * 3 + (255,)), rgba)


def _convert_mode(image: Image.Image, conversion: Conversion) -> Image.Image:
    """Convert to 8 bits of grey or RGB."""
    if Header(image.size, image.mode).is_deep:
        # Pillow would clip such values at 255 instead of scaling them.
        span = conversion.high - conversion.low
        levels = (np.asarray(image, dtype=np.float64) - conversion.low) * (255 / span)
        levels = np.nan_to_num(levels, nan=0.0, posinf=255.0, neginf=0.0)
        image = Image.fromarray(np.rint(levels.clip(0, 255)).astype(np.uint8))
    image = _opaque(image, conversion.background)
    return image.convert("L" if conversion.channels == 1 else "RGB")


def _fit(image: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    """Bring the image to the size: with black borders, cropped at the centre, or stretched."""
    if image.size == size:
        return image
    if fit == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    if fit == "stretch":
        return image.resize(size, Image.Resampling.BILINEAR)
    return ImageOps.pad(image, size, Image.Resampling.BILINEAR)


def _have_same_shape(one: tuple[int, int], size: tuple[int, int]) -> bool:
    """Return whether two shapes are the same, but for half a pixel of either side of `size`."""
    (width, height), (new_width, new_height) = one, size
    return abs(width * new_height - height * new_width) <= 0.5 * (width + height)


def _to_pixels(image: Image.Image) -> Pixels:
    """Return the image as (channels, height, width)."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _common_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the size that all images get.

    One that all have is kept, scaled down to `DEFAULT_SIDE`² pixels in the same shape. For
    different sizes it is a square of the longest side, of `DEFAULT_SIDE` pixels at most.
    """
    different = set(sizes)
    if len(different) == 1:
        width, height = different.pop()
        factor = min(1.0, DEFAULT_SIDE / sqrt(width * height))
        return max(1, round(factor * width)), max(1, round(factor * height))
    side = min(DEFAULT_SIDE, max((max(size) for size in different), default=DEFAULT_SIDE))
    return side, side


def _size_notes(
    sizes: Sequence[tuple[int, int]], size: tuple[int, int], fit: str
) -> list[DataNote]:
    """Return a note about the change of size, if there is one."""
    counts = Counter(sizes)
    if not counts or set(counts) == {size}:
        return []
    words = {"pad": "with black borders", "crop": "cropped at the centre", "stretch": "stretched"}
    keep_shape = all(_have_same_shape(one, size) for one in counts)
    how = "in the same shape" if keep_shape else f"{words[fit]} where the shape differs"
    usual = ", ".join(f"{width} × {height}" for (width, height), _ in counts.most_common(3))
    more = f" and {len(counts) - 3} more sizes" if len(counts) > 3 else ""
    text = f"images of {usual}{more} to {size[0]} × {size[1]}, {how}"
    return [data_note(RESIZED, text)]


def _map_in_order(
    threads: ThreadPoolExecutor, function: Callable[[T], R], items: Sequence[T]
) -> chain[R]:
    """Call the function on every item in the threads; yield the results in the items' order."""
    chunks = [items[i : i + FILES_PER_TASK] for i in range(0, len(items), FILES_PER_TASK)]
    return chain.from_iterable(threads.map(lambda chunk: [function(i) for i in chunk], chunks))
