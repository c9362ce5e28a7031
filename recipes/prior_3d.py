"""Train the starter tri-plane prior on synthetic people: first as a field, then as a picture.

    python recipes/world_data.py --out runs/world --looks 8400

    P="python recipes/prior_3d.py --data runs/world --stage"
    $P field --px 16 --steps 2000 --out runs/f16 --publish runs/a
    $P field --px 32 --steps 2000 --start runs/a --out runs/f32 --publish runs/b
    $P field --px 64 --steps 2500 --lr 0.02 --start runs/b --out runs/f64 --publish runs/c
    $P field --steps 2000 --lr 0.02 --start runs/c --out runs/f128 --publish runs/d
    $P picture --steps 1200 --lr 0.01 --adversarial 0.02 --start runs/d --out runs/picture --publish runs/e
    $P field --steps 4000 --lr 0.02 --start runs/e --out runs/g128 --publish runs/f
    $P picture --steps 4200 --lr 0.01 --adversarial 0.02 --start runs/f --out runs/sharp --publish PRIOR

The world knows density and colour at every point, so the first stage needs no ray: it asks the planes and the decoder
for colour and signed distance near the surface, on small planes first. The second renders patches through the
super-resolution and compares them with the world's pictures; a discriminator asks for patches as sharp as photos. Both
resume: run the same command again.
"""

import argparse
import copy
import json
from dataclasses import dataclass
from pathlib import Path

import figures
import torch
from prior_losses import field_losses, patch_losses
from supervised import Rival, adam_by_part, schedule
from torch import Tensor
from world_data import expand, read_chunk

from selfsame.core import camera as cameras
from selfsame.core import image, rng
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.nets.triplane import STARTER_3D, TriPlane
from selfsame.tasks.prior import load_prior, prior_card, save_prior
from selfsame.train import adversarial, loop
from selfsame.train.checkpoint import State
from selfsame.train.devices import here
from selfsame.world import person, render, surface
from selfsame.world.album import album_cameras, photograph
from selfsame.world.surface import Surface

FIRST_DRAW = {"field": 0, "picture": 10**6}  # where each stage enters the endless shuffled draw of looks
SAVE_EVERY = 250
EMA = 0.998
TEST_FIRST, RANDOM_PEOPLE = 700_000, 400  # seeds that no recipe trains on


@dataclass(frozen=True)
class PriorTraining:
    """One stage: steps of `batch` looks; Adam's learning rate at the top of its cosine; planes of `px`.

    With `adversarial` 0 there is no discriminator; it sees the patches of stage picture.
    """

    stage: str
    steps: int
    batch: int = 4
    lr: float = 3e-2
    px: int = STARTER_3D.plane_px
    adversarial: float = 0.0


class Looks:
    """All chunks in memory (compact), drawn in epochs that are a function of the step."""

    def __init__(self, folder: Path) -> None:
        chunks = [read_chunk(path) for path in sorted(folder.glob("chunk_*.safetensors"))]
        self.parts = [surface_ for surface_, _ in chunks]
        self.codes = torch.cat([code for _, code in chunks])
        self.size = len(chunks[0][1])

    def batch(self, count: int, step: int) -> tuple[Surface, Tensor]:
        """The surfaces and codes of one step."""
        which = rng.batch_indices(len(self.codes), count, 0, step)
        rows = [self.parts[int(i) // self.size][int(i) % self.size : int(i) % self.size + 1] for i in which]
        joined = Surface(**{name: torch.cat([getattr(r, name) for r in rows]) for name in vars(rows[0])})
        return expand(joined), self.codes[which]


def build() -> TriPlane:
    """The untrained generator, the same on every machine."""
    torch.manual_seed(0)
    return TriPlane(STARTER_3D)


@torch.no_grad()
def preview(net: TriPlane, path: Path, px: int = 128) -> float:
    """Eight selection people: the world above, the prior below, at two views; returns the PSNR of the sixteen."""
    people = list(range(500_000, 500_008))
    look = person.draw_photos(people, 500_000)
    code = person.encode(look)
    s = surface.surface(look)
    rows, errors = [], []
    for yaw in (0.0, 0.6):
        camera = cameras.facing(torch.full((8,), yaw), torch.zeros(8))
        truth = render.render(s, camera, px).image
        made = net(net.map(code), camera)
        rows += [truth, made.image, image.resize(made.raw, px)]
        errors.append((made.image - truth).clamp(-2, 2).square().mean((1, 2, 3)))
    image.save(image.grid(torch.cat(rows), columns=8), path)
    return float((10 * torch.log10(4 / torch.cat(errors))).mean())


@torch.no_grad()
def measure(net: TriPlane, people: int) -> tuple[Measured, ...]:
    """Unseen people from their codes, at random views, against the world's pictures; random people against photos;
    surfaces against the true ones."""
    seeds = list(range(TEST_FIRST, TEST_FIRST + people))
    look = person.draw_photos(seeds, TEST_FIRST)
    view = album_cameras(people, rng.generator(TEST_FIRST, "views"))
    truth = photograph(look, view, net.config.image_px)
    code = person.encode(look)
    made = torch.cat([net(net.map(part), view[slice(i, i + 8)]).image for i, part in _eights(code)])
    z = torch.randn(RANDOM_PEOPLE, net.config.z_dim, generator=rng.generator(TEST_FIRST, "random people"))
    around = album_cameras(RANDOM_PEOPLE, rng.generator(TEST_FIRST, "random views"))
    drawn = torch.cat([net(net.map(part), around[slice(i, i + 8)]).image for i, part in _eights(z)])
    return (*figures.against_truth(made, truth), *figures.against_photos(drawn), *figures.depth(net))


def _eights(codes: Tensor) -> list[tuple[int, Tensor]]:
    return [(i, codes[i : i + 8]) for i in range(0, len(codes), 8)]


def publish(net: TriPlane, folder: Path, config: PriorTraining) -> None:
    """Measure on people never seen (at the last stage) and write the prior with its card."""
    measured = measure(net, 100) if config.stage == "picture" else ()
    for figure in measured:
        print(figure)
    card = prior_card(
        net.config,
        seed=0,
        licence="Apache-2.0",
        measured=measured,
        command=(
            f"python recipes/prior_3d.py --stage {config.stage} --steps {config.steps} --lr {config.lr}"
            f" --adversarial {config.adversarial}"
        ),
    )
    save_prior(net, folder, card)


def train(looks: Looks, net: TriPlane, folder: Path, config: PriorTraining) -> TriPlane:
    """One stage on the one loop; returns the average of its weights."""
    ema = copy.deepcopy(net).requires_grad_(False)
    adam = adam_by_part(net, config.lr)
    devices = here("bf16")
    rival = Rival(devices) if config.adversarial else None

    def step(index: int) -> dict[str, Tensor]:
        g = rng.generator(1, config.stage, index)
        s, code = looks.batch(config.batch, index + FIRST_DRAW[config.stage])
        schedule(adam, config.lr, index, config.steps)
        w_plus = net.map(code)
        with devices.autocast():
            planes = net.planes(w_plus, until_px=config.px)
        planes = planes.float()
        losses = field_losses(net, planes, w_plus[:, -1], s, g)
        total = 8 * losses["detail"] + 2 * losses["colour"] + losses["density"] + losses["backdrop"]
        if config.stage == "picture":
            seen, sharp, want = patch_losses(net, planes, w_plus[:, -1], s, g)
            losses |= seen
            total = 0.5 * total + losses["raw"] + 2 * losses["sharp"] + 2 * losses["edges"]
            if rival is not None:
                losses["adversarial"] = adversarial.generator_loss(rival.verdict(sharp)).mean()
                total = total + config.adversarial * losses["adversarial"]
        adam.zero_grad()
        total.backward(inputs=list(net.parameters()))
        adam.step()
        if config.stage == "picture" and rival is not None:
            losses["rival"] = rival.learn(want, sharp.detach(), index)
        adversarial.average(ema, net, min(EMA, (1 + index) / (10 + index)))
        return {name: value.detach() for name, value in losses.items()}

    def say(done: int, losses: dict[str, float]) -> None:
        if done % 25 == 0:
            print(json.dumps({"step": done} | {k: round(v, 5) for k, v in losses.items()}), flush=True)
        if done % SAVE_EVERY == 0 and config.px == net.config.plane_px:
            psnr = preview(ema, folder / "preview.png")
            print(json.dumps({"step": done, "selection_psnr": round(psnr, 2)}), flush=True)

    state: State = {"net": net, "ema": ema, "adam": adam}
    if rival is not None:
        state |= rival.state
    loop.run(loop.Run(folder, config, config.steps, SAVE_EVERY), state, step, on_step=say)
    return ema


def main() -> None:
    """Train one stage, measure it on people never seen, and write it as a prior."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True, help="the run's folder")
    options.add_argument("--stage", choices=sorted(FIRST_DRAW), required=True)
    options.add_argument("--steps", type=int, required=True)
    options.add_argument("--lr", type=float, default=PriorTraining.lr)
    options.add_argument("--px", type=int, default=PriorTraining.px, help="stage field: the size of the planes")
    options.add_argument("--adversarial", type=float, default=0.0, help="the weight of the discriminator's verdict")
    options.add_argument("--start", type=Path, help="a prior to start from")
    options.add_argument("--publish", type=Path, required=True, help="the prior's folder")
    given = options.parse_args()
    if given.adversarial and given.stage == "field":
        options.error("--adversarial is for stage picture: stage field makes no pictures.")
    keep_freed_memory()
    net = load_prior(given.start).net.requires_grad_(True).train() if given.start else build()
    config = PriorTraining(given.stage, given.steps, lr=given.lr, px=given.px, adversarial=given.adversarial)
    publish(train(Looks(given.data), net, given.out, config), given.publish, config)


if __name__ == "__main__":
    main()
