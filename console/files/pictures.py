"""What counts as a picture: what its bytes say, never its name."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tiff"}
"""The formats that are taken, each with the ending of its files."""
MOST_PIXELS = 40_000_000
"""A few kB can unpack into gigabytes; this many pixels fit the memory that an attempt may use."""


class NotAPicture(ValueError):
    """It cannot be used; the message says why."""


def opened(source: IO[bytes] | Path) -> Image.Image:
    """The picture, of which only the head was read. Raises `NotAPicture`."""
    try:
        image = Image.open(source, formats=tuple(ENDINGS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotAPicture(_too_large("far")) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError):
        raise NotAPicture(f"It is no picture. Taken are {', '.join(ENDINGS)}.") from None
    if image.width * image.height > MOST_PIXELS:
        raise NotAPicture(_too_large(f"{image.width} × {image.height} pixels:"))
    return image


def ending_of(stream: IO[bytes]) -> str:
    """The ending that fits what is in the stream, which is then at its beginning. Raises `NotAPicture`."""
    with opened(stream) as image:
        ending = ENDINGS[image.format or ""]
        try:
            image.verify()
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise NotAPicture(f"It is damaged: {error}.") from None
    stream.seek(0)
    return ending


def _too_large(how: str) -> str:
    return f"{how} too large. A picture may have {MOST_PIXELS // 1_000_000} million pixels.".capitalize()
