"""Personal models of the published code: what they need besides their file, and how they become models here.

A person's numbers mean something on their prior alone, so a file is taken only where everything in it that training
leaves alone equals the prior's, bit for bit.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selfsame.convert import archive, peft
from selfsame.convert.networks import Part, realise
from selfsame.core import weights
from selfsame.core.camera import Camera, facing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import Card
from selfsame.jobs import picture_data
from selfsame.nets.lora import LowRankConfig
from selfsame.tasks import anchors, model, model2d, personal, prior2d
from selfsame.tasks.personal import PAPER_V1, PAPER_V4
from selfsame.tasks.personal2d import TuningConfig
from selfsame.tasks.prior import Prior, Prior2D

TUNED = ("my3dgen", "mystyle")
PERSONAL = (*TUNED, "peft")
LATENT = "_latent"
MYSTYLE_EPOCHS = 1000


@dataclass(frozen=True)
class Extra:
    """What some files need besides themselves.

    `heads`: LPIPS's second file. `ages`: the youngest and the oldest age of the photos behind a MyTimeMachine
    checkpoint. `prior` and `anchors`: what a personal model was tuned from, and the folder of its photos' codes.
    """

    heads: Path | None = None
    ages: tuple[int, int] | None = None
    prior: str | None = None
    anchors: Path | None = None


def check(kind: str, extra: Extra) -> None:
    """Raise WrongUse where a personal file comes without what it needs."""
    if kind == "mytm" and extra.ages is None:
        raise WrongUse(
            "A MyTimeMachine checkpoint does not tell the ages of the photos it was trained on.",
            "Give --ages YOUNGEST OLDEST.",
        )
    if kind in TUNED and (extra.prior is None or extra.anchors is None):
        files = f"*{LATENT}.npy and {picture_data.LABELS_FILE}" if kind == "my3dgen" else "the anchors (*.pt)"
        raise WrongUse(
            "A personal model needs the prior it was tuned from and the codes of its photos.",
            f"Import the prior first, then give --prior NAME and --anchors FOLDER with {files}.",
        )


def write(
    kind: str, parts: Mapping[str, Part], file: Path, folder: Path, facts: Mapping[str, Any], extra: Extra
) -> dict[str, str]:
    """Write a personal model with its anchors; returns its digest by its place.

    Raises BadInput where it was tuned from another prior, or the anchors are not its.
    """
    if kind == "peft":
        return {".": _exported(parts["low-rank"].tensors, file, folder)}
    assert extra.prior is not None
    assert extra.anchors is not None
    found = prior2d.load(extra.prior)
    codes = read_codes(extra.anchors, found)
    if kind == "my3dgen":
        if not isinstance(found, Prior):
            raise BadInput(f"{extra.prior} is a StyleGAN2, and My3DGen needs an EG3D.", "Give another --prior.")
        camera = read_cameras(extra.anchors, list(codes))
        card, tensors = _low_rank(parts, found)
    else:
        if not isinstance(found, Prior2D):
            raise BadInput(f"{extra.prior} is an EG3D, and MyStyle needs a StyleGAN2.", "Give another --prior.")
        camera = facing(torch.zeros(len(codes)), torch.zeros(len(codes)))
        card, tensors = _tuned(parts["synthesis"], found, len(codes))
    terms = anchors.licence_on(found.card.licence)
    saved = weights.save(folder, tensors, replace(card, **(dict(facts) | {"licence": terms})))
    anchors.write(folder, torch.stack(list(codes.values())), camera, list(codes))
    return {".": saved.digest}


def _exported(tensors: Mapping[str, Tensor], file: Path, folder: Path) -> str:
    card = peft.card_beside(file)
    if weights.digest(tensors) != card.digest:
        raise BadInput(f"{file} is not the adapter that the card beside it tells of.", "Copy all of its folder again.")
    codes, camera = anchors.read(file.parent)
    anchors.write(folder, codes, camera, anchors.ids_of(file.parent))
    return weights.save(folder, tensors, card).digest


def _low_rank(parts: Mapping[str, Part], prior: Prior) -> tuple[Card, dict[str, Tensor]]:
    low_rank = parts["low-rank"].config
    assert isinstance(low_rank, LowRankConfig)
    config = replace(PAPER_V1 if low_rank.rank_rule == "loralib" else PAPER_V4, low_rank=low_rank)
    wanted = personal.trained_tensors(personal.prepare(prior.net, config), config)
    tensors = dict(parts["prior"].tensors) | dict(parts["low-rank"].tensors)
    _same_elsewhere(parts["prior"].tensors, prior.net.state_dict(), set(wanted))
    if lacking := [name for name in wanted if name not in tensors or tensors[name].shape != wanted[name].shape]:
        raise BadInput(f"This file lacks {lacking[0]} of My3DGen's low-rank weights.", "It is cut down.")
    return model.model_card(config, prior, "", ""), {name: tensors[name] for name in wanted}


def _tuned(part: Part, prior: Prior2D, photos: int) -> tuple[Card, dict[str, Tensor]]:
    wanted = personal.unmapped(prior.net)
    if any(value != getattr(prior.net.config, name) for name, value in vars(part.config).items()):
        raise BadInput("This model was tuned from a StyleGAN2 of another size.", "Give another --prior.")
    _same_elsewhere(part.tensors, prior.net.state_dict(), set(wanted))
    config = TuningConfig(steps=MYSTYLE_EPOCHS * photos, batch=1)
    card = Card(model2d.KIND, asdict(config), 0, "", prior_digest=prior.digest)
    return card, {name: part.tensors[name] for name in wanted}


def _same_elsewhere(tensors: Mapping[str, Tensor], prior: Mapping[str, Tensor], trained: set[str]) -> None:
    for name, tensor in prior.items():
        if name not in trained and name in tensors and not torch.equal(tensors[name], tensor):
            raise BadInput(f"This model was tuned from another prior: its {name} differs.", "Give another --prior.")


def read_codes(folder: Path, prior: Prior | Prior2D) -> dict[str, Tensor]:
    """The codes (L, w) of a person's photos by name, from a folder of .npy or .pt files, in the order of their names.

    Raises BadInput where there are none, or they are another network's.
    """
    files = sorted(p for p in folder.glob("*") if p.suffix in (".npy", ".pt")) if folder.is_dir() else []
    if not files:
        raise BadInput(f"{folder} holds no codes (.npy or .pt).", "Give the folder with the latents of the photos.")
    shape = (prior.net.num_ws, prior.net.config.w_dim)
    codes: dict[str, Tensor] = {}
    for file in files:
        code = _code(file)
        code = code.float().reshape(-1, shape[1]) if code.shape[-1:] == shape[1:] else torch.empty(0)
        if tuple(code.shape) not in (shape, (1, shape[1])):
            raise BadInput(f"{file.name} holds no code of {shape[0]} x {shape[1]} numbers.", "Give another --anchors.")
        codes[_id(file.stem)] = code.expand(shape).contiguous()
    return codes


def _code(file: Path) -> Tensor:
    if file.suffix == ".pt":
        return realise(archive.open_file(file), file.name)
    try:
        # Mapped, so that a file whose header promises more than it holds asks for no memory.
        return torch.from_numpy(np.load(file, mmap_mode="r", allow_pickle=False).astype(np.float32))
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{file} is damaged or holds no numbers.", "Copy it again.") from error


def read_cameras(folder: Path, names: list[str]) -> Camera:
    """The cameras of photos from EG3D's dataset.json; raises BadInput where one is missing."""
    try:
        labels = {_id(Path(file).stem): label for file, label in picture_data.labels_of(folder).items()}
        return Camera.unpack(torch.tensor([labels[name] for name in names]))
    except (BadInput, KeyError) as error:
        what = f"{folder / picture_data.LABELS_FILE} does not tell the cameras of all photos."
        raise BadInput(what, "Copy it from the training data.") from error


def _id(stem: str) -> str:
    """A photo's id by its file's name: without spaces, which part ids in the file of anchors."""
    return stem.removesuffix(LATENT).replace(" ", "_")
