"""Train the starter tri-plane prior on synthetic people: first as a field, then as a picture.

    python recipes/world_data.py --out runs/world --looks 5400

    P="python recipes/prior_3d.py --data runs/world"
    $P --out runs/field --stage field --steps 7400 --publish runs/a
    $P --out runs/picture --stage picture --steps 1900 --lr 0.004 --start runs/a --publish PRIOR

The world knows density and colour at every point, so the first stage needs no ray: it asks the planes and the decoder
for colour and signed distance near the surface. The second renders patches through the super-resolution and compares
them with the world's pictures. Both resume: run the same command again.
"""

import argparse
import copy
import json
from dataclasses import dataclass
from pathlib import Path

import figures
import torch
from prior_losses import field_losses, patch_losses
from supervised import adam_by_part, average, schedule
from torch import Tensor
from world_data import expand, read_chunk

from selfsame.core import camera as cameras
from selfsame.core import image, rng
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.nets.triplane import STARTER_3D, TriPlane
from selfsame.tasks.prior import load_prior, prior_card, save_prior
from selfsame.train import loop
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
    """One stage: steps of `batch` looks; Adam's learning rate at the top of its cosine."""

    stage: str
    steps: int
    batch: int = 4
    lr: float = 5e-3


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
        command=f"python recipes/prior_3d.py --stage {config.stage} --steps {config.steps}",
    )
    save_prior(net, folder, card)


def train(looks: Looks, net: TriPlane, folder: Path, config: PriorTraining) -> TriPlane:
    """One stage on the one loop; returns the average of its weights."""
    ema = copy.deepcopy(net).requires_grad_(False)
    adam = adam_by_part(net, config.lr)
    devices = here("bf16")

    def step(index: int) -> dict[str, Tensor]:
        g = rng.generator(1, config.stage, index)
        s, code = looks.batch(config.batch, index + FIRST_DRAW[config.stage])
        schedule(adam, config.lr, index, config.steps)
        w_plus = net.map(code)
        with devices.autocast():
            planes = net.planes(w_plus)
        planes = planes.float()
        losses = field_losses(net, planes, w_plus[:, -1], s, g)
        total = 8 * losses["detail"] + 2 * losses["colour"] + losses["density"] + losses["backdrop"]
        if config.stage == "picture":
            losses |= patch_losses(net, planes, w_plus[:, -1], s, g)
            total = 0.5 * total + losses["raw"] + 2 * losses["sharp"] + 2 * losses["edges"]
        adam.zero_grad()
        total.backward()
        adam.step()
        average(ema, net, min(EMA, (1 + index) / (10 + index)))
        return {name: value.detach() for name, value in losses.items()}

    def say(done: int, losses: dict[str, float]) -> None:
        if done % 25 == 0:
            print(json.dumps({"step": done} | {k: round(v, 5) for k, v in losses.items()}), flush=True)
        if done % SAVE_EVERY == 0:
            print(
                json.dumps({"step": done, "selection_psnr": round(preview(ema, folder / "preview.png"), 2)}), flush=True
            )

    state = {"net": net, "ema": ema, "adam": adam}
    loop.run(loop.Run(folder, config, config.steps, SAVE_EVERY), state, step, on_step=say)
    return ema


def main() -> None:
    """Train one stage, measure it on people never seen, and write it as a prior."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True, help="the run's folder")
    options.add_argument("--stage", choices=sorted(FIRST_DRAW), required=True)
    options.add_argument("--steps", type=int, required=True)
    options.add_argument("--lr", type=float, default=5e-3)
    options.add_argument("--start", type=Path, help="a prior to start from")
    options.add_argument("--publish", type=Path, required=True, help="the prior's folder")
    given = options.parse_args()
    keep_freed_memory()
    net = load_prior(given.start).net.requires_grad_(True).train() if given.start else build()
    config = PriorTraining(given.stage, given.steps, lr=given.lr)
    publish(train(Looks(given.data), net, given.out, config), given.publish, config)


if __name__ == "__main__":
    main()
