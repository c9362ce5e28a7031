"""The published files that can be imported: how each is recognised and converted, and on what terms it comes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from selfsame.convert import aging, eg3d, judges, my3dgen, nvidia, peft, rosinality
from selfsame.convert.networks import Converted
from selfsame.convert.values import Object
from selfsame.core.errors import BadInput, WrongUse

NVIDIA = "NVIDIA Source Code License: research and evaluation, not commercial; the terms that came with the file bind."
FFHQ = "Code MIT. Its StyleGAN2 is under NVIDIA's non-commercial licence, its data (FFHQ) CC BY-NC-SA 4.0."


@dataclass(frozen=True)
class Kind:
    """One kind of published file: what it is, what imports it, whether it is one person's, and on what terms it comes.

    `convert` takes the file's value, and for LPIPS that of a second file with the heads.
    """

    what: str
    use: str
    licence: str
    convert: Callable[[Any, Any], Converted]
    personal: bool = False


def _alone(convert: Callable[[Any], Converted]) -> Callable[[Any, Any], Converted]:
    return lambda value, _: convert(value)


KINDS: dict[str, Kind] = {
    "eg3d": Kind("an EG3D generator", "selfsame fit NAME --prior {name}", NVIDIA, _alone(eg3d.generator)),
    "stylegan2": Kind(
        "a StyleGAN2 of NVIDIA's, or one tuned by PTI", "selfsame train prior --start {name}", NVIDIA,
        _alone(nvidia.stylegan2),
    ),
    "stylegan2-discriminator": Kind(
        "the discriminator of a StyleGAN2 snapshot",
        "selfsame train prior --start STYLEGAN2 --discriminator {name}", NVIDIA, _alone(nvidia.discriminator),
    ),
    "rosinality": Kind(
        "a StyleGAN2 in rosinality's layout", "selfsame train prior --start {name}", NVIDIA,
        _alone(rosinality.stylegan2),
    ),
    "psp": Kind(
        "pSp: an encoder that inverts photos, with its StyleGAN2",
        "selfsame.tasks.encoders.load (Python), selfsame train prior --start {name}/prior", FFHQ, _alone(aging.psp),
    ),
    "sam": Kind("SAM: re-aging for everybody", "selfsame age render NAME PHOTO --to 70 --sam {name}", FFHQ,
                _alone(aging.sam)),
    "mytm": Kind(
        "a MyTimeMachine checkpoint: one person's aging, with the SAM it was trained on",
        "selfsame age render NAME PHOTO --to 70 --sam {name}/sam, as NAME's own where --out was people/NAME/models/age",
        FFHQ, _alone(aging.mytm), personal=True,
    ),
    "my3dgen": Kind(
        "a My3DGen snapshot: one person's low-rank weights on EG3D",
        "selfsame show NAME --orbit, where --out was people/NAME/models/main",
        NVIDIA, _alone(my3dgen.snapshot), personal=True,
    ),
    "mystyle": Kind(
        "MyStyle's output: a StyleGAN2 tuned to one person, without its mapping",
        "selfsame show NAME --sample 9, where --out was people/NAME/models/main",
        NVIDIA, _alone(nvidia.mystyle), personal=True,
    ),
    "peft": Kind(
        "an adapter that selfsame exported in PEFT's layout",
        "selfsame show NAME --orbit, where --out was people/NAME/models/main",
        "The photographed person's, and of the prior.", _alone(peft.adapter), personal=True,
    ),
    "arcface": Kind(
        "ArcFace's IR-SE50: who is on a picture", "--identity-judge {name}",
        "Code MIT; trained on MS-Celeb-1M, which its makers withdrew: research only.", _alone(judges.arcface),
    ),
    "dex": Kind(
        "DEX's age classifier", "--age-judge {name}",
        "InterDigital's limited evaluation licence: research and evaluation, not commercial.", _alone(judges.dex),
    ),
    "lpips": Kind(
        "LPIPS: how alike two pictures look", "--lpips {name}", "BSD-3-Clause (torchvision) and BSD-2-Clause (LPIPS).",
        judges.lpips,
    ),
}  # fmt: skip


def recognise(value: Any) -> str:
    """The kind of a file by the names in it; raises BadInput where it is none that is known here."""
    if isinstance(value, Object):
        return _module_kind(value)
    if isinstance(value, tuple) and any(isinstance(v, Object) and _is_tensorflow(v) for v in value[:3]):
        raise _tensorflow()
    if not isinstance(value, dict):
        raise BadInput("This file holds no network.", f"Known kinds: {', '.join(KINDS)}.")
    generator = nvidia.module(value, nvidia.GENERATORS)
    if generator is not None:
        return _module_kind(generator)
    return _names_kind(value)


def _module_kind(value: Object) -> str:
    if _is_tensorflow(value):
        raise _tensorflow()
    names = nvidia.state(value).keys()
    if any(name.endswith("lora_A") for name in names):
        return "my3dgen"
    if "backbone.synthesis.b4.const" in names:
        return "eg3d"
    if "synthesis.b4.const" in names:
        return "stylegan2"
    if "b4.const" in names:
        return "mystyle"
    if "b4.fc.weight" in names:
        return "stylegan2-discriminator"
    raise BadInput(f"This file holds a {value.kind.name}, which is none of the published networks known here.",
                   f"Known kinds: {', '.join(KINDS)}.")  # fmt: skip


SIGNS: tuple[tuple[str, str, str], ...] = (
    ("state_dict", "blender.fc_0.0.weight", "mytm"),
    ("state_dict", "pretrained_encoder.input_layer.0.weight", "sam"),
    ("state_dict", "encoder.input_layer.0.weight", "psp"),
    ("g_ema", "style.1.weight", "rosinality"),
    ("", "style.1.weight", "rosinality"),
    ("G_ema", "backbone.synthesis.b4.const", "eg3d"),
    ("", "backbone.synthesis.b4.const", "eg3d"),
    ("G_ema", "synthesis.b4.const", "stylegan2"),
    ("", "synthesis.b4.const", "stylegan2"),
    ("D", "b4.fc.weight", "stylegan2-discriminator"),
    ("", "b4.fc.weight", "stylegan2-discriminator"),
    ("", "output_layer.3.weight", "arcface"),
    ("state_dict", "fc8_101.weight", "dex"), ("state_dict", "fc8-101.weight", "dex"),
    ("", "fc8_101.weight", "dex"), ("", "fc8-101.weight", "dex"),
    ("", "features.0.weight", "lpips"),
)  # fmt: skip
"""Where a telling tensor lies: the key of the state dict in the file ("" for the file itself), its name, the kind."""


def _names_kind(value: Mapping[Any, Any]) -> str:
    for place, name, kind in SIGNS:
        found = value.get(place) if place else value
        if isinstance(found, dict) and (name in found or f"module.{name}" in found):
            return kind
    if any(str(name).startswith(peft.PREFIX) for name in value):
        return "peft"
    if "lin0.model.1.weight" in value:
        raise BadInput("These are the heads of LPIPS.", "Import AlexNet or VGG16, and give these as --heads.")
    raise BadInput("This file is none of the published networks known here.", f"Known kinds: {', '.join(KINDS)}.")


def _is_tensorflow(value: Object) -> bool:
    return value.kind.module.startswith("dnnlib.tflib")


def _tensorflow() -> BadInput:
    return BadInput("This is a TensorFlow pickle of StyleGAN2.", "Take NVIDIA's PyTorch file of the same network.")


def check(kind: str) -> Kind:
    """The facts of a kind; raises WrongUse for a name that is none."""
    if kind not in KINDS:
        raise WrongUse(f"There is no kind {kind}.", f"Known kinds: {', '.join(KINDS)}.")
    return KINDS[kind]
