"""Vision transformers: detectors of single frames, and the linear probe on a frozen CLIP."""

from typing import Any

from selfsame.detectors.detector import CLIP, Detector, Sight
from selfsame.detectors.residual import ConvStem, frame_residual


def base16() -> Detector:
    """ViT-B/16 at 224 px [Dosovitskiy et al. 2021], 85.8 million parameters; DeepFake-Adapter's backbone."""
    import timm

    return Detector(timm.create_model("vit_base_patch16_224", num_classes=0), Sight(224), "blocks.11.norm1")


def small() -> Detector:
    """Three blocks behind a stem of convolutions on the noise residual at 112 px, 0.4 million parameters."""
    from timm.models.vision_transformer import VisionTransformer

    stem: Any = ConvStem
    body = VisionTransformer(112, 8, embed_dim=96, depth=3, num_heads=3, num_classes=0, embed_layer=stem)
    return Detector(body, Sight(112), "blocks.2.norm1", arrange=frame_residual)


def clip_probe() -> Detector:
    """One linear layer on CLIP's frozen ViT-L/14 [Ojha et al. 2023]: nothing without pretrained weights."""
    import timm

    body = timm.create_model("vit_large_patch14_clip_224", num_classes=0)
    return Detector(body, Sight(224, 1, *CLIP), "blocks.23.norm1", frozen=True)
