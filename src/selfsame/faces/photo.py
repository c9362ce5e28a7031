"""Photos of users: read safely, upright, in sRGB, with the date they were taken."""

import io
import re
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from jaxtyping import Num, UInt8
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from selfsame.core.errors import BadInput

# Pillow knows more, among them EPS, which it hands to Ghostscript: a program inside a file would be run.
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "GIF", "BMP")
MAX_PIXELS = 250_000_000  # above the largest phone sensor (200 MP); a bomb of 40 kB can claim far more
EXIF_SUB_IFD = 0x8769
DATE_TAGS = ((0x9003, 0x9011), (0x9004, 0x9012))  # (date, offset from UTC) when taken, when digitised
XMP_DATE = re.compile(rb"(?:exif:DateTimeOriginal|photoshop:DateCreated)\s*(?:=\s*[\"']|>)\s*([0-9T:.+Z-]{10,35})")
TIFF_BITS, TIFF_PLANES = 258, 284
INT_WHITES = (2**16 - 1, 2**31 - 1, 2**32 - 1)
FLOAT_WHITES = (1.0, 255.0, 65535.0)

# Names that cameras, phones and messengers give; a bare number or words around a date are no evidence.
_DAY, _TIME = r"(\d{4})([-_.]?)(\d{2})\2(\d{2})", r"(\d{2})([-_.:]?)(\d{2})\6(\d{2})(?:\d{3})?"
_MAKERS = (
    r"(?:IMG|VID|PXL|MVIMG|PANO|BURST\d*|DSC|WP|WIN|P|V|C360|TRIM|signal|photo|video|image|Screenshot|Screen Shot"
    r"|Screen Recording|WhatsApp Image|WhatsApp Video)"
)
NAMES = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"(?:{_MAKERS}[-_ ])?{_DAY}(?:[-_ T]| at ){_TIME}(?:\D.*)?",  # IMG_20190705_123011~2, 2019-07-05 12.30.11
        r"IMG(\d{4})()(\d{2})(\d{2})(\d{2})()(\d{2})(\d{2})(?:\D.*)?",  # IMG20190705123011
        r"(?:IMG|VID)-(\d{4})()(\d{2})(\d{2})-WA\d{4,}(?:\D.*)?",  # WhatsApp: the day it was sent
        rf"(?:{_MAKERS}[-_ ])?(\d{{4}})(-)(\d{{2}})-(\d{{2}})(?: at \d\d?\.\d\d\.\d\d\W[AP]M)?(?: ?\(\d+\))?",
    )
)
FIRST_YEAR = 1990  # before that no program named a photo


@dataclass(frozen=True, eq=False)
class Photo:
    """8-bit sRGB `pixels` (H, W, 3), upright, and when they were taken (without a zone where the file names none)."""

    pixels: UInt8[np.ndarray, "h w 3"]
    taken: datetime | None


def read(path: Path) -> Photo:
    """One JPEG, PNG, WebP, HEIC, AVIF or TIFF file; raises BadInput where it is no picture, damaged or too large."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path.name} cannot be opened ({error.strerror}).") from error
    return decode(content, path.name)


def decode(content: bytes, name: str) -> Photo:
    """The photo that the `content` of a file holds; raises BadInput as `read` does, calling the file `name`."""
    _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs and odd metadata; both are judged below
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                _refuse_bomb(picture, name)
                _refuse_planes(picture, name)
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                return Photo(np.asarray(_rgb(upright)), _taken(picture))
    except UnidentifiedImageError as error:
        raise BadInput(f"{name} is not a picture of a known format.") from error
    except Image.DecompressionBombError as error:
        raise BadInput(f"{name} claims more pixels than any camera makes.") from error
    except MemoryError as error:
        raise BadInput(f"{name} does not fit into memory.") from error
    # Damaged files surface as whatever the decoder meets first.
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError, IndexError, KeyError) as error:
        raise BadInput(f"{name} is damaged or incomplete ({error}).") from error


def date_of_name(stem: str) -> datetime | None:
    """When a file with this stem was made, if a camera, phone or messenger named it so; without a zone.

    Midnight stands where the name tells the day alone. Scanners name files alike, but not after the day of the photo.
    """
    if "scan" in stem.lower():
        return None
    for pattern in NAMES:
        if match := pattern.fullmatch(stem):
            year, _, month, day, *clock = match.groups()
            hour, minute, second = [int(part) for part in clock if part and part.isdigit()] or [0, 0, 0]
            try:
                made = datetime(int(year), int(month), int(day), hour, minute, second)
            except ValueError:
                continue
            return made if made.year >= FIRST_YEAR and made <= datetime.now() + timedelta(days=1) else None
    return None


def _refuse_bomb(picture: Image.Image, name: str) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise BadInput(f"{name} claims {picture.width} x {picture.height} pixels, more than any camera makes.")


def _refuse_planes(picture: Image.Image, name: str) -> None:
    """Pillow takes the bytes of such a file for other pixels without a word."""
    tags = getattr(picture, "tag_v2", {})
    if tags.get(TIFF_PLANES) == 2 and max(tags.get(TIFF_BITS, (8,))) > 8:
        raise BadInput(f"{name} stores deep colours plane by plane, which cannot be read; save it again as PNG.")


def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()


def _rgb(picture: Image.Image) -> Image.Image:
    """sRGB without transparency; phones save in wider colour spaces, which would look pale if taken as they are."""
    profile = picture.info.get("icc_profile")
    if picture.mode[0] in "IF":
        return Image.fromarray(_shallow(np.asarray(picture), picture.mode)).convert("RGB")
    if picture.has_transparency_data:
        opaque = Image.new("RGBA", picture.size, "white")
        opaque.alpha_composite(picture.convert("RGBA"))
        picture = opaque.convert("RGB")
    elif picture.mode == "P":
        picture = picture.convert("RGB")
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        try:
            srgb = ImageCms.createProfile("sRGB")
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB")
            return converted or picture.convert("RGB")
        except (ImageCms.PyCMSError, OSError):
            return picture.convert("RGB")  # a broken colour profile is no reason to lose the photo
    return picture.convert("RGB")


def _shallow(deep: Num[np.ndarray, "h w"], mode: str) -> UInt8[np.ndarray, "h w"]:
    """Deep grey in 8 bits by the usual white that holds all values: Pillow's own conversion clips at 255."""
    values = np.nan_to_num(deep.astype(np.float64), posinf=0.0, neginf=0.0)
    if mode == "I" and values.min() < -(2**16):  # 32 bits without a sign, which Pillow reads as if with one
        values %= 2**32
    most = float(values.max(initial=0.0))
    whites = INT_WHITES if mode.startswith("I") else FLOAT_WHITES
    white = next((white for white in whites if most <= white), most)
    shallow: UInt8[np.ndarray, "h w"] = (255 * (values / white).clip(0, 1)).astype(np.uint8)
    return shallow


def _taken(picture: Image.Image) -> datetime | None:
    """When the shutter went; the file's own date of change is ignored, as editing would make people older."""
    tags = picture.getexif().get_ifd(EXIF_SUB_IFD)
    for date_tag, offset_tag in DATE_TAGS:
        try:
            taken = datetime.strptime(str(tags.get(date_tag, "")).strip("\0 "), "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
        return _with_offset(taken, str(tags.get(offset_tag, "")).strip("\0 "))
    return _taken_by_xmp(picture.info.get("xmp"))


def _taken_by_xmp(packet: object) -> datetime | None:
    """The date in XMP, the only one of PNGs that some editors write; sought as text, so no XML is ever parsed."""
    found = XMP_DATE.search(packet) if isinstance(packet, bytes) else None
    try:
        return datetime.fromisoformat(found[1].decode()) if found else None
    except ValueError:
        return None


def _with_offset(taken: datetime, offset: str) -> datetime:
    try:
        return datetime.strptime(f"{taken:%Y-%m-%d %H:%M:%S} {offset}", "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return taken
