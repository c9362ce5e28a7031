"""One photo of a person as a network wants it: the aligned crop, its camera, and the way back into the photo."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import files, image
from selfsame.core.camera import Camera, facing
from selfsame.core.errors import BadInput
from selfsame.faces import align, intake, photo
from selfsame.faces.align import Affine

LARGEST_PX = 20_000  # a side of a photo after it was enlarged
FILL_PX = 3.0  # Telea's reach, for the detector's eyes alone

Pixels = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, eq=False)
class Seat:
    """A photo's aligned crop `face`, its camera, and where in the photo it sits.

    `pixels` (H, W, 3) and the `transform` from them to the crop's pixels are None for a file that is a crop already,
    whose camera is yet to be found. `native_px` is how many of the photo's own pixels the crop's side covers.
    """

    face: Float[Tensor, "1 3 s s"]
    camera: Camera
    native_px: int
    digest: str
    pixels: Pixels | None = None
    transform: Affine | None = None

    @property
    def aligned(self) -> bool:
        """Whether the file was a crop already."""
        return self.transform is None


def sit(path: Path, size_px: int, *, aligned: bool = False, enlarge: int = 1, hole: Path | None = None) -> Seat:
    """The face of a photo file in a crop of `size_px`; raises BadInput for no photo, no face, two alike.

    `aligned` takes the whole (square) file for the crop. A small photo is enlarged `enlarge` times before a face is
    looked for in it. The pixels that the mask file `hole` marks are filled in for the detector.
    """
    pixels, digest = photo.read(path).pixels, files.digest(path)
    if aligned:
        height, width = pixels.shape[:2]
        if height != width:
            raise BadInput(
                f"{path.name} has {width} x {height} pixels; an aligned crop is square.", "Leave --aligned out."
            )
        return Seat(_sized(image.from_uint8(pixels), size_px), facing(*torch.zeros(2, 1)), width, digest)
    marked = read_hole(hole, pixels.shape).astype(np.uint8) if hole else None
    if enlarge > 1 and max(pixels.shape) * enlarge > LARGEST_PX:
        raise BadInput(f"{path.name} is too large to be enlarged {enlarge} times.", "Cut it around the face first.")
    if enlarge > 1:
        pixels = cv2.resize(pixels, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    try:
        whole = pixels if marked is None else cv2.inpaint(pixels, marked, FILL_PX, cv2.INPAINT_TELEA)
        found = intake.measure(whole, size_px)
    except BadInput as error:
        mend = "A crop that is aligned as EG3D's can be given with --aligned."
        raise BadInput(f"{path.name}: {error.what}", error.mend or mend) from error
    side = found.image.shape[-1]
    native = align.native_size_px(found.transform, side)
    transform = align.enlarge(found.transform, size_px / side)
    label = torch.tensor([found.label], dtype=torch.float32)
    face = image.from_uint8(align.warp(pixels, transform, size_px))
    return Seat(face, Camera.unpack(label), max(1, native // enlarge), digest, pixels, transform)


def read_hole(path: Path, shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    """Where a mask file is white; raises BadInput where it has not the photo's size, or marks nothing or all."""
    marked: Bool[np.ndarray, "h w"] = photo.read(path).pixels.mean(-1) > 127
    if marked.shape != shape[:2]:
        height, width = shape[:2]
        raise BadInput(f"{path.name} is no mask of this photo.", f"Its size must be {width} x {height} pixels.")
    if not marked.any() or marked.all():
        raise BadInput(
            f"{path.name} marks nothing or everything.", "Paint white what is to be repaired, black the rest."
        )
    return marked


def hole_in(seat: Seat, marked: Bool[np.ndarray, "h w"]) -> Float[Tensor, "1 1 s s"]:
    """The marked pixels of the photo as they lie in the crop: 1 where any of them is touched."""
    size_px = seat.face.shape[-1]
    if seat.transform is None:
        whole = torch.from_numpy(marked).float()[None, None]
        return (F.interpolate(whole, (size_px, size_px), mode="area") > 0).float()
    reach = max(1, round(seat.native_px / size_px))
    wide = cv2.dilate(marked.astype(np.float32), np.ones((reach, reach)))
    crop = cv2.warpAffine(wide, seat.transform, (size_px, size_px), flags=cv2.INTER_LINEAR)
    return torch.from_numpy((crop > 0.05).astype(np.float32))[None, None]


def _sized(picture: Float[Tensor, "1 3 a a"], size_px: int) -> Float[Tensor, "1 3 s s"]:
    """At `size_px`; a smaller picture that fits in whole times is shown in squares, so that its pixels stay known."""
    side = picture.shape[-1]
    if side < size_px and size_px % side == 0:
        return F.interpolate(picture, scale_factor=size_px // side, mode="nearest-exact")
    return image.resize(picture, size_px)
