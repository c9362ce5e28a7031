"""Photos: every format upright with its date, and damaged files as one sentence."""

import struct
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from selfsame.core import files
from selfsame.core.errors import BadInput
from selfsame.faces import photo


def picture() -> Image.Image:
    """40 x 24, red on the left, blue on the right."""
    pixels = np.zeros((24, 40, 3), np.uint8)
    pixels[:, :20, 0], pixels[:, 20:, 2] = 220, 220
    return Image.fromarray(pixels)


def exif(*, orientation: int = 1, taken: str = "2019:07:04 15:30:00", offset: str = "+02:00") -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x0132] = "2024:01:01 00:00:00"
    tags.get_ifd(0x8769).update({0x9003: taken, 0x9011: offset})
    return tags.tobytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "heic", "avif", "tiff"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    pillow_heif.register_heif_opener()
    path = tmp_path / f"a.{suffix}"
    picture().save(path, exif=exif())
    read = photo.read(path)
    assert read.pixels.shape == (24, 40, 3) and read.pixels.dtype == np.uint8
    assert read.pixels[12, 5, 0] > 150 > read.pixels[12, 5, 2]
    assert read.taken == datetime(2019, 7, 4, 15, 30, tzinfo=timezone(timedelta(hours=2)))
    assert read.taken.astimezone(UTC).hour == 13


def test_a_turned_photo_is_read_upright(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.jpg", exif=exif(orientation=6), quality=95)
    read = photo.read(tmp_path / "a.jpg")
    assert read.pixels.shape == (40, 24, 3)
    assert read.pixels[5, 12, 0] > 150 and read.pixels[35, 12, 2] > 150


@pytest.mark.parametrize(
    ("taken", "offset", "expected"),
    [
        ("2019:07:04 15:30:00", "", datetime(2019, 7, 4, 15, 30)),
        ("2019:07:04 15:30:00", "nonsense", datetime(2019, 7, 4, 15, 30)),
        ("0000:00:00 00:00:00", "+02:00", None),
        ("soon", "", None),
    ],
)
def test_dates(tmp_path: Path, taken: str, offset: str, expected: datetime | None) -> None:
    picture().save(tmp_path / "a.jpg", exif=exif(taken=taken, offset=offset))
    assert photo.read(tmp_path / "a.jpg").taken == expected


def test_no_date_is_none(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    assert photo.read(tmp_path / "a.png").taken is None


def test_transparency_becomes_white_and_deep_grey_is_scaled(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert (photo.read(tmp_path / "a.png").pixels == 255).all()
    Image.fromarray(np.full((8, 8), 32768, np.uint16)).save(tmp_path / "b.png")
    assert abs(int(photo.read(tmp_path / "b.png").pixels[0, 0, 0]) - 127) <= 1


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "heic", "avif"])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.9])
def test_truncated_files_say_so(tmp_path: Path, suffix: str, share: float) -> None:
    pillow_heif.register_heif_opener()
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadInput, match=rf"^a\.{suffix} is "):
        photo.read(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" + bytes(50)])
def test_what_is_no_picture_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(BadInput, match=r"^a\.jpg is "):
        photo.read(tmp_path / "a.jpg")


@pytest.mark.parametrize("side", [17000, 60000])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    with pytest.raises(BadInput, match=r"more than any camera makes|more pixels than any camera"):
        photo.read(tmp_path / "a.png")


def test_the_digest_of_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.jpg cannot be opened"):
        files.digest(tmp_path / "a.jpg")
