"""Vision transformers: detectors of single frames, and the linear probe on a frozen CLIP."""

from selfsame.detectors.detector import CLIP, Detector, Sight


def base16() -> Detector:
    """ViT-B/16 at 224 px [Dosovitskiy et al. 2021], 85.8 million parameters; DeepFake-Adapter's backbone."""
    import timm

    return Detector(timm.create_model("vit_base_patch16_224", num_classes=0), Sight(224), "blocks.11.norm1")


def small() -> Detector:
    """Four blocks of width 128 on patches of 12 px, at 96 px, 0.9 million parameters; judges by its class token."""
    from timm.models.vision_transformer import VisionTransformer

    body = VisionTransformer(96, 12, embed_dim=128, depth=4, num_heads=4, num_classes=0)
    return Detector(body, Sight(96), "blocks.3.norm1")


def clip_probe() -> Detector:
    """One linear layer on CLIP's frozen ViT-L/14 [Ojha et al. 2023]: nothing without pretrained weights."""
    import timm

    body = timm.create_model("vit_large_patch14_clip_224", num_classes=0)
    return Detector(body, Sight(224, 1, *CLIP), "blocks.23.norm1", frozen=True)
