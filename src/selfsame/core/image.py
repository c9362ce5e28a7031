"""Images: float32 (B, 3, H, W), RGB, [-1, 1]. Only this file knows [0, 255]."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F


def from_uint8(pixels: UInt8[np.ndarray, "*b h w 3"]) -> Float[Tensor, "b 3 h w"]:
    """8-bit pixels (H, W, 3) or (B, H, W, 3) to images in [-1, 1]."""
    array = pixels[None] if pixels.ndim == 3 else pixels
    return torch.from_numpy(np.array(array)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_uint8(images: Float[Tensor, "b c h w"]) -> UInt8[np.ndarray, "b h w c"]:
    """Images in [-1, 1] to 8-bit pixels (B, H, W, C); values outside are clamped."""
    scaled = (images.detach().float().cpu() * 127.5 + 127.5).round().clamp(0, 255)
    pixels: UInt8[np.ndarray, "b h w c"] = scaled.to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return pixels


def to_pil(image: Float[Tensor, "1 c h w"]) -> Image.Image:
    """One image as a Pillow picture."""
    pixels = to_uint8(image)[0]
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def load(path: Path | io.BytesIO) -> Float[Tensor, "1 3 h w"]:
    """One picture file written by `save`; photos of users go through `faces.photo`, which checks them."""
    with Image.open(path) as picture:
        return from_uint8(np.asarray(picture.convert("RGB")))


def save(image: Float[Tensor, "1 c h w"], path: Path | str) -> None:
    """Write one image without loss as PNG (or by the suffix of `path`)."""
    to_pil(image).save(path)


def resize(images: Float[Tensor, "b c h w"], size_px: int) -> Float[Tensor, "b c s s"]:
    """Square images of `size_px`, antialiased bilinear as in EG3D; the same tensor where nothing changes."""
    if images.shape[-2:] == (size_px, size_px):
        return images
    return F.interpolate(images, (size_px, size_px), mode="bilinear", align_corners=False, antialias=True)


def grid(
    images: Float[Tensor, "b c h w"] | Sequence[Tensor], columns: int | None = None, gap_px: int = 2
) -> Float[Tensor, "1 c hh ww"]:
    """A contact sheet (white gaps), filled row by row."""
    batch = images if isinstance(images, Tensor) else torch.cat(list(images))
    columns = columns or math.ceil(math.sqrt(len(batch)))
    rows = math.ceil(len(batch) / columns)
    _, c, h, w = batch.shape
    sheet = torch.ones(1, c, rows * (h + gap_px) - gap_px, columns * (w + gap_px) - gap_px)
    for i, image in enumerate(batch.detach().float().cpu()):
        top, left = (i // columns) * (h + gap_px), (i % columns) * (w + gap_px)
        sheet[0, :, top : top + h, left : left + w] = image
    return sheet
