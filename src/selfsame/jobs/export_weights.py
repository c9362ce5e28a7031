"""`selfsame weights export`: weights in the layouts of published code, which an import reads back bit for bit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from selfsame.convert import nvidia, peft, rosinality
from selfsame.convert.networks import CARD_KEY, MEAN_KEY, PARTS_KEY
from selfsame.core import store, weights
from selfsame.core.config import replacing, to_json, write_atomic
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import Card, config_of
from selfsame.jobs import history, merging
from selfsame.jobs.import_weights import SAM_FOLDER
from selfsame.jobs.networks import DISCRIMINATOR
from selfsame.nets.age import AGE_JUDGE
from selfsame.nets.judges import IDENTITY_JUDGE
from selfsame.nets.stylegan2 import Discriminator, DiscriminatorConfig, StyleGAN2, StyleGAN2Config
from selfsame.nets.triplane import TriPlane, TriPlaneConfig
from selfsame.tasks import anchors, encoders, model, model2d, prior, prior2d, reage, time_machine
from selfsame.tasks.personal import PersonalConfig


@dataclass(frozen=True)
class Exported:
    """What was written: the layout, how many tensors, the files, and what to know of it."""

    layout: str
    tensors: int
    files: tuple[Path, ...]
    note: str


Payload = Callable[[Path, dict[str, Tensor], Card], dict[str, Any]]
Writer = Callable[[Path, Path, str, str | None], Exported]
"""What writes the weights of a folder as a file or folder in the layout of this name, with the prior they stand on."""
MERGED = "merged"  # the one layout that needs another network too


def export(folder: Path, out: Path, layout: str | None = None, made_on: str | None = None) -> Exported:
    """Write the weights in `folder`, or its model's current state, as `out`, a file, or of a person's model a folder.

    `made_on` is the prior that a person's model stands on, for the layout "merged", where it has no name here. Raises
    WrongUse for a layout that its kind does not have, BadInput where there are no weights or `out` is there.
    """
    folder = history.current(folder)
    kind = weights.kind_of(folder)
    if kind not in LAYOUTS:
        raise WrongUse(f"There is no published layout for a {kind}.", f"There is one for: {', '.join(LAYOUTS)}.")
    layout = layout or next(iter(LAYOUTS[kind]))
    if layout not in LAYOUTS[kind]:
        raise WrongUse(f"A {kind} has no layout {layout}.", f"Give --layout {' or '.join(LAYOUTS[kind])}.")
    if made_on is not None and layout != MERGED:
        raise WrongUse(f"The layout {layout} needs no prior.", f"Leave out --prior, or give --layout {MERGED}.")
    if out.exists():
        raise BadInput(f"{out} is there already.", "Delete it, or give another name.")
    return LAYOUTS[kind][layout](folder, out, layout, made_on)


def _file(payload: Payload) -> Writer:
    """A writer of one file of torch's with this payload."""

    def write(folder: Path, out: Path, layout: str, made_on: str | None) -> Exported:
        found = payload(folder, *weights.load(folder))
        with replacing(out) as file:
            torch.save(found, file)
        count = sum(len(v) if isinstance(v, dict) else isinstance(v, Tensor) for v in found.values())
        return Exported(layout, count, (out,), NOTES.get(layout, ""))

    return write


def _nvidia(key: str, kind: type[Any], build: Callable[[Any], nn.Module]) -> Payload:
    def payload(folder: Path, tensors: dict[str, Tensor], card: Card) -> dict[str, Any]:
        found = nvidia.published(tensors, lambda: build(config_of(card, kind)))
        return {key: found, CARD_KEY: to_json(card)}

    return payload


def _rosinality(folder: Path, tensors: dict[str, Tensor], card: Card) -> dict[str, Any]:
    config = config_of(card, StyleGAN2Config)
    mean = tensors["mapping.w_avg"]
    return {"g_ema": rosinality.published(tensors, config), "latent_avg": mean, CARD_KEY: to_json(card)}


def _psp(folder: Path, tensors: dict[str, Tensor], card: Card) -> dict[str, Any]:
    return _family(prior_of(folder, card), "encoder.", tensors, {"inversion": card})


def _sam(folder: Path, tensors: dict[str, Tensor], card: Card) -> dict[str, Any]:
    inversion, own = weights.load(folder / reage.INVERSION_FOLDER, encoders.KIND)
    payload = _family(prior_of(folder, card), "pretrained_encoder.", inversion, {"sam": card, "inversion": own})
    payload["state_dict"] |= {f"encoder.{name}": tensor for name, tensor in tensors.items()}
    return payload


def _mytm(folder: Path, tensors: dict[str, Tensor], card: Card) -> dict[str, Any]:
    payload = _sam(folder / SAM_FOLDER, *weights.load(folder / SAM_FOLDER, reage.KIND))
    payload["state_dict"] |= {f"blender.{name}": tensor for name, tensor in tensors.items()}
    return payload


def prior_of(folder: Path, card: Card) -> Path:
    """The folder of the StyleGAN2 that encoders belong to; raises BadInput where it has no name on this machine."""
    beside = folder / reage.PRIOR_FOLDER
    name = store.name_of(card.prior_digest or "")
    if not beside.is_dir() and name is None:
        raise BadInput(f"The StyleGAN2 of {folder} is not on this machine.", "Import it first.")
    return beside if beside.is_dir() else store.find(str(name))


def _family(
    prior_folder: Path, prefix: str, inversion: Mapping[str, Tensor], cards: Mapping[str, Card]
) -> dict[str, Any]:
    """pSp's file: the decoder, and an inversion encoder under a prefix."""
    decoder, card = weights.load(prior_folder, prior2d.KIND)
    published = rosinality.published(decoder, config_of(card, StyleGAN2Config))
    state = {f"{prefix}{n.removeprefix('encoder.')}": t for n, t in inversion.items() if n != "latent_avg"}
    state |= {f"decoder.{name}": tensor for name, tensor in published.items()}
    main = next(iter(cards.values()))
    texts = {role: to_json(c) for role, c in {**cards, "prior": card}.items()}
    own = {CARD_KEY: to_json(main), PARTS_KEY: texts, MEAN_KEY: decoder["mapping.w_avg"]}
    published_settings = {"start_from_encoded_w_plus": True}
    return {"state_dict": state, "latent_avg": inversion["latent_avg"], "opts": published_settings, **own}


def _plain(folder: Path, tensors: dict[str, Tensor], card: Card) -> dict[str, Any]:
    return dict(tensors)


def _dex(folder: Path, tensors: dict[str, Tensor], card: Card) -> dict[str, Any]:
    return {"state_dict": dict(tensors)}


def _merged(folder: Path, out: Path, layout: str, made_on: str | None) -> Exported:
    count = merging.merge(folder, out, made_on)
    return Exported(layout, count, (out / weights.WEIGHTS_FILE, out / weights.CARD_FILE), NOTES[layout])


def _peft(folder: Path, out: Path, layout: str, made_on: str | None) -> Exported:
    tensors, card = weights.load(folder)
    config = config_of(card, PersonalConfig).low_rank
    if config is None:
        raise BadInput(f"{folder} was tuned in full and has no low-rank weights.", "There is no layout for it.")
    published = peft.published(tensors)
    with replacing(out / peft.TENSORS_FILE) as file:
        save_file(published, file, {"format": "pt"})
    record = peft.config(published, config, card.prior_digest or "", to_json(card))
    write_atomic(out / peft.CONFIG_FILE, record)
    write_atomic(out / anchors.ANCHORS_FILE, (folder / anchors.ANCHORS_FILE).read_bytes())
    files = tuple(out / name for name in (peft.TENSORS_FILE, peft.CONFIG_FILE, anchors.ANCHORS_FILE))
    return Exported(layout, len(published), files, NOTES[layout])


NOTES = {
    "nvidia": "A state dict for NVIDIA's classes: G_ema.load_state_dict(torch.load(...)['G_ema']).",
    "rosinality": "A checkpoint for rosinality's Generator, and for pSp and SAM as their StyleGAN2.",
    MERGED: "A prior for all that takes one: `--prior`, selfsame.load. The codes of the photos stay with the model.",
    "peft": "The names of PEFT; its own layers cannot run them, for a modulated convolution is none of its layers.",
}
LAYOUTS: dict[str, dict[str, Writer]] = {
    prior.KIND: {"nvidia": _file(_nvidia("G_ema", TriPlaneConfig, TriPlane))},
    prior2d.KIND: {
        "nvidia": _file(_nvidia("G_ema", StyleGAN2Config, StyleGAN2)),
        "rosinality": _file(_rosinality),
    },
    DISCRIMINATOR: {"nvidia": _file(_nvidia("D", DiscriminatorConfig, Discriminator))},
    encoders.KIND: {"psp": _file(_psp)},
    reage.KIND: {"sam": _file(_sam)},
    time_machine.KIND: {"mytm": _file(_mytm)},
    model.KIND: {"peft": _peft, MERGED: _merged},
    model2d.KIND: {MERGED: _merged},
    IDENTITY_JUDGE: {"plain": _file(_plain)},
    AGE_JUDGE: {"dex": _file(_dex)},
}
