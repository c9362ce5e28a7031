"""Photos of users: read safely, upright, in sRGB, with the date they were taken."""

import io
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from selfsame.core.errors import BadInput

MAX_PIXELS = 250_000_000  # above the largest phone sensor (200 MP); a bomb of 40 kB can claim far more
EXIF_SUB_IFD = 0x8769
DATE_TAGS = ((0x9003, 0x9011), (0x9004, 0x9012))  # (date, offset from UTC) when taken, when digitised


@dataclass(frozen=True, eq=False)
class Photo:
    """8-bit sRGB `pixels` (H, W, 3), upright, and when they were taken (without a zone where the file names none)."""

    pixels: UInt8[np.ndarray, "h w 3"]
    taken: datetime | None


def read(path: Path) -> Photo:
    """One JPEG, PNG, WebP, HEIC, AVIF or TIFF file; raises BadInput where it is no picture, damaged or too large."""
    _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs and odd metadata; both are judged below
            with Image.open(io.BytesIO(path.read_bytes())) as picture:
                _refuse_bomb(picture, path.name)
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                return Photo(np.asarray(_rgb(upright)), _taken(picture))
    except UnidentifiedImageError as error:
        raise BadInput(f"{path.name} is not a picture of a known format.") from error
    except Image.DecompressionBombError as error:
        raise BadInput(f"{path.name} claims more pixels than any camera makes.") from error
    except MemoryError as error:
        raise BadInput(f"{path.name} does not fit into memory.") from error
    # Damaged files surface as whatever the decoder meets first.
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError, IndexError, KeyError) as error:
        raise BadInput(f"{path.name} is damaged or incomplete ({error}).") from error


def _refuse_bomb(picture: Image.Image, name: str) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise BadInput(f"{name} claims {picture.width} x {picture.height} pixels, more than any camera makes.")


def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()


def _rgb(picture: Image.Image) -> Image.Image:
    """sRGB without transparency; phones save in wider colour spaces, which would look pale if taken as they are."""
    if picture.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip instead of scale
        return Image.fromarray((np.asarray(picture).clip(0, 65535) / 257).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        opaque = Image.new("RGBA", picture.size, "white")
        opaque.alpha_composite(picture.convert("RGBA"))
        return opaque.convert("RGB")
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        try:
            srgb = ImageCms.createProfile("sRGB")
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB")
            return converted or picture.convert("RGB")
        except (ImageCms.PyCMSError, OSError):
            return picture.convert("RGB")  # a broken colour profile is no reason to lose the photo
    return picture.convert("RGB")


def _taken(picture: Image.Image) -> datetime | None:
    """When the shutter went; the file's own date of change is ignored, as editing would make people older."""
    tags = picture.getexif().get_ifd(EXIF_SUB_IFD)
    for date_tag, offset_tag in DATE_TAGS:
        try:
            taken = datetime.strptime(str(tags.get(date_tag, "")).strip("\0 "), "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
        return _with_offset(taken, str(tags.get(offset_tag, "")).strip("\0 "))
    return None


def _with_offset(taken: datetime, offset: str) -> datetime:
    try:
        return datetime.strptime(f"{taken:%Y-%m-%d %H:%M:%S} {offset}", "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return taken
