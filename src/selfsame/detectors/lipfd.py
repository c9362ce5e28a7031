"""LipFD: do lips, head and sound agree? Five whole frames with their spectrogram [Liu et al. 2024, Lips Are Lying].

A global branch looks at one picture of the spectrogram above the five frames; a region branch at each frame whole, at
its head and at its lips, and weighs the three. What the repository AaronComo/LipFD does is the fact here where it says
something else: its head is 0.75 of a frame's side (168 of 224 px; "0.65x"), its lips 0.455 (102 px; "0.45x").

Its released code has faults that are not built here. Starts of windows were 8-bit numbers and wrapped at frame 256;
`tasks.clip_crops` counts frames. Crops were normalised and then overwritten by raw ones; here both branches see
normalised pictures. All five crops were of the first frame, each one pixel further right; here each is of its own.
The option that fixes CLIP's encoder froze all weights, and a softmax over the batch stood for the cross entropy of two
classes. Its confusion matrix was read in another order; `metrics.detection` has its own.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.detectors.checkpoint import checked
from selfsame.detectors.detector import CLIP, Detector, Lesson, Sight
from selfsame.detectors.residual import halved, in_time

FRAMES = 5
REGIONS = ((0, 224), (28, 196), (61, 163))  # whole, head, lips: from and to, of 224
PX, SQUEEZE = 224, 5
AWARE, SMALL_AWARE = 10.0, 0.02  # how much the region-awareness loss counts
SMALL_WIDTHS, SMALL_HEARD = (16, 32, 64, 96), 32
UNUSED = tuple(
    f"encoder.{name}"
    for name in (
        "transformer.",
        "token_embedding.",
        "positional_embedding",
        "ln_final.",
        "text_projection",
        "logit_scale",
    )
)
"""CLIP's language side, which stands in the published file and which nothing calls."""
CLIP_NAMES = (
    ("conv1.", "patch_embed.proj."), ("ln_pre.", "norm_pre."), ("ln_post.", "norm."),
    ("transformer.resblocks.", "blocks."), (".ln_1.", ".norm1."), (".ln_2.", ".norm2."), (".in_proj_", ".qkv."),
    (".out_proj.", ".proj."), (".c_fc.", ".fc1."), (".c_proj.", ".fc2."),
)  # fmt: skip
"""Parts of OpenAI's names in CLIP's image side, and timm's."""
CLIP_WHOLE = {"class_embedding": "cls_token", "positional_embedding": "pos_embed", "proj": "head.weight"}

Frames = Float[Tensor, "b t 3 p p"]
Parts = list[Float[Tensor, "b t 3 _ _"]]


class Agreement(nn.Module):
    """The two branches: `ear` (B, T + 1, 3, P, P) to a global feature (B, G), `eye` from regions (N, 3, h, w) to maps.

    `cut` makes the three regions of frames (B, T, 3, P, P), the whole first.
    """

    def __init__(self, ear: nn.Module, eye: nn.Module, cut: Callable[[Frames], Parts], widths: tuple[int, int]):
        super().__init__()
        self.ear, self.eye, self.cut = ear, eye, cut
        self.whole = nn.Identity()  # only maps of whole frames pass: where Grad-CAM looks
        self.num_features = sum(widths)
        self.weigh = nn.Linear(self.num_features, 1)

    def forward_features(self, x: Float[Tensor, "b k 3 p p"]) -> Float[Tensor, "b t 3 f"]:
        """The feature of each region of each frame, with the global one behind it."""
        heard = self.ear(x)
        frames = x[:, :-1]
        seen = []
        for number, region in enumerate(self.cut(frames)):
            maps = self.eye(region.flatten(0, 1))
            seen.append((maps if number else self.whole(maps)).mean((-2, -1)))
        regions = torch.stack(seen, 1).unflatten(0, frames.shape[:2])
        return torch.cat([regions, heard[:, None, None].expand(*regions.shape[:3], -1)], -1)

    def awareness(self, x: Float[Tensor, "b t 3 f"]) -> Float[Tensor, "b t 3"]:
        """How much each region of a frame counts; 1 in sum [the softmax of sigmoids, region_awareness.py]."""
        weight: Tensor = self.weigh(x).squeeze(-1).sigmoid().softmax(-1)
        return weight

    def forward_head(self, x: Float[Tensor, "b t 3 f"], pre_logits: bool) -> Float[Tensor, "b f"]:
        """Regions by their weights, frames alike."""
        return (self.awareness(x)[..., None] * x).sum(2).mean(1)


def region_aware(
    net: Detector, clips: Float[Tensor, "b k 3 p p"], fake: Float[Tensor, "b"], g: torch.Generator, scale: float = AWARE
) -> Float[Tensor, ""]:
    """Binary cross entropy, and for each frame scale / exp(weight of the best region - weight of the whole): a face
    should not be judged by the whole alone [the region-awareness loss; the repository's RALoss, whose scale is 10].
    """
    body: Any = net.body
    seen = net.maps(clips)
    logits = net.head(body.forward_head(seen, pre_logits=True)).squeeze(-1)
    weight = body.awareness(seen)
    aware: Tensor = scale * (weight[..., 0] - weight.amax(-1)).exp().sum(1).mean()
    return F.binary_cross_entropy_with_logits(logits.float(), fake) + aware


class Above(nn.Module):
    """The sound's picture above the frames side by side, squeezed fivefold to what `encoder` takes, and its feature."""

    def __init__(self, encoder: nn.Module, px: int) -> None:
        super().__init__()
        self.squeeze, self.encoder, self.px = nn.Conv2d(3, 3, SQUEEZE, SQUEEZE), encoder, px

    def forward(self, x: Float[Tensor, "b k 3 p p"]) -> Float[Tensor, "b g"]:
        """The global feature."""
        side = SQUEEZE * self.px
        row = torch.cat(list(x[:, :-1].unbind(1)), -1)
        # Each half is resized by itself: no pixel mixes sound and face.
        halves = [_sized(part, side // 2, side) for part in (x[:, -1], row)]
        seen: Tensor = self.encoder(self.squeeze(torch.cat(halves, -2)))
        return seen


class Framed(nn.Module):
    """A ResNet whose first layer sees black beyond the edge, as the published one did, which saw raw values."""

    black: Tensor

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        first: Any = net.conv1
        self.net, self.edge = net, first.padding[0]
        first.padding = (0, 0)
        mean, std = torch.tensor(CLIP, device="cpu")
        self.register_buffer("black", (-mean / std)[:, None, None], persistent=False)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c k l"]:
        """The last maps."""
        net: Any = self.net
        black = self.black.to(x)
        maps: Tensor = net.forward_features(F.pad(x - black, (self.edge,) * 4) + black)
        return maps


def assembled(encoder: nn.Module, resnet: nn.Module, px: int, sight: Sight, widths: tuple[int, int]) -> Detector:
    """The published network of these parts: an encoder of pictures of `px` and a ResNet for regions of the same."""
    body = Agreement(Above(encoder, px), Framed(resnet), partial(_resized_regions, px=px), widths)
    return Detector(
        body, sight, "whole", backbone="body.ear.encoder", frozen=True, lesson=Lesson(region_aware)
    )  # fmt: skip


def published_size() -> Detector:
    """Five frames of 500 px with their sound for CLIP's frozen ViT-L/14 and a ResNet-50: 327.5 million parameters, of
    which 23.5 million learn [AaronComo/LipFD, models/].

    `--weights` takes OpenAI's CLIP under timm's names (`vit_large_patch14_clip_quickgelu_224`), with its projection to
    768 numbers as `head`. A frame is a square here, where the repository squeezes all of it into one.
    """
    import timm

    encoder = timm.create_model("vit_large_patch14_clip_quickgelu_224", num_classes=768)
    resnet = timm.create_model("resnet50", num_classes=0)
    return assembled(encoder, resnet, PX, Sight(500, FRAMES, *CLIP, sound=True), (2048, 768))


class SmallEar(nn.Module):
    """Each frame beside its own slice of the sound: how far they rise and fall together over the frames.

    They are multiplied, channel by channel, since a few clips do not teach a plain network to compare.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.face = nn.Sequential(halved(3, 16), halved(16, 32), nn.Flatten(), nn.Linear(32 * 7 * 7, width))
        self.voice = nn.Sequential(halved(3, 16), halved(16, 32), nn.Flatten(), nn.Linear(32 * 7, width))
        self.settle = nn.BatchNorm1d(width)

    def forward(self, x: Float[Tensor, "b k 3 p p"]) -> Float[Tensor, "b g"]:
        """The covariance of each channel of the face with its channel of the voice."""
        frames, count = x[:, :-1], x.shape[1] - 1
        faces = self.face(F.adaptive_avg_pool2d(frames.flatten(0, 1), 28)).unflatten(0, frames.shape[:2])
        sound = F.adaptive_avg_pool2d(x[:, -1], (28, 4 * count))  # low bands to high ones, four times a frame
        voices = self.voice(torch.cat(sound.chunk(count, -1))).unflatten(0, (count, -1)).transpose(0, 1)
        moved, heard = (y - y.mean(1, keepdim=True) for y in (faces, voices))
        together: Tensor = self.settle((moved * heard).mean(1))
        return together


def small() -> Detector:
    """Five frames of 112 px with their sound: four layers on the noise residual of each region, cut and not resized,
    and a global branch that compares face and voice: 0.15 million parameters.
    """
    eye = nn.Sequential(*[halved(a, b) for a, b in pairwise((3, *SMALL_WIDTHS))])
    body = Agreement(SmallEar(SMALL_HEARD), eye, _cut_regions, (SMALL_WIDTHS[-1], SMALL_HEARD))
    lesson = Lesson(partial(region_aware, scale=SMALL_AWARE))
    return Detector(body, Sight(112, FRAMES, sound=True), "whole", lesson=lesson)


def published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of LipFD's checkpoint (those under `model`) under the names of `published_size`, CLIP among them.

    The published network saw blue, green and red from 0 to 255; its first layers are changed so that ours gives the
    same of normalised colours. That it saw the first frame only (see above) no map can change. Raises BadInput where
    the file is another network's.
    """
    return checked(renamed(tensors), published_size, "lipfd")


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The map itself, for a network of any depth."""
    found: dict[str, Tensor] = {}
    for name, x in tensors.items():
        if name.startswith("encoder.visual."):
            ours = _clip_name(name.removeprefix("encoder.visual."))
            x = x.T if ours == "head.weight" else x[None, None] if ours == "cls_token" else x
            found["body.ear.encoder." + ours] = x[None] if ours == "pos_embed" else x
        elif name.startswith("backbone.get_weight.0."):
            found["body.weigh." + name.removeprefix("backbone.get_weight.0.")] = x
        elif name.startswith("backbone.fc."):
            found["head." + name.removeprefix("backbone.fc.")] = x
        elif name.startswith("backbone."):
            found["body.eye.net." + name.removeprefix("backbone.")] = x
        elif name.startswith("conv1."):
            found["body.ear.squeeze." + name.removeprefix("conv1.")] = x
        elif not name.startswith(UNUSED):
            found[name] = x
    projection = found.get("body.ear.encoder.head.weight")
    if projection is not None:  # OpenAI's has no bias
        found["body.ear.encoder.head.bias"] = projection.new_zeros(len(projection))
    _recoloured(found)
    return found


def _clip_name(name: str) -> str:
    """timm's name of a tensor of OpenAI's image encoder."""
    for theirs, ours in CLIP_NAMES:
        name = name.replace(theirs, ours)
    return CLIP_WHOLE.get(name, name)


def _recoloured(found: dict[str, Tensor]) -> None:
    """First layers for normalised red, green and blue in place of raw blue, green and red."""
    mean, std = (255 * torch.tensor(values)[:, None, None] for values in CLIP)
    # A shift of colours goes into the bias, or out of the mean that batch normalisation takes away.
    for layer, offset, sign in (
        ("ear.squeeze", "ear.squeeze.bias", 1),
        ("eye.net.conv1", "eye.net.bn1.running_mean", -1),
    ):
        weight, shifted = (found.get(f"body.{name}") for name in (f"{layer}.weight", offset))
        if weight is None or shifted is None or weight.ndim != 4 or weight.shape[1] != 3:
            continue  # told when shapes are checked
        turned = weight.float().flip(1)
        found[f"body.{layer}.weight"] = turned * std
        found[f"body.{offset}"] = shifted + sign * (turned * mean).sum((1, 2, 3))


def _resized_regions(frames: Frames, px: int) -> Parts:
    """Whole, head and lips of each frame, all of `px`; the two are cut from the whole and enlarged."""
    whole = _sized(frames, px, px)
    return [_sized(part, px, px) for part in _cut(whole)]


def _cut_regions(frames: Frames) -> Parts:
    """The noise residual of whole, head and lips: enlarging would smear it."""
    return _cut(in_time(frames))


def _cut(frames: Frames) -> Parts:
    ends = [[round(end * frames.shape[-1] / PX) for end in region] for region in REGIONS]
    return [frames[..., first:end, first:end] for first, end in ends]


def _sized(pictures: Float[Tensor, "*n 3 h w"], height: int, width: int) -> Float[Tensor, "*n 3 k l"]:
    if pictures.shape[-2:] == (height, width):
        return pictures
    flat = pictures.reshape(-1, *pictures.shape[-3:])
    flat = F.interpolate(flat, size=(height, width), mode="bilinear", antialias=True)
    return flat.reshape(*pictures.shape[:-2], height, width)
