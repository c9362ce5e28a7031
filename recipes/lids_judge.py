"""Train the album's judge of lids: is an eye shut? On synthetic people whose lids are known.

    python recipes/lids_judge.py --out runs/lids --people 400 --publish src/selfsame/starter/lids

Every person is photographed eight times at ages from 5 to 90, with lids up, down, and seldom between. Windows around
the eyes are kept, grey; they are shifted, scaled, turned, blurred, relit and made noisy in training, since the eyes
are found by a detector and not known. Half-shut eyes have half a label. People whom nothing trains on measure it. Run
again to resume; several processes share the photographs with --share 0/2 and --share 1/2.
"""

import argparse
import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from chunks import write_missing
from photo_data import blurred, moved, pictures
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import camera as cameras
from selfsame.core import rng, weights
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.faces import lids
from selfsame.faces.lids import STARTER_LIDS, TURNED_DEGREES, LidsNet
from selfsame.metrics import stats
from selfsame.tasks.degrade import GREY
from selfsame.train import loop
from selfsame.world import album as world
from selfsame.world.landmarks import landmarks

TRAIN_FIRST, UNSEEN_FIRST = 4_000_000, 935_000
PEOPLE, LOOKS = 10, 8  # of a chunk; photos of each person
UNSEEN_CHUNKS = 6
SIZE_PX, WINDOW_PX = 128, 40  # of the crop, and of what is kept around an eye
YEARS = (5.0, 90.0)
OPEN, SHUT = 0.35, 0.85  # lids further up, and further down, count as such; between them there is part of a label


@dataclass(frozen=True)
class LidsTraining:
    """The run: steps of `batch` eyes, learning rate with a cosine."""

    steps: int
    batch: int = 128
    lr: float = 2e-3
    seed: int = 0


@dataclass(frozen=True)
class Eyes:
    """Windows (N, 1, w, w) 8-bit of eyes, all as left in the picture, how far the lid is down (N,), whose eyes (N,)."""

    windows: Tensor
    closed: Tensor
    people: Tensor


def draw_lids(count: int, g: torch.Generator) -> Tensor:
    """How far lids are down: of twenty photos nine show open eyes, nine shut ones, two half of each."""
    kind, u = torch.rand(2, count, generator=g)
    between = OPEN + (SHUT - OPEN) * u
    return torch.where(kind < 0.45, OPEN * u.square(), torch.where(kind < 0.9, 1 - (1 - SHUT) * u, between))


def photographed(seed: int) -> Eyes:
    """The eyes on the photos of one person, but for the far ones of turned heads."""
    g = rng.generator(seed, "lids")
    look = world.looks(seed, LOOKS, YEARS)
    look = replace(look, expression=replace(look.expression, lid_close=draw_lids(LOOKS, g)))
    camera = world.album_cameras(LOOKS, g)
    luma = torch.tensor(GREY)[:, None, None]  # OpenCV's, which the album uses
    grey = (pictures(look, camera, SIZE_PX, oversample=2) * luma).sum(1, keepdim=True)
    places = landmarks(look, camera)[:, :2] * 2 - 1  # of both eyes' middles, as grid_sample counts
    yaw = torch.rad2deg(cameras.angles(camera)[0])
    windows, closed = [], []
    for side, far in ((0, yaw > TURNED_DEGREES), (1, yaw < -TURNED_DEGREES)):
        one = window(grey, places[:, side])[~far]
        windows.append(one.flip(3) if side else one)
        closed.append(look.expression.lid_close[~far])
    eight_bit = ((torch.cat(windows) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    found = torch.cat(closed)
    return Eyes(eight_bit, found, torch.full((len(found),), seed))


def window(pictures: Tensor, places: Tensor) -> Tensor:
    """What lies around one place (u, v in [-1, 1]) of each picture, WINDOW_PX a side."""
    theta = (WINDOW_PX / SIZE_PX) * torch.eye(2, 3).repeat(len(pictures), 1, 1)
    theta[:, :, 2] = places
    grid = F.affine_grid(theta, [len(pictures), 1, WINDOW_PX, WINDOW_PX], align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def draw_chunk(first: int, index: int) -> dict[str, Tensor]:
    """The eyes of ten people."""
    made = [photographed(first + index * PEOPLE + i) for i in range(PEOPLE)]
    return {name: torch.cat([vars(one)[name] for one in made]) for name in ("windows", "closed", "people")}


def read(folder: Path, stem: str) -> Eyes:
    """All chunks as one."""
    chunks = [load_file(path) for path in sorted(folder.glob(f"{stem}_*.safetensors"))]
    return Eyes(**{name: torch.cat([c[name] for c in chunks]) for name in ("windows", "closed", "people")})


def jitter(windows: Tensor, g: torch.Generator) -> Tensor:
    """Windows in [-1, 1] as detectors, cameras and light would give them, cut to the patch that the network sees."""
    b = len(windows)
    u = torch.rand(9, b, generator=g) * 2 - 1
    x = moved(windows, 1 + 0.18 * u[0], 0.15 * u[1], 0.13 * u[2:4].T)
    x = blurred(x, u[4].clamp_min(0))
    x = blurred(x, (3 * u[5] - 2).clamp_min(0))
    margin = (WINDOW_PX - lids.PATCH_PX) // 2
    x = x[:, :, margin:-margin, margin:-margin]
    ramp = torch.linspace(-1, 1, lids.PATCH_PX)
    across, down, gamma = (v[:, None, None, None] for v in (0.3 * u[6], 0.2 * u[7], (0.5 * u[8]).exp()))
    lit = ((x + 1) / 2).clamp(0, 1) ** gamma * (1 + across * ramp + down * ramp[:, None])
    return lit + 0.04 * torch.rand(b, 1, 1, 1, generator=g) * torch.randn(lit.shape, generator=g)


def labels(closed: Tensor) -> Tensor:
    """0 for open eyes, 1 for shut ones."""
    return ((closed - OPEN) / (SHUT - OPEN)).clamp(0, 1)


def train(eyes: Eyes, folder: Path, config: LidsTraining) -> LidsNet:
    """The one loop."""
    torch.manual_seed(config.seed)
    net = LidsNet(STARTER_LIDS).train()
    adam = torch.optim.AdamW(net.parameters(), lr=config.lr, weight_decay=1e-3)

    def step(index: int) -> dict[str, Tensor]:
        for group in adam.param_groups:
            group["lr"] = (
                config.lr * min(1, (index + 1) / 50) * (0.51 + 0.49 * math.cos(math.pi * index / config.steps))
            )
        which = rng.batch_indices(len(eyes.windows), config.batch, config.seed, index)
        x = jitter(eyes.windows[which].float() / 127.5 - 1, rng.generator(config.seed, "jitter", index))
        loss = F.binary_cross_entropy_with_logits(net(x), labels(eyes.closed[which]))
        adam.zero_grad()
        loss.backward()
        adam.step()
        return {"loss": loss.detach()}

    def say(done: int, losses: dict[str, float]) -> None:
        if done % 100 == 0:
            print(done, round(losses["loss"], 4), flush=True)

    loop.run(loop.Run(folder, config, config.steps, 500), {"net": net, "adam": adam}, step, on_step=say)
    return net.eval()


@torch.no_grad()
def tell(net: LidsNet, eyes: Eyes) -> tuple[Measured, ...]:
    """On single eyes of unseen people, moved as in training: how often the likelier answer is right."""
    x = jitter(eyes.windows.float() / 127.5 - 1, rng.generator(0, "unseen"))
    shut = torch.cat([net(part) for part in x.split(512)]) > 0
    found = []
    for name, those, wanted in (("open", eyes.closed <= OPEN, False), ("shut", eyes.closed >= SHUT, True)):
        right = (shut[those] == wanted).float().tolist()
        found.append(stats.measure(f"{name} eyes told right", right, better="high", units=eyes.people[those].tolist()))
    return tuple(found)


def main() -> None:
    """Photograph, train, measure, and write the judge with its card."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=400)
    options.add_argument("--steps", type=int, default=4000)
    options.add_argument("--share", help="photograph a part and end, e.g. 0/2")
    options.add_argument("--publish", type=Path, help="where the judge goes")
    given = options.parse_args()
    keep_freed_memory()
    for stem, first, count in (("unseen", UNSEEN_FIRST, UNSEEN_CHUNKS), ("train", TRAIN_FIRST, given.people // PEOPLE)):
        write_missing(given.out, stem, count, partial(draw_chunk, first), given.share or "0/1")
    if given.share:
        return
    config = LidsTraining(given.steps)
    net = train(read(given.out, "train"), given.out / "run", config)
    measured = tell(net, read(given.out, "unseen"))
    for figure in measured:
        print(figure, flush=True)
    if given.publish:
        command = f"python recipes/lids_judge.py --out runs/lids --people {given.people} --steps {given.steps}"
        card = weights.Card("", {}, config.seed, "Apache-2.0", measured=measured, command=command)
        lids.save(given.publish, net, card)


if __name__ == "__main__":
    main()
