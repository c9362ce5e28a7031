"""What every detector is: a few frames in, a logit out, features apart from the head, and a place for heat maps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core.errors import BadInput

TABLE = "relative_position_bias_table"  # a Swin's, whose size is that of its windows
HEADS = ("head.", "fc.", "classifier.", "last_linear.", "head_drift.", "fc_norm.")  # what published backbones end in


@dataclass(frozen=True)
class Sight:
    """What a detector looks at: `frames` at once, of `px`, from [0, 1] less `mean` over `std` by channel.

    The defaults are this package's images, [-1, 1]. With `sound` a picture of the frames' sound comes after the last of
    them (`tasks.clip_crops`), and is in all shapes one frame more.
    """

    px: int
    frames: int = 1
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    sound: bool = False

    @property
    def pictures(self) -> int:
        """How many pictures it is shown at once."""
        return self.frames + self.sound


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))

Loss = Callable[["Detector", Tensor, Tensor, torch.Generator], Tensor]
"""The loss of a batch: the detector, clips (B, T, 3, P, P) in [-1, 1], 1 for each fake (B), what draws hang on."""


def cross_entropy(
    net: "Detector", clips: Float[Tensor, "b t 3 p p"], fake: Float[Tensor, "b"], g: torch.Generator
) -> Float[Tensor, ""]:
    """Binary cross entropy of the logits."""
    return F.binary_cross_entropy_with_logits(net(clips).float(), fake)


@dataclass(frozen=True)
class Lesson:
    """How a detector learns: the loss of a batch, and what is done `before` the step of this number, if anything.

    What `before` does must hang on the step alone, so that a run that goes on after a stop ends in the same bits.
    """

    loss: Loss = cross_entropy
    before: Callable[["Detector", int], None] | None = None


class Detector(nn.Module):
    """A body that sees pictures, how it is shown several, and one linear output.

    A body is a network of timm's, or one that has its `num_features`, `forward_features` and `forward_head`. `mapped`
    names the layer of the body whose output is the last that still knows where in the picture it is. It passes through
    `tap`, where it is (B, C, h, w) whatever the layer's own order, (B T, C, h, w) of frames seen one by one, or
    (B, C, T, h, w): what Grad-CAM looks at. Where `arrange` makes one picture of a clip, it has `rows` of frames.
    `backbone` names the part that pretrained weights go into; a `frozen` one is not trained. `lesson` says how it
    learns.
    """

    def __init__(
        self, body: nn.Module, sight: Sight, mapped: str, *, arrange: Callable[[Tensor], Tensor] | None = None,
        rows: int = 1, backbone: str = "body", frozen: bool = False, lesson: Lesson | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.sight, self.rows, self.frozen, self.arrange, self._backbone = sight, rows, frozen, arrange, backbone
        self.lesson = lesson or Lesson()
        self.body, self.tap = body, nn.Identity()
        self.head = nn.Linear(int(getattr(body, "num_features")), 1)  # noqa: B009 (a tensor or a module to mypy)
        prefix = int(getattr(body, "num_prefix_tokens", 0))
        body.get_submodule(mapped).register_forward_hook(partial(_through, self.tap, prefix))
        if frozen:
            self.backbone.requires_grad_(False)

    @property
    def backbone(self) -> nn.Module:
        """What pretrained weights go into."""
        return self.get_submodule(self._backbone)

    def learned(self) -> dict[str, Tensor]:
        """What training changes and a model's file holds: every tensor but those of a frozen backbone."""
        kept = f"{self._backbone}." if self.frozen else None
        return {name: x for name, x in self.state_dict().items() if not (kept and name.startswith(kept))}

    def train(self, mode: bool = True) -> "Detector":
        """Training mode; a frozen backbone stays as it judges."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def features(self, clips: Float[Tensor, "b t 3 p p"]) -> Float[Tensor, "b f"]:
        """What the head judges by, of `sight.pictures` each in [-1, 1]; other sizes are resized."""
        body: Any = self.body
        seen: Tensor = body.forward_head(self.maps(clips), pre_logits=True)
        return seen

    def maps(self, clips: Float[Tensor, "b t 3 p p"]) -> Tensor:
        """The body's maps of clips, before they are pooled."""
        x = resized(clips, self.sight.px)
        x = self.arrange(x) if self.arrange else x.squeeze(1)
        mean, std = (x.new_tensor(values)[:, None, None] for values in (self.sight.mean, self.sight.std))
        body: Any = self.body
        seen: Tensor = body.forward_features(((x + 1) / 2 - mean) / std)
        return seen

    def forward(self, clips: Float[Tensor, "b t 3 p p"]) -> Float[Tensor, "b"]:
        """The logit of each: high is fake."""
        logits: Tensor = self.head(self.features(clips))
        return logits.squeeze(-1)


def resized(clips: Float[Tensor, "b t 3 s s"], px: int) -> Float[Tensor, "b t 3 p p"]:
    """Frames of another size, antialiased."""
    if clips.shape[-1] == px:
        return clips
    flat = F.interpolate(clips.flatten(0, 1), size=(px, px), mode="bilinear", antialias=True)
    sized: Tensor = flat.unflatten(0, clips.shape[:2])
    return sized


def load_backbone(detector: Detector, given: Mapping[str, Tensor], file: str) -> None:
    """Pretrained weights under timm's names into the backbone; their classifier is left out.

    Raises BadInput where the `file` that they are from holds another network's.
    """
    own = detector.backbone.state_dict()
    found = {name: tensor for name, tensor in given.items() if name in own or not name.startswith(HEADS)}
    for name in sorted(own.keys() & found.keys()):
        if name.endswith(TABLE) and found[name].shape[1:] == own[name].shape[1:]:
            found[name] = _resized_table(found[name], len(own[name]))
    for name in sorted(own.keys() | found.keys()):
        if name.endswith("num_batches_tracked"):
            found.setdefault(name, own[name])
            continue
        shapes = [tuple(tensors[name].shape) if name in tensors else None for tensors in (found, own)]
        if shapes[0] != shapes[1]:
            raise BadInput(
                f"{file} holds another network: {name} is {shapes[0] or 'missing'}, not {shapes[1] or 'there'}.",
                "Give the weights of the backbone that the detector names.",
            )
    detector.backbone.load_state_dict(found)


def _resized_table(table: Float[Tensor, "n h"], length: int) -> Float[Tensor, "m h"]:
    """A Swin's biases by relative position, for windows of another size [TALL resizes them so]."""
    before, after = (round(n**0.5) for n in (len(table), length))
    if before == after:
        return table
    grid = table.T.unflatten(1, (before, before))[None]
    return F.interpolate(grid, (after, after), mode="bilinear")[0].flatten(1).T


def _through(tap: nn.Module, prefix: int, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    """The layer's output by way of the tap: tokens (B, N, C) as a square behind their prefix, pictures (B, h, w, C)."""
    if output.ndim == 3:
        side = round((output.shape[1] - prefix) ** 0.5)
        grid = output[:, prefix:].transpose(1, 2).unflatten(2, (side, side))
        return torch.cat([output[:, :prefix], tap(grid).flatten(2).transpose(1, 2)], 1)
    if getattr(layer, "normalized_shape", None):  # a layer norm of pictures keeps channels last
        last: Tensor = tap(output.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return last
    first: Tensor = tap(output)
    return first
