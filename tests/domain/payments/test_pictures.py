"""A picture that a stranger sent: its pixels come through, and nothing else that was in the file."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zlib
from pathlib import Path

import PIL.Image
import pytest

from domain.payments.pictures import MOST_PIXELS, redrawn
from domain.payments.transfer_errors import SlipRefused
from domain.payments.transfer_rules import SLIP_BYTES
from tests.domain.payments.pictures import HTML, NO_PICTURES, SECRET, a_bomb, a_picture, a_png_with, from_a_phone

ROOT = Path(__file__).parents[3]


def opened(content: bytes) -> PIL.Image.Image:
    image = PIL.Image.open(io.BytesIO(content))
    image.load()
    return image


def why(data: bytes) -> str:
    with pytest.raises(SlipRefused) as refused:
        redrawn(data)
    return refused.value.reason


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "LA"),
        ("WEBP", "RGB"),
        ("WEBP", "RGBA"),
    ],
)
def test_every_kind_comes_out_as_a_jpeg_with_the_same_picture(kind: str, mode: str) -> None:
    found = redrawn(a_picture(kind, mode=mode))
    image = opened(found.content)
    assert (image.format, image.mode, image.size, (found.width, found.height)) == ("JPEG", "RGB", (320, 200), (320, 200))
    left, right = image.getpixel((40, 100)), image.getpixel((280, 100))
    assert max(left) < 100
    assert min(right) > 200


def test_what_is_see_through_lies_on_white() -> None:
    image = PIL.Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    out = io.BytesIO()
    image.save(out, "PNG")
    assert opened(redrawn(out.getvalue()).content).getpixel((20, 20)) == (255, 255, 255)


def test_places_notes_and_makers_are_gone_and_the_picture_stands_upright() -> None:
    sent = from_a_phone()
    assert SECRET in sent
    found = redrawn(sent)
    image = opened(found.content)
    assert image.size == (200, 320)  # it lay on its side
    assert dict(image.getexif()) == {}
    assert {"exif", "comment", "icc_profile", "xmp"} & image.info.keys() == set()
    for hidden in (SECRET, b"PhoneMaker", b"Exif", b"http"):
        assert hidden not in found.content


def test_texts_of_a_png_are_gone() -> None:
    note = zlib.compress(b"\0" + b"\xff" * 16)
    sent = a_png_with(1, 1, (b"tEXt", b"Comment\0" + SECRET), (b"eXIf", b"MM\0*" + SECRET), data=note[:0] + zlib.compress(b"\0\xff"))
    assert SECRET in sent
    assert SECRET not in redrawn(sent).content


def test_what_hangs_behind_the_picture_is_gone() -> None:
    for kind in ("JPEG", "PNG"):
        found = redrawn(a_picture(kind) + HTML + b"PK\x03\x04 a whole archive")
        assert b"<script" not in found.content
        assert b"PK\x03\x04" not in found.content


def test_a_script_inside_a_picture_is_gone() -> None:
    found = redrawn(a_picture(comment=HTML))
    assert b"script" not in found.content


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_of_the_three_kinds_is_refused(name: str) -> None:
    assert why(NO_PICTURES[name]) == "TYPE"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_half_a_file_is_refused(kind: str) -> None:
    whole = a_picture(kind, size=(640, 480))
    for part in (13, 40, len(whole) // 2, len(whole) - 30):
        assert why(whole[:part]) == "BROKEN", part


def test_a_head_without_pixels_is_refused() -> None:
    assert why(b"\xff\xd8\xff\xe0" + bytes(200)) == "BROKEN"
    assert why(a_png_with(10, 10, data=b"not compressed")) == "BROKEN"
    assert why(a_png_with(0, 10)) == "BROKEN"
    assert why(b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(40)) == "BROKEN"


def test_more_pixels_than_are_decoded_are_refused_by_what_the_head_says() -> None:
    """The data that would fill them is not even there: nothing was decoded."""
    for width, height in (
        (4_900, 4_900),
        (10_000, 10_000),
        (14_000, 14_000),
        (30_000, 30_000),
        (65_535, 65_535),
        (2**31 - 1, 2**31 - 1),
        (24_000, 1),
    ):
        assert why(a_png_with(width, height)) == "PIXELS", (width, height)


def test_a_bomb_of_a_few_kilobytes_is_refused() -> None:
    bomb = a_bomb(9_000)
    assert len(bomb) < 100_000
    assert MOST_PIXELS < 9_000**2
    assert why(bomb) == "PIXELS"


def test_a_bomb_in_a_note_is_refused_or_left_out() -> None:
    """A compressed text of 100 MB inside of a small picture."""
    text = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)
    sent = a_png_with(1, 1, (b"zTXt", text), data=zlib.compress(b"\0\xff"))
    try:
        assert len(redrawn(sent).content) < 2_000
    except SlipRefused as refused:
        assert refused.reason in ("BROKEN", "PIXELS")  # noqa: PT017


def test_a_large_picture_becomes_small_enough_and_stays_in_proportion() -> None:
    noise = PIL.Image.frombytes("RGB", (2_400, 1_200), os.urandom(2_400 * 1_200 * 3))
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=70)
    found = redrawn(out.getvalue())
    assert len(found.content) <= SLIP_BYTES
    assert found.width == 2 * found.height
    screenshot = redrawn(a_picture("PNG", size=(1_080, 2_400)))
    assert (screenshot.width, screenshot.height) == (720, 1_600)


def test_a_picture_that_moves_is_its_first_moment() -> None:
    frames = [PIL.Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    red, _, blue = opened(redrawn(out.getvalue()).content).getpixel((25, 25))
    assert red > 200
    assert blue < 60


def test_starting_up_reads_no_decoder() -> None:
    """`plusone serve` imports the API; the library of pictures is read when the first one comes."""
    code = "import sys, api.app, workers.main; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
