"""Train the starter inversion encoder, then SAM's age encoder on it, with the starter StyleGAN2 and the judges.

    P="python recipes/encoders.py --data runs/photos --prior src/selfsame/starter/stylegan2"
    $P codes     --steps 2000 --lr 0.003 --out runs/codes --publish runs/inverter0
    $P inversion --steps 800 --lr 0.001 --start runs/inverter0 --out runs/inversion --publish runs/inverter
    $P ages      --steps 1400 --lr 0.003 --inversion runs/inverter --out runs/ages --publish runs/sam0
    $P sam       --steps 320 --lr 0.0007 --start runs/sam0 --out runs/sam --publish src/selfsame/starter/sam

and, when the prior was trained on with its mapping frozen,

    $P inversion --steps 500 --lr 0.0007 --same-mapping --start OLD/inversion --out runs/inversion2 --publish runs/new
    $P sam --steps 220 --lr 0.0005 --same-mapping --start OLD --inversion runs/new --out runs/sam2 --publish runs/sam3
    $P sam --steps 160 --lr 0.0005 --start runs/sam3 --out runs/sam4 --publish SAM

The world tells each photo's code, and the prior's mapping turns it into w: so the first stage learns codes without
making any picture, and the second adds pSp's losses. In the same way the third stage learns what the years do to the
codes of people in general: the target is the code of the same look at another age, and what a photo cannot tell (when
somebody greys, how they wrinkle) averages out over the people of the training. The fourth adds SAM's published losses.
(Those alone keep the hair as it was: to the age judge some wrinkles are enough, and every other term asks for the
photo.) All resume: run the same command again. Measured are people never seen in training.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from photo_data import Photos, read
from prior_2d import latent
from torch import Tensor

from selfsame.core import image, rng, weights
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.core.store import STARTER_FOLDER
from selfsame.losses.latent import code
from selfsame.metrics import portrait, stats
from selfsame.nets import age, judges
from selfsame.nets.encoder import GradualStyleEncoder
from selfsame.tasks import encoders, reage
from selfsame.tasks.aging import SAM_STARTER, begin, train_sam
from selfsame.tasks.encoders import STARTER_INVERSION, Batch, Batches, Inversion, train_inversion
from selfsame.tasks.prior import Prior2D
from selfsame.tasks.prior2d import load_prior2d
from selfsame.tasks.reage import Sam, aged_codes
from selfsame.train import loop, optim
from selfsame.train.devices import Devices, here
from selfsame.world import person

DECADES = (10, 20, 30, 40, 50, 60, 70, 80)
BATCH, CODES_BATCH = 8, 24
YEARS_AT = person.COLUMNS["age"].start


@dataclass(frozen=True)
class AgesTraining:
    """The stage on codes at other ages: steps of `batch` photos, learning rate at the top of its schedule."""

    steps: int
    lr: float
    batch: int = 16


def photo_batches(photos: Photos, prior: Prior2D, device: torch.device, count: int = BATCH) -> Batches:
    """Photos in shuffled epochs with the prior's codes for them; without ages: SAM has them judged."""
    z = latent(photos)

    def batch(step: int) -> Batch:
        which = rng.batch_indices(len(photos), count, 0, step)
        with torch.no_grad():
            w_plus = prior.net.map(z[which].to(device))

        def aged(years: Tensor) -> Tensor:
            with torch.no_grad():
                return prior.net.map(at_years(z[which], years.cpu()).to(device))

        return Batch(photos.images(which).to(device), w_plus=w_plus, aged=aged)

    return batch


def at_years(z: Tensor, years: Tensor) -> Tensor:
    """The codes of the same looks at other ages (N,)."""
    aged = z.clone()
    aged[:, YEARS_AT] = person.encode_record(person.Age(years))[:, 0]
    return aged


class Unseen:
    """Photos of people whom no training saw, and what they are measured with."""

    def __init__(self, folder: Path, judge: judges.Judge, device: torch.device) -> None:
        unseen = read(folder, "unseen")
        photos = unseen.images(slice(None)).to(device)
        self.photos, self.people, self.judge = photos, unseen.people.tolist(), judge

    def figure(self, name: str, values: Tensor, better: Literal["high", "low"]) -> Measured:
        """The mean over people with its interval."""
        return stats.measure(name, values.tolist(), better=better, units=self.people)

    def through(self, make: Callable[[Tensor], Tensor]) -> Tensor:
        """What `make` makes of the photos, at their size."""
        made = torch.cat([make(part) for part in self.photos.split(BATCH)]).clamp(-1, 1)
        return image.resize(made, self.photos.shape[-1])

    def alike(self, made: Tensor) -> Tensor:
        """Cosines of identities."""
        pairs = zip(made.split(64), self.photos.split(64), strict=True)
        return torch.cat([(self.judge.embed(a) * self.judge.embed(b)).sum(1) for a, b in pairs])

    @torch.no_grad()
    def inversion(self, inversion: Inversion, prior: Prior2D) -> tuple[Measured, ...]:
        """How well the prior shows what the encoder found."""
        made = self.through(lambda x: prior.net(inversion.invert(x)))
        return (
            self.figure("PSNR (dB), inversions of unseen people", portrait.psnr(made, self.photos), "high"),
            self.figure("SSIM, inversions of unseen people", portrait.ssim(made, self.photos), "high"),
            self.figure("identity cosine, inversions of unseen people", self.alike(made), "high"),
        )

    @torch.no_grad()
    def sam(self, sam: Sam, years: age.AgeJudge) -> tuple[Measured, ...]:
        """For each target age how far off the judged age is, by the judge of the training, and the likeness."""
        found = []
        for decade in DECADES:
            made = self.through(lambda x, decade=decade: sam.reage(x, decade))  # type: ignore[misc]
            off = torch.cat([years(part) for part in made.split(64)]) - decade
            found.append(self.figure(f"absolute error of judged age (years) at {decade}", off.abs(), "low"))
            found.append(self.figure(f"identity cosine with the photo at {decade}", self.alike(made), "high"))
        return tuple(found)


def say(done: int, losses: dict[str, float]) -> None:
    if done % 25 == 0:
        print(json.dumps({"step": done} | {k: round(v, 4) for k, v in losses.items()}), flush=True)


@torch.no_grad()
def sheet(unseen: Unseen, rows: list[Callable[[Tensor], Tensor]], path: Path) -> None:
    """Eight unseen photos, and below them what each row makes of them."""
    photos = unseen.photos[:16:2]
    made = [image.resize(make(photos).clamp(-1, 1), photos.shape[-1]) for make in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(image.grid(torch.cat([photos, *made]), columns=len(photos)), path)


def train_inverter(given: argparse.Namespace, prior: Prior2D, judge: judges.Judge, devices: Devices) -> None:
    """Stages codes and inversion."""
    net, alone = prior.net, given.stage == "codes"
    sizes = replace(STARTER_INVERSION.encoder, styles=net.num_ws, w_dim=net.config.w_dim)
    config = replace(STARTER_INVERSION, encoder=sizes, steps=given.steps, lr=given.lr)
    if alone:  # a mirrored picture has another code
        config = replace(config, code=1.0, pixel=0.0, perceptual=0.0, identity=0.0, w_norm=0.0, flip=0.0)
    photos = read(given.data, "portraits").at(sizes.input_px)
    data = photo_batches(photos, prior, devices.device, CODES_BATCH if alone else BATCH)
    if given.start:
        start = encoders.load(given.start, started_on(prior, given).digest, devices.device).encoder
    else:
        start = encoders.recognising(sizes, judge.network, 0)
    encoder = train_inversion(prior, data, judge, config, given.out, start=start, devices=devices, on_step=say)
    card = encoders.card_of(config, prior.digest, licence="Apache-2.0", command=command(given))
    inversion, unseen = Inversion(encoder, prior.w_mean, card), Unseen(given.data, judge, devices.device)
    sheet(unseen, [lambda x: net(inversion.invert(x))], given.out / "preview.png")
    measured = unseen.inversion(inversion, prior)
    show(measured)
    encoders.save(given.publish, replace(inversion, card=replace(card, measured=measured)), half=True)


def train_ager(given: argparse.Namespace, prior: Prior2D, judge: judges.Judge, devices: Devices) -> None:
    """Stages ages and sam."""
    years = age.load(given.age_judge, devices.device)
    photos = read(given.data, "portraits").at(STARTER_INVERSION.encoder.input_px)
    if given.stage == "ages":
        inversion = encoders.load(given.inversion, prior.digest, devices.device)
        encoder = learn_ages(inversion, prior, photos, given, devices)
    else:
        begun = reage.load(given.start, started_on(prior, given))
        inversion = begun.inversion
        if given.inversion:
            inversion = encoders.load(given.inversion, prior.digest, devices.device)
        config = replace(SAM_STARTER, steps=given.steps, lr=given.lr)
        data = photo_batches(photos, prior, devices.device)
        encoder = train_sam(
            inversion, prior, data, judge, years, config, given.out,
            start=begun.age_encoder, devices=devices, on_step=say,
        )  # fmt: skip
    card = weights.Card(kind=reage.KIND, config={}, seed=0, licence="Apache-2.0", command=command(given))
    sam, unseen = Sam(encoder, inversion, prior.net, card), Unseen(given.data, judge, devices.device)
    sheet(unseen, [lambda x, d=d: sam.reage(x, d) for d in DECADES], given.out / "preview.png")  # type: ignore[misc]
    measured = unseen.sam(sam, years)
    show(measured)
    reage.save(given.publish, replace(sam, card=replace(card, measured=measured)), half=True)


def learn_ages(
    inversion: Inversion, prior: Prior2D, photos: Photos, given: argparse.Namespace, devices: Devices
) -> GradualStyleEncoder:
    """The age encoder from codes alone: the target of a photo and an age is the code of the look at that age."""
    encoder, z = begin(inversion.encoder, 0), latent(photos)
    adam = encoders.optimizer_of("adam", encoder, given.lr, SAM_STARTER.linear_pace)

    def step(index: int) -> dict[str, Tensor]:
        which = rng.batch_indices(len(photos), AgesTraining.batch, 1, index)
        g = rng.generator(0, "target ages", index)
        target = torch.randint(SAM_STARTER.youngest, SAM_STARTER.oldest + 1, (len(which),), generator=g).float()
        with torch.no_grad():
            wanted = prior.net.map(at_years(z[which], target))
        with devices.autocast():
            found = aged_codes(encoder, inversion, photos.images(which), target)
        loss = code(found.float(), wanted).mean()
        optim.set_lr(adam, optim.projector_lr(index + 1, given.steps + 1, given.lr))
        optim.update(adam, loss)
        return {"code": loss.detach()}

    job = loop.Run(given.out, AgesTraining(given.steps, given.lr), given.steps, 100)
    loop.run(job, {"encoder": encoder, "adam": adam}, step, on_step=say)
    return encoder


def started_on(prior: Prior2D, given: argparse.Namespace) -> Prior2D:
    """The prior under the digest that the start's card names: with the mapping frozen, codes outlive its training."""
    if not given.same_mapping:
        return prior
    _, card = weights.load(given.start)
    return replace(prior, card=replace(prior.card, digest=card.prior_digest or ""))


def command(given: argparse.Namespace) -> str:
    return f"python recipes/encoders.py {given.stage} --steps {given.steps} --lr {given.lr}"


def show(measured: tuple[Measured, ...]) -> None:
    for figure in measured:
        print(figure, flush=True)


STAGES = {"codes": train_inverter, "inversion": train_inverter, "ages": train_ager, "sam": train_ager}


def main() -> None:
    """Train one stage, measure it, and write it with its card."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("stage", choices=STAGES)
    options.add_argument("--data", type=Path, required=True, help="the folder that photo_data.py wrote")
    options.add_argument("--prior", type=Path, required=True)
    options.add_argument("--judge", type=Path, default=STARTER_FOLDER / "judge")
    options.add_argument("--age-judge", type=Path, default=STARTER_FOLDER / "age")
    options.add_argument("--start", type=Path, help="stages inversion and sam: what the stage before published")
    options.add_argument(
        "--same-mapping", action="store_true", help="the prior was trained on since the start, all but its mapping"
    )
    options.add_argument("--inversion", type=Path, help="the inversion encoder; stage sam: else its start's")
    options.add_argument("--out", type=Path, required=True, help="the run's folder")
    options.add_argument("--publish", type=Path, required=True, help="where the weights go")
    options.add_argument("--steps", type=int, required=True)
    options.add_argument("--lr", type=float, default=1e-3)
    given = options.parse_args()
    if given.same_mapping and given.stage == "sam" and not given.inversion:
        options.error("--same-mapping wants --inversion: an inversion encoder trained on with the prior as it is now.")
    keep_freed_memory()
    devices = here("bf16")
    prior = load_prior2d(given.prior)
    STAGES[given.stage](given, prior, judges.load(given.judge, devices.device), devices)


if __name__ == "__main__":
    main()
