"""Pictures that strangers send, drawn anew: what is kept is a JPEG of ours with their pixels and nothing else of theirs.

The type is read from the first bytes, never from a name or a header. Pillow is given that one decoder; how many pixels there are is read from
the picture's head before anything is decoded. Whatever else was in the file (places, thumbnails, comments, a second file behind the first) is
not copied. The decoder is imported when the first picture comes.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from domain.payments.transfer_errors import SlipRefused
from domain.payments.transfer_rules import SLIP_BYTES

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS: Final = 24_000_000
"""Decoded they are 100 MB at most; a phone's photograph has 12 million."""
LONGEST_SIDE: Final = 12_000
KEPT_SIDES: Final = (1_600, 1_200, 800)
"""Longest sides tried in turn until the picture is small enough."""
QUALITIES: Final = (80, 60)


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG of ours."""

    content: bytes
    width: int
    height: int


def sniffed(data: bytes) -> str | None:
    """The decoder for these bytes: JPEG, PNG or WEBP; None for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    return "WEBP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def redrawn(data: bytes) -> Picture:
    """The picture as it is kept: upright, on white, at most 1,600 pixels long, at most SLIP_BYTES.

    Takes up to a second of a processor; call it in a thread.

    Raises:
        SlipRefused: TYPE no picture of these three kinds; PIXELS more of them than are decoded; BROKEN it cannot be decoded whole.
    """
    kind = sniffed(data)
    if kind is None:
        raise SlipRefused("TYPE")
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(data), formats=(kind,)) as image:
            width, height = image.size
            if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
                raise SlipRefused("PIXELS")
            return _kept(_upright(image))
    except (SlipRefused, MemoryError):
        raise
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        raise SlipRefused("PIXELS") from None
    except Exception:  # a decoder's complaints are of many kinds, and hold what was sent
        raise SlipRefused("BROKEN") from None


def _upright(image: Image) -> Image:
    """Its first frame in RGB on white, turned as its maker meant it."""
    import PIL.Image
    import PIL.ImageOps

    image.draft("RGB", (KEPT_SIDES[0], KEPT_SIDES[0]))  # a JPEG is decoded smaller where that is enough
    image.load()
    turned = image
    with suppress(Exception):  # what says how to turn it may be nonsense beside good pixels
        turned = PIL.ImageOps.exif_transpose(image)
    see_through = "transparency" in turned.info or turned.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    plain = turned.convert("RGBA" if see_through else "RGB")
    plain.thumbnail((KEPT_SIDES[0], KEPT_SIDES[0]), PIL.Image.Resampling.LANCZOS)
    paper = PIL.Image.new("RGB", plain.size, "white")  # a new picture: nothing but pixels comes along
    paper.paste(plain, mask=plain.getchannel("A") if see_through else None)
    return paper


def _kept(image: Image) -> Picture:
    for side in KEPT_SIDES:
        image.thumbnail((side, side))
        for quality in QUALITIES:
            out = io.BytesIO()
            image.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= SLIP_BYTES:
                return Picture(out.getvalue(), *image.size)
    raise SlipRefused("PIXELS")
