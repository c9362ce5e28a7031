"""`selfsame age render`: one photo at many ages, each put back into the whole photo; strip, sheet, page and film."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from selfsame.core import image, video
from selfsame.core.config import write_atomic, writing
from selfsame.faces import align, detect, draw, paste, photo
from selfsame.faces.align import Affine
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks.time_machine import TimeMachine

TILE_PX = 256
SHOWN_PX = 1080  # the longer side of pictures in page, sheet and film
FILM_FPS, FRAMES_A_GAP, HOLD_FRAMES = 12.5, 8, 6
TEMPLATE = Path(__file__).with_name("ages.html.j2")

Pixels = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, eq=False)
class Sitter:
    """A photo (H, W, 3) in 8 bits, the affine from its pixels to the decoder's, and the face so cut."""

    pixels: Pixels
    transform: Affine
    face: Float[Tensor, "1 3 s s"]

    def reduced(self, longest_px: int) -> "Sitter":
        """The same where the photo's longer side is at most `longest_px`."""
        height, width = self.pixels.shape[:2]
        factor = min(1.0, longest_px / max(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        small = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA) if factor < 1 else self.pixels
        scale = np.diag([width / size[0], height / size[1]])
        transform = self.transform.copy()
        transform[:, 2] += self.transform[:, :2] @ (0.5 * np.diag(scale) - 0.5)
        transform[:, :2] = self.transform[:, :2] @ scale
        return Sitter(small, transform, self.face)


@dataclass(frozen=True)
class Rendered:
    """The files of a render: a picture an age, the labelled strip, the sheet of whole pictures, page and film."""

    pictures: tuple[Path, ...]
    strip: Path
    sheet: Path
    page: Path
    film: Path


def sit(path: Path, machine: TimeMachine) -> Sitter:
    """The face of a photo file as the machine wants it; raises BadInput for no photo, no face, two alike."""
    pixels = photo.read(path).pixels
    landmarks = detect.refine(pixels, detect.the_face(detect.detect(pixels))).landmarks
    size_px = machine.sam.decoder.config.image_px
    transform = align.TRANSFORMS[machine.sam.alignment](landmarks, size_px)
    face = align.crop(pixels, landmarks, transform, size_px).image
    return Sitter(pixels, transform, face.to(machine.sam.w_mean.device))


def render(
    machine: TimeMachine,
    sitter: Sitter,
    ages: Sequence[int],
    folder: Path,
    title: str,
    *,
    only_crop: bool = False,
    detail: float = paste.DETAIL,
    progress: Progress = silent,
) -> Rendered:
    """Write the sitter at these ages (whole years, rising) into `folder`.

    With `only_crop` the decoder's pictures are shown as they are instead of put back into the photo; `detail` says how
    much of what the decoder cannot draw stays there (see `faces.paste`).
    """

    def put_back(seat: Sitter, aged: Tensor) -> Pixels:
        if only_crop:
            pixels: Pixels = image.to_uint8(aged)[0]
            return pixels
        return paste.back(seat.pixels, seat.transform, aged, as_is, detail=detail)

    target = torch.tensor(ages, dtype=torch.float32).to(sitter.face)
    codes = torch.cat([machine.encode(sitter.face, t[None]) for t in target])
    as_is = machine.decode(machine.invert(sitter.face))
    small = sitter.reduced(SHOWN_PX)
    tiles, pictures = [draw.captioned(sitter.face, "photo", TILE_PX)], []
    shown: list[Pixels] = []
    for done, (age, code) in enumerate(zip(ages, codes, strict=True)):
        aged = machine.decode(code[None])
        whole = put_back(sitter, aged)
        pictures.append(folder / f"{age:03d}.{'png' if only_crop else 'jpg'}")
        write_atomic(pictures[-1], _encoded(whole, lossless=only_crop))
        cut = aged if only_crop else _cut(whole, sitter)
        tiles.append(draw.captioned(cut, f"{age} years", TILE_PX))
        shown.append(put_back(small, aged))
        progress("pictures", done + 1, len(ages))
    strip, sheet, page, film = (folder / name for name in ("strip.png", "sheet.jpg", "ages.html", "ages.mp4"))
    _write(image.grid(tiles, columns=len(tiles)), strip)
    _write(image.grid([image.from_uint8(p) for p in shown]), sheet)
    write_atomic(page, _page(title, ages, shown))
    path = _film_codes(codes)
    frames = []
    for done, code in enumerate(path):
        frames.append(put_back(small, machine.decode(code[None])))
        progress("film", done + 1, len(path))
    video.write(film, _there_and_back(frames), FILM_FPS)
    return Rendered(tuple(pictures), strip, sheet, page, film)


def _cut(pixels: Pixels, sitter: Sitter) -> Float[Tensor, "1 3 s s"]:
    """The face cut from a whole picture, at the size of a tile."""
    transform = align.enlarge(sitter.transform, TILE_PX / sitter.face.shape[-1])
    return image.from_uint8(align.warp(pixels, transform, TILE_PX))


def _film_codes(codes: Float[Tensor, "n l w"]) -> Float[Tensor, "f l w"]:
    """From the first age to the last, codes interpolated between the ages."""
    steps = torch.linspace(0, 1, FRAMES_A_GAP + 1)[:-1, None, None].to(codes)
    return torch.cat([*(torch.lerp(a, b, steps) for a, b in pairwise(codes)), codes[-1:]])


def _there_and_back(frames: Sequence[Pixels]) -> Iterator[Float[Tensor, "3 h w"]]:
    """The frames forwards and backwards, with a pause at either end."""
    first, last = [frames[0]] * HOLD_FRAMES, [frames[-1]] * HOLD_FRAMES
    for frame in (*first, *frames, *last, *reversed(frames)):
        yield image.from_uint8(frame)[0]


def _page(title: str, ages: Sequence[int], pictures: Sequence[Pixels]) -> str:
    """One HTML file with every picture inside and a slider over the ages."""
    import jinja2

    data = [base64.b64encode(_encoded(p, lossless=False)).decode() for p in pictures]
    template = jinja2.Template(TEMPLATE.read_text(), autoescape=True)
    page: str = template.render(title=title, ages=list(ages), pictures=data)
    return page


def _encoded(pixels: Pixels, *, lossless: bool) -> bytes:
    file = io.BytesIO()
    image.to_pil(image.from_uint8(pixels)).save(file, **({"format": "PNG"} if lossless else _JPEG))
    return file.getvalue()


_JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}


def _write(picture: Float[Tensor, "1 3 h w"], path: Path) -> None:
    with writing(path):
        image.save(picture, path)
