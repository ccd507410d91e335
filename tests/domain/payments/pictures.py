"""Pictures as strangers send them: good ones of every kind, and bad ones of every kind."""

from __future__ import annotations

import io
import struct
import zlib

import PIL.Image
import PIL.ImageDraw

SECRET = b"GPS 25.0478N 121.5170E and a note"


def a_picture(kind: str = "JPEG", size: tuple[int, int] = (320, 200), mode: str = "RGB", **how: object) -> bytes:
    """A picture with a dark left half and something to see."""
    image = PIL.Image.new("RGB", size, (250, 250, 240))
    PIL.ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2, size[1]), fill=(20, 40, 60))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **how)
    return out.getvalue()


def from_a_phone(size: tuple[int, int] = (320, 200), orientation: int = 6) -> bytes:
    """A photograph that says where it was taken, by what, and that it lies on its side."""
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x9286] = orientation, "PhoneMaker", SECRET
    exif.get_ifd(0x8825)[2] = (25.0, 2.0, 52.0)
    return a_picture(size=size, exif=exif, comment=SECRET, icc_profile=b"profile " + SECRET)


def a_png_with(width: int, height: int, *chunks: tuple[bytes, bytes], data: bytes = b"") -> bytes:
    """A PNG that claims this size; `data` is its compressed pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunk(*each) for each in chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def a_bomb(side: int) -> bytes:
    """A small file of a black square with so many pixels a side, whole and correct."""
    return a_png_with(side, side, data=zlib.compress(b"\0" * (side * (side + 1)), 9))


HTML = b"<!doctype html><script>alert(document.domain)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
NO_PICTURES: dict[str, bytes] = {
    "empty": b"",
    "html": HTML,
    "svg": SVG,
    "xml": b'<?xml version="1.0"?>' + SVG,
    "gif": b"GIF89a" + bytes(60),
    "bmp": b"BM" + bytes(60),
    "tiff": b"II*\0" + bytes(60),
    "pdf": b"%PDF-1.7\n",
    "zip": b"PK\x03\x04" + bytes(60),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "heic": b"\0\0\0\x18ftypheic" + bytes(60),
    "html before a picture": HTML + a_picture(),
    "a form": b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + a_picture() + b"\r\n--x--",
    "riff that is a sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "half a signature": b"\x89PNG\r\n",
}
