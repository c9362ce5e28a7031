"""DeepFake-Adapter: a frozen vision transformer, and small trained parts that adapt it [Shao et al. 2023, IJCV 2024].

Globally-aware bottleneck adapters stand beside the transformer's MLPs. Locally-aware spatial adapters take a pyramid of
convolutions' tokens to its blocks and back: at the start of each stage the transformer's tokens ask the pyramid's, at
its end the pyramid's ask them. Facts from the paper's abstract and the released code, rshaojimmy/DeepFake-Adapter,
whose head judges by the pyramid's first token, and not by the transformer's class token; it is so here too.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsame.core.errors import BadInput
from selfsame.detectors.checkpoint import checked, one_logit
from selfsame.detectors.detector import Detector, Sight
from selfsame.detectors.residual import ConvStem, frame_residual

BOTTLENECK, WIDTH, HEADS = 64, 64, 6  # of the adapters, of the pyramid's first maps, of the spatial adapters' attention
STAGES = (4, 4, 4)  # blocks of the transformer in each
EPS = 1e-6


class Bottleneck(nn.Module):
    """Down, ReLU, up, times a learned number: nothing at the start [AdaptFormer, Chen et al. 2022]."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(channels, inner), nn.Linear(inner, channels)
        self.scale = nn.Parameter(torch.ones(1))
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """What is added beside an MLP."""
        made: Tensor = self.scale * self.up(torch.relu(self.down(x)))
        return made


class Pyramid(nn.Module):
    """Tokens of convolutions at an eighth, a sixteenth and a thirty-second of the picture's size, one after another."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        stem = [_conv(3, width, 2), _conv(width, width, 1), _conv(width, width, 1)]
        self.stem = nn.Sequential(*(layer for made in stem for layer in made), nn.MaxPool2d(3, 2, 1))
        widths = (width, 2 * width, 4 * width, 4 * width)
        self.maps = nn.ModuleList(nn.Sequential(*_conv(before, after, 2)) for before, after in pairwise(widths))
        self.tokens = nn.ModuleList(nn.Conv2d(each, channels, 1) for each in widths[1:])
        self.levels = nn.Parameter(torch.randn(3, channels))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        for token in self.tokens:
            nn.init.zeros_(token.get_parameter("bias"))

    def forward(self, x: Float[Tensor, "b 3 p p"]) -> Float[Tensor, "b n c"]:
        """The finest tokens come first, row by row."""
        x, made = self.stem(x), []
        for maps, tokens, level in zip(self.maps, self.tokens, self.levels, strict=True):
            x = maps(x)
            made.append(tokens(x).flatten(2).transpose(1, 2) + level)
        return torch.cat(made, 1)


class Ask(nn.Module):
    """Cross attention of normalised tokens, added to those that ask; by a learned share that begins at 0 or in full."""

    def __init__(self, channels: int, heads: int, *, shared: bool) -> None:
        super().__init__()
        self.norm, self.asked = nn.LayerNorm(channels, EPS), nn.LayerNorm(channels, EPS)
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        nn.init.xavier_uniform_(self.attention.out_proj.weight)
        self.share = nn.Parameter(torch.zeros(channels)) if shared else None

    def forward(self, x: Float[Tensor, "b n c"], others: Float[Tensor, "b m c"]) -> Float[Tensor, "b n c"]:
        """The tokens x, changed by what they found in the others."""
        asked = self.asked(others)
        found: Tensor = self.attention(self.norm(x), asked, asked, need_weights=False)[0]
        return x + (found if self.share is None else self.share * found)


class Adapted(nn.Module):
    """A vision transformer of timm's with both kinds of adapters; `stages` says how many of its blocks each has."""

    def __init__(self, vit: Any, stages: Sequence[int], inner: int, width: int, heads: int) -> None:
        super().__init__()
        self.vit: Any = vit
        channels = self.num_features = int(vit.num_features)
        self.stages = tuple(stages)
        self.bottlenecks = nn.ModuleList(Bottleneck(channels, inner) for _ in range(sum(stages)))
        self.pyramid = Pyramid(channels, width)
        self.inject = nn.ModuleList(Ask(channels, heads, shared=True) for _ in stages)
        self.extract = nn.ModuleList(Ask(channels, heads, shared=False) for _ in stages)
        self.whiten = nn.BatchNorm1d(channels, EPS, affine=False)

    @property
    def num_prefix_tokens(self) -> int:
        """How many of the transformer's tokens are no place of the picture."""
        return int(self.vit.num_prefix_tokens)

    def forward_features(self, x: Float[Tensor, "b 3 p p"]) -> Float[Tensor, "b n c"]:
        """The pyramid's tokens after the last stage."""
        vit: Any = self.vit
        local: Tensor = self.pyramid(x)
        tokens = torch.cat([vit.cls_token.expand(len(x), -1, -1), vit.patch_embed(x)], 1) + vit.pos_embed
        beside = zip(vit.blocks, self.bottlenecks, strict=True)
        for blocks, inject, extract in zip(self.stages, self.inject, self.extract, strict=True):
            tokens = inject(tokens, local)
            for _ in range(blocks):
                block, bottleneck = next(beside)
                tokens = tokens + block.attn(block.norm1(tokens))
                tokens = tokens + block.mlp(block.norm2(tokens)) + bottleneck(tokens)
            local = extract(local, tokens)
        return local

    def forward_head(self, local: Float[Tensor, "b n c"], pre_logits: bool = True) -> Float[Tensor, "b c"]:
        """The first token behind the transformer's norm, each of its numbers brought to mean 0 and variance 1."""
        seen: Tensor = self.whiten(self.vit.norm(local)[:, 0])
        return seen


def base16() -> Detector:
    """ViT-B/16 at 224 px, frozen: 85.8 million parameters that need --weights (the paper takes those of ImageNet-21k),
    and 16.9 million that learn.
    """
    import timm

    return on(timm.create_model("vit_base_patch16_224", num_classes=0))


def on(vit: nn.Module, stages: Sequence[int] = STAGES) -> Detector:
    """The published adapters about a frozen transformer of timm's."""
    body = Adapted(vit, stages, BOTTLENECK, WIDTH, HEADS)
    side = int(body.vit.patch_embed.img_size[0])
    return Detector(body, Sight(side), f"extract.{len(stages) - 1}.asked", backbone="body.vit", frozen=True)


def small() -> Detector:
    """Three blocks behind a stem of convolutions on the noise residual at 112 px, all of it trained, 0.3 million
    parameters.
    """
    from timm.models.vision_transformer import VisionTransformer

    stem: Any = ConvStem
    vit = VisionTransformer(112, 8, embed_dim=64, depth=3, num_heads=4, num_classes=0, embed_layer=stem)
    body = Adapted(vit, (1, 1, 1), 16, 12, 4)
    return Detector(body, Sight(112), "extract.2.asked", arrange=frame_residual, backbone="body.vit")


def published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint of the released code ("state_dict" or "best_state_dict" in it) under the names of
    `deepfake-adapter`, transformer included; raises BadInput for another network's.

    Its authors gave no trained weights away, so such a file is what their code left on somebody's own machine.
    """
    with torch.device("meta"):
        net = base16()
    return of_names(tensors, net)


def of_names(tensors: Mapping[str, Tensor], net: Detector) -> dict[str, Tensor]:
    """Tensors of the released code's names under those of `net`, a detector that `on` made."""
    body: Any = net.body
    prefixes = dict(_prefixes(len(body.bottlenecks), len(body.stages)))
    found = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        if name in prefixes or layer in prefixes:
            found[prefixes.get(name) or f"{prefixes[layer]}.{kind}"] = tensor
        elif layer != "head.1":
            inner = name.startswith(("cls_token", "pos_embed", "patch_embed.", "blocks.", "norm."))
            found[f"body.vit.{name}" if inner else name] = tensor  # what is too much is then said
    try:
        found |= {f"head.{kind}": one_logit(tensors[f"head.1.{kind}"]) for kind in ("weight", "bias")}
    except KeyError as error:
        raise BadInput(
            f"This is not a checkpoint of deepfake-adapter: {error.args[0]} is missing.",
            "Give the state_dict that the released code saved.",
        ) from error
    return checked(found, lambda: net, "deepfake-adapter")


def _prefixes(blocks: int, stages: int) -> Iterator[tuple[str, str]]:
    """The released code's names of layers and parameters and ours, but for the transformer's own."""
    for i in range(blocks):
        yield f"blocks.{i}.adaptor.down_proj", f"body.bottlenecks.{i}.down"
        yield f"blocks.{i}.adaptor.up_proj", f"body.bottlenecks.{i}.up"
        yield f"blocks.{i}.adaptor.scale", f"body.bottlenecks.{i}.scale"
    yield "level_embed", "body.pyramid.levels"
    yield "head.0", "body.whiten"
    for i in (0, 1, 3, 4, 6, 7):
        yield f"spm.stem.{i}", f"body.pyramid.stem.{i}"
    for i in range(3):
        yield f"spm.conv{i + 2}.0", f"body.pyramid.maps.{i}.0"
        yield f"spm.conv{i + 2}.1", f"body.pyramid.maps.{i}.1"
        yield f"spm.fc{i + 2}", f"body.pyramid.tokens.{i}"
    parts = (("query_norm", "norm"), ("feat_norm", "asked"), ("self_attn", "attention"))
    for i in range(stages):
        yield f"interactions.{i}.injector.gamma", f"body.inject.{i}.share"
        for theirs, ours in (("injector", "inject"), ("extractor", "extract")):
            for part, own in (*parts, ("self_attn.out_proj", "attention.out_proj")):
                yield f"interactions.{i}.{theirs}.{part}", f"body.{ours}.{i}.{own}"


def _conv(before: int, after: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
