"""Photos: every format upright with its date, and damaged files as one sentence."""

import struct
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

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


def deep_ramp() -> np.ndarray:
    """16-bit RGB (8, 64, 3): red rises from black to white, green falls, blue rises to the half."""
    up = np.tile(np.linspace(0, 65535, 64), (8, 1))
    return np.stack([up, 65535 - up, up / 2], -1).astype(np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("channels", ["grey", "colour", "with alpha"])
def test_sixteen_bits_become_eight_without_clipping(tmp_path: Path, suffix: str, channels: str) -> None:
    deep = deep_ramp()
    written = {
        "grey": deep[..., 0],
        "colour": deep[..., ::-1],
        "with alpha": np.dstack([deep[..., ::-1], np.full((8, 64), 65535, np.uint16)]),
    }
    path = tmp_path / f"a.{suffix}"
    assert cv2.imwrite(str(path), written[channels])
    expected = deep / 257 if channels != "grey" else np.repeat(deep[..., :1], 3, -1) / 257
    assert np.abs(photo.read(path).pixels - expected).max() <= 1


@pytest.mark.parametrize(
    ("kind", "white"),
    [(np.float32, 1.0), (np.float32, 255.0), (np.float32, 65535.0), (np.int32, 65535), (np.int32, 2**31 - 1)],
)
def test_deep_grey_tiffs_are_scaled_to_their_white(tmp_path: Path, kind: type, white: float) -> None:
    up = np.tile(np.linspace(0, 1, 64), (8, 1))
    Image.fromarray((up * white).astype(kind)).save(tmp_path / "a.tiff")
    assert np.abs(photo.read(tmp_path / "a.tiff").pixels[..., 1] - 255 * up).max() <= 1.01


def test_values_that_are_no_light_become_black(tmp_path: Path) -> None:
    values = np.full((4, 4), 0.5, np.float32)
    values[0, 0], values[1, 1], values[2, 2] = np.nan, np.inf, -3.0
    Image.fromarray(values).save(tmp_path / "a.tiff")
    pixels = photo.read(tmp_path / "a.tiff").pixels[..., 0]
    assert [pixels[i, i] for i in range(4)] == [0, 0, 0, 127]


def test_deep_colours_plane_by_plane_are_refused(tmp_path: Path) -> None:
    """Pillow would hand out other pixels."""
    header = struct.pack("<2sHI", b"II", 42, 8)
    tags = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 3, 140)]
    tags += [(277, 3, 1, 3), (278, 3, 1, 8), (279, 4, 3, 152), (284, 3, 1, 2)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    assert len(header + directory) == 134
    rest = struct.pack("<3H3I3I", 16, 16, 16, 164, 292, 420, 128, 128, 128)
    (tmp_path / "a.tiff").write_bytes((header + directory + rest).ljust(164, b"\0") + bytes(range(128)) * 3)
    with pytest.raises(BadInput, match=r"^a\.tiff stores deep colours plane by plane"):
        photo.read(tmp_path / "a.tiff")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK", "RGBA", "PA"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    suffix = "png" if mode in ("1", "L", "P", "LA", "RGBA") else "tiff"
    if mode == "PA":
        made, suffix = picture().quantize(4), "png"
        made.info["transparency"] = bytes([255] * 4)
    else:
        made = picture().convert(mode)
    made.save(tmp_path / f"a.{suffix}")
    pixels = photo.read(tmp_path / f"a.{suffix}").pixels
    assert pixels.shape == (24, 40, 3) and pixels.dtype == np.uint8
    if mode not in ("1", "L", "LA"):
        assert pixels[12, 5, 0] > 150 > pixels[12, 5, 2] and pixels[12, 35, 2] > 150 > pixels[12, 35, 0]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_profile_is_applied_with_and_without_transparency(tmp_path: Path, mode: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Swap the colorants of red and blue: a reader that follows the profile swaps the channels.
    swapped = profile.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")
    picture().convert(mode).save(tmp_path / "a.png", icc_profile=swapped)
    pixels = photo.read(tmp_path / "a.png").pixels
    assert pixels[12, 5, 2] > 150 > pixels[12, 5, 0]


def test_no_program_inside_a_file_is_run(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(BadInput, match="not a picture of a known format"):
        photo.read(tmp_path / "a.jpg")


def test_a_date_in_xmp_stands_in_for_exif(tmp_path: Path) -> None:
    packet = (
        b'<rdf:Description xmp:CreateDate="2024-01-01T00:00:00" photoshop:DateCreated="2019-07-04T15:30:00+02:00"/>'
    )
    picture().save(tmp_path / "a.webp", xmp=packet)
    assert photo.read(tmp_path / "a.webp").taken == datetime(2019, 7, 4, 15, 30, tzinfo=timezone(timedelta(hours=2)))
    picture().save(tmp_path / "b.webp", xmp=packet, exif=exif(taken="2018:07:04 15:30:00", offset=""))
    assert photo.read(tmp_path / "b.webp").taken == datetime(2018, 7, 4, 15, 30)
    picture().save(tmp_path / "c.webp", xmp=b"<exif:DateTimeOriginal>0000-00-00T00:00</exif:DateTimeOriginal>")
    assert photo.read(tmp_path / "c.webp").taken is None


NOON = datetime(2019, 7, 5, 12, 30, 11)


@pytest.mark.parametrize(
    ("stem", "made"),
    [
        *((stem, NOON) for stem in (
            "IMG_20190705_123011", "IMG_20190705_123011~2", "IMG_20190705_123011123_HDR", "PXL_20190705_123011123.MP",
            "PXL_20190705_123011123.PORTRAIT-01.COVER", "20190705_123011", "20190705_123011(0)", "IMG20190705123011",
            "2019-07-05 12.30.11", "2019-07-05 12.30.11-1", "Screenshot_2019-07-05-12-30-11_com.whatsapp",
            "Screenshot_20190705-123011", "signal-2019-07-05-12-30-11-123", "photo_2019-07-05_12-30-11",
            "WhatsApp Image 2019-07-05 at 12.30.11", "WP_20190705_12_30_11_Pro", "VID_20190705_123011",
        )),
        *((stem, datetime(2019, 7, 5)) for stem in (
            "IMG-20190705-WA0001", "IMG-20190705-WA0001 (1)", "2019-07-05", "Screenshot 2019-07-05 at 1.30.11 PM",
        )),
        *((stem, None) for stem in (
            "IMG_1234", "DSC01234", "20190705", "20190705123011", "IMG_20190705", "IMG_20191305_123011",
            "IMG_20190705_256011", "IMG_20190705_123011456789", "IMG_20990705_123011", "IMG_19890705_123011",
            "10219384_20190705_123011", "FB_IMG_1562329811000", "scan_2019-07-05", "2019-07-05 12.30.11 scan",
            "img20190705_12301111", "2019-07-05 birthday", "",
        )),
    ],
)  # fmt: skip
def test_dates_of_names(stem: str, made: datetime | None) -> None:
    assert photo.date_of_name(stem) == made


def test_bare_numbers_are_no_dates() -> None:
    for seed, prefix in enumerate(["", "IMG_", "DSC", "P"] * 500):
        g = np.random.default_rng(seed)
        digits = "".join(str(d) for d in g.integers(0, 10, g.integers(1, 18)))
        assert photo.date_of_name(f"{prefix}{digits}") is None


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
