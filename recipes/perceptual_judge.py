"""Train the starter perceptual judge: LPIPS over a small network of our own [Zhang et al. 2018], on synthetic people.

    python recipes/photo_data.py --out runs/photos --people 1700
    python recipes/perceptual_judge.py --data runs/photos --out runs/perceptual --publish JUDGE

The network learns to read the world's code and the camera off a photo, so that what makes pictures differ is in its
features. Then the weights of the channels are fitted on trials: which of two pictures is nearer to a third? The truth
of a trial is the distance of codes, which the world knows. The pictures of a trial are shaken (moved by up to 1.6 px,
turned by up to 2 degrees, scaled by up to 2 %), as reconstructions are never aligned to the pixel. Trials to measure
with are of people never seen. Resumes.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from chunks import write_missing
from photo_data import MAP_PX, Photos, moved, read
from prior_2d import latent
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from selfsame.core import rng, weights
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.losses.image import perceptual
from selfsame.metrics import portrait, stats
from selfsame.nets.lpips import CHANNELS, PERCEPTUAL_JUDGE, Lpips, LpipsConfig
from selfsame.train import loop
from selfsame.train.devices import here
from selfsame.world import person, render
from selfsame.world.album import ALBUM, album_cameras
from selfsame.world.surface import surface

SMALL = LpipsConfig("small")
GROUPS = ("identity", "style", "age", "expression", "light")
TRIALS = 50  # a chunk
TRIAL_TRAIN_FIRST, TRIAL_TEST_FIRST = 2_500_000, 920_000
SIZE_PX = 128
MEAN_DISTANCE = 0.3  # of a trial's pictures: about what LPIPS tells of pictures as different


@dataclass(frozen=True)
class PerceptualTraining:
    """The run on codes: steps of `batch` photos, learning rate with a cosine."""

    steps: int
    batch: int = 32
    lr: float = 1e-3


class CodeReader(nn.Module):
    """The perceptual network with a head that reads codes, for training only."""

    def __init__(self, judge: Lpips, code_dim: int) -> None:
        super().__init__()
        self.judge = judge
        width = CHANNELS["small"][-1]
        self.head = nn.Sequential(nn.Linear(width * 16, 256), nn.ReLU(), nn.Linear(256, code_dim))

    def forward(self, images: Tensor) -> Tensor:
        """Codes (B, code_dim) of images in [-1, 1]."""
        x = self.judge.backbone((images - self.judge.shift) / self.judge.scale)
        codes: Tensor = self.head(F.adaptive_avg_pool2d(x, 4).flatten(1))
        return codes


def train(photos: Photos, folder: Path, config: PerceptualTraining) -> Lpips:
    """The one loop on the code reader."""
    torch.manual_seed(0)
    z = latent(photos, ALBUM).clamp(-3, 3)
    reader = CodeReader(Lpips(SMALL), z.shape[1])
    for layer in reader.judge.backbone:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    reader.judge.backbone.requires_grad_(True)
    trained = [p for p in reader.parameters() if p.requires_grad]
    devices = here("bf16")
    adam = torch.optim.AdamW(trained, lr=config.lr, weight_decay=1e-4)

    def step(index: int) -> dict[str, Tensor]:
        for group in adam.param_groups:
            cosine = 0.51 + 0.49 * math.cos(math.pi * index / config.steps)
            group["lr"] = config.lr * min(1, (index + 1) / 100) * cosine
        which = rng.batch_indices(len(photos), config.batch, 0, index)
        x = soften(photos.images(which), rng.generator(0, "soften", index))
        with devices.autocast():
            found = reader(x).float()
        loss = F.smooth_l1_loss(found, z[which])
        adam.zero_grad()
        loss.backward()
        adam.step()
        return {"loss": loss.detach(), "explained": 1 - (found.detach() - z[which]).square().mean()}

    def say(done: int, losses: dict[str, float]) -> None:
        if done % 25 == 0:
            print(done, {k: round(v, 4) for k, v in losses.items()}, flush=True)

    loop.run(loop.Run(folder, config, config.steps, 100), {"reader": reader, "adam": adam}, step, on_step=say)
    return reader.judge


def soften(photos: Tensor, g: torch.Generator) -> Tensor:
    """Some photos blurred and with a little noise, as reconstructions are; what is read off them stays the same."""
    u = torch.rand(3, len(photos), generator=g)
    small = F.interpolate(F.avg_pool2d(photos, 2), scale_factor=2, mode="bilinear", align_corners=False)
    blurred = photos + (u[0] * (u[1] < 0.4))[:, None, None, None] * (small - photos)
    return blurred + 0.06 * (u[2] ** 2)[:, None, None, None] * torch.randn(photos.shape, generator=g)


def draw_trials(first: int, index: int) -> dict[str, Tensor]:
    """Trials: pictures (T, 3, 3, s, s) of a look and of two changes in one group of traits, and the distances of codes.

    The two changes go in random directions; one is 1.2 to 4 times as far as the other.
    """
    people = [first + index * TRIALS + i for i in range(TRIALS)]
    g = rng.generator(first, "trials", index)
    code = person.encode(person.draw_photos(people, first + index))
    group = torch.randint(len(GROUPS), (TRIALS,), generator=g)
    near = 0.5 + 0.5 * torch.rand(TRIALS, generator=g)
    far = near * (1.2 + 2.8 * torch.rand(TRIALS, generator=g) ** 2)
    swap = torch.rand(TRIALS, generator=g) < 0.5
    sizes = torch.where(swap[:, None], torch.stack([far, near], 1), torch.stack([near, far], 1))
    codes = code[:, None].repeat(1, 3, 1)
    for t in range(TRIALS):
        part = person.COLUMNS[GROUPS[int(group[t])]]
        for k in (0, 1):
            way = F.normalize(torch.randn(part.stop - part.start, generator=g), dim=0)
            codes[t, k + 1, part] += sizes[t, k] * way * (part.stop - part.start) ** 0.5
    distances = (codes[:, 1:] - codes[:, :1]).norm(dim=2)
    view = album_cameras(TRIALS, g)[torch.arange(TRIALS).repeat_interleave(3)]
    marks = person.draw_marks([p for p in people for _ in range(3)])
    look = person.decode(codes.flatten(0, 1), marks)
    shown = [
        render.render(surface(person.select(look, slice(i, i + 3)), MAP_PX), view[slice(i, i + 3)], SIZE_PX, 1).image
        for i in range(0, 3 * TRIALS, 3)
    ]
    pictures = ((torch.stack(shown) + 1) * 127.5).round().to(torch.uint8)
    return {"pictures": pictures, "distances": distances, "group": group}


@dataclass(frozen=True)
class Trials:
    """Pictures (T, 3, 3, s, s) 8-bit, true distances (T, 2) of the second and third to the first, and the group."""

    pictures: Tensor
    distances: Tensor
    group: Tensor

    def images(self, which: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reference and the two candidates as floats."""
        reference, one, other = (self.pictures[which].float() / 127.5 - 1).unbind(1)
        return reference, one, other


def read_trials(folder: Path, stem: str) -> Trials:
    """All trials of a kind."""
    chunks = [load_file(path) for path in sorted(folder.glob(f"{stem}_*.safetensors"))]
    return Trials(**{name: torch.cat([c[name] for c in chunks]) for name in ("pictures", "distances", "group")})


def shake(images: Tensor, g: torch.Generator) -> Tensor:
    """Pictures moved, turned and scaled by a little, each in its own way."""
    u = torch.rand(4, len(images), generator=g) * 2 - 1
    return moved(images, 1 + 0.02 * u[0], 0.03 * u[1], 0.025 * u[2:].T)


def fit_heads(judge: Lpips, trials: Trials, steps: int = 300) -> None:
    """Weights of the channels, not negative, by logistic regression on the trials' answers [LPIPS, section 4]."""
    with torch.no_grad():
        for head in judge.heads:  # with all weights 1 the squared differences per channel are what the weights multiply
            head.fill_(1.0)
        rows = []
        for part in torch.arange(len(trials.group)).split(16):
            g = rng.generator(0, "shaken for the heads", int(part[0]))
            maps = [judge(shake(x, g)) for x in trials.images(part)]
            rows.append(torch.stack([_by_channel(maps[0], maps[k]) for k in (1, 2)], 1))
        found = torch.cat(rows)
    truth = (trials.distances[:, 0] < trials.distances[:, 1]).float()
    log_weight, log_scale = torch.zeros(found.shape[2], requires_grad=True), torch.zeros((), requires_grad=True)
    adam = torch.optim.Adam([log_weight, log_scale], lr=0.03)
    for _ in range(steps):
        far = (found * log_weight.exp()).sum(2).clamp_min(1e-9)
        answer = log_scale.exp() * (far[:, 1] / far[:, 0]).log()
        loss = F.binary_cross_entropy_with_logits(answer, truth) + 0.01 * log_weight.square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    fitted = log_weight.detach().exp()
    fitted = fitted * (MEAN_DISTANCE / float((found * fitted).sum(2).mean()))
    for head, values in zip(judge.heads, fitted.split(list(CHANNELS["small"])), strict=True):
        head.data.copy_(values)


def _by_channel(a: list[Tensor], b: list[Tensor]) -> Tensor:
    return torch.cat([(x - y).square().mean((2, 3)) for x, y in zip(a, b, strict=True)], 1)


@torch.no_grad()
def agreement(judge: Lpips, trials: Trials) -> tuple[Measured, ...]:
    """In how many trials the judge names the picture whose code is nearer, beside PSNR and SSIM, shaken and aligned."""
    wanted = trials.distances[:, 0] < trials.distances[:, 1]
    found = []
    for word in ("shaken", "aligned"):
        said: dict[str, list[Tensor]] = {"perceptual judge": [], "PSNR": [], "SSIM": []}
        for part in torch.arange(len(wanted)).split(16):
            g = rng.generator(0, "shaken to measure", int(part[0]))
            images = trials.images(part)
            reference, one, other = (shake(x, g) for x in images) if word == "shaken" else images
            maps = [judge(x) for x in (reference, one, other)]
            said["perceptual judge"].append(perceptual(maps[0], maps[1]) < perceptual(maps[0], maps[2]))
            said["PSNR"].append(portrait.psnr(reference, one) > portrait.psnr(reference, other))
            said["SSIM"].append(portrait.ssim(reference, one) > portrait.ssim(reference, other))
        right = {name: (torch.cat(parts) == wanted).float() for name, parts in said.items()}
        found += [
            stats.measure(f"agreement with true distance, {word}, {name}", r.tolist(), better="high")
            for name, r in right.items()
        ]
        for index, group in enumerate(GROUPS if word == "shaken" else ()):
            part = right["perceptual judge"][trials.group == index].tolist()
            if part:
                found.append(stats.measure(f"agreement with true distance, shaken, {group}", part, better="high"))
    return tuple(found)


def main() -> None:
    """Draw what is missing, train, fit the heads, measure, publish."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--steps", type=int, default=1500)
    options.add_argument("--publish", type=Path, required=True)
    given = options.parse_args()
    keep_freed_memory()
    judge = train(read(given.data), given.out, PerceptualTraining(given.steps)).requires_grad_(False)
    write_missing(given.data, "trial", 10, lambda i: draw_trials(TRIAL_TRAIN_FIRST, i))
    write_missing(given.data, "trialtest", 8, lambda i: draw_trials(TRIAL_TEST_FIRST, i))
    fit_heads(judge, read_trials(given.data, "trial"))
    measured = agreement(judge, read_trials(given.data, "trialtest"))
    for figure in measured:
        print(figure, flush=True)
    command = f"python recipes/perceptual_judge.py --data runs/photos --out runs/perceptual --steps {given.steps}"
    card = weights.Card(PERCEPTUAL_JUDGE, {}, seed=0, licence="Apache-2.0", measured=measured, command=command)
    weights.save_net(given.publish, judge, card, half=True)


if __name__ == "__main__":
    main()
