"""What the intake saw, drawn: a contact sheet with landmarks, head axes and the reasons of photos left out."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from selfsame.core import camera, image
from selfsame.core.camera import FACE_PIVOT, Camera
from selfsame.faces.records import PhotoRecord

AXIS_LENGTH = 0.2  # world units, about 8 cm
AXIS_COLOURS = ("red", "lime", "deepskyblue")  # x to the image's right, y up, z out of the face
LINE_PX = 14


def tile(picture: Float[Tensor, "1 3 s s"] | None, record: PhotoRecord, size_px: int) -> Float[Tensor, "1 3 t t"]:
    """One square of the sheet: the crop if there is one, its landmarks and head axes, the file and its fate."""
    canvas = Image.new("RGB", (size_px, size_px), "dimgray")
    if picture is not None:
        canvas.paste(image.to_pil(image.resize(picture, size_px)))
    pen = ImageDraw.Draw(canvas)
    if picture is not None and record.landmarks and record.camera:
        _draw_landmarks(pen, record.landmarks, size_px)
        _draw_axes(pen, record.camera, size_px)
    _draw_words(pen, _words(record), size_px)
    return image.from_uint8(np.asarray(canvas))


def sheet(
    pictures: Sequence[Float[Tensor, "1 3 s s"] | None],
    records: Sequence[PhotoRecord],
    *,
    size_px: int = 192,
    columns: int | None = None,
) -> Float[Tensor, "1 3 hh ww"]:
    """The contact sheet of some photos, `size_px` a tile; None stands for a photo without a crop."""
    tiles = [tile(picture, record, size_px) for picture, record in zip(pictures, records, strict=True)]
    return image.grid(tiles, columns)


def axes(label: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """The head's axes in a crop with EG3D's label of 25 numbers: the origin, then the ends of x, y and z.

    All are (u, v) as shares of the crop's side: the world's axes at the pivot as the camera sees them, AXIS_LENGTH
    long. The third must leave the face along the nose.
    """
    pivot = torch.tensor([FACE_PIVOT])
    ends = torch.cat([pivot, pivot + AXIS_LENGTH * torch.eye(3)])
    seen = camera.project(Camera.unpack(torch.tensor([label])), ends[None])[0].tolist()
    return tuple((u, v) for u, v in seen)


def captioned(picture: Float[Tensor, "1 3 s s"], words: str, size_px: int) -> Float[Tensor, "1 3 t t"]:
    """A square picture at `size_px` with words along its lower edge."""
    canvas = image.to_pil(image.resize(picture, size_px))
    large = ImageFont.load_default(size_px / 9)
    place = (size_px / 30, size_px * (1 - 1 / 6))
    ImageDraw.Draw(canvas).text(place, words, fill="white", font=large, stroke_width=2, stroke_fill="black")
    return image.from_uint8(np.asarray(canvas))


def footed(picture: Float[Tensor, "1 3 h w"], words: str, line_px: int = 2 * LINE_PX) -> Float[Tensor, "1 3 hh w"]:
    """A picture with words on a white line below it."""
    canvas = image.to_pil(picture)
    whole = Image.new("RGB", (canvas.width, canvas.height + line_px), "white")
    whole.paste(canvas)
    font = ImageFont.load_default(0.6 * line_px)
    ImageDraw.Draw(whole).text((line_px / 4, canvas.height + line_px / 8), words, fill="black", font=font)
    return image.from_uint8(np.asarray(whole))


def _draw_landmarks(pen: ImageDraw.ImageDraw, landmarks: Sequence[tuple[float, float]], size_px: int) -> None:
    radius = max(1.5, size_px / 90)
    for u, v in landmarks:
        x, y = u * size_px, v * size_px
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill="yellow", outline="black")


def _draw_axes(pen: ImageDraw.ImageDraw, label: Sequence[float], size_px: int) -> None:
    origin, *tips = ((u * size_px, v * size_px) for u, v in axes(label))
    for tip, colour in zip(tips, AXIS_COLOURS, strict=True):
        pen.line((*origin, *tip), fill=colour, width=max(2, size_px // 90))


def _words(record: PhotoRecord) -> list[str]:
    where = record.file if record.time_s is None else f"{record.file} at {record.time_s:.1f} s"
    if record.why_left_out:
        return [where, record.why_left_out]
    measured = record.quality
    return [where] if measured is None else [where, f"{measured.yaw_degrees:+.0f} {measured.pitch_degrees:+.0f} deg"]


def _draw_words(pen: ImageDraw.ImageDraw, words: Sequence[str], size_px: int) -> None:
    """The words along the lower edge, broken to the tile's width."""
    per_line = max(8, size_px // 6)
    lines = [line[i : i + per_line] for line in words for i in range(0, len(line), per_line)]
    for number, line in enumerate(lines):
        top = size_px - (len(lines) - number) * LINE_PX
        pen.text((3, top), line, fill="white", stroke_width=1, stroke_fill="black")
