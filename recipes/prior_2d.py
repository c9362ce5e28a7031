"""Train the starter StyleGAN2 on synthetic people by plain supervision: the code of a photo in, the photo out.

    python recipes/photo_data.py --out runs/photos --kind portraits --people 24000
    P="python recipes/prior_2d.py --data runs/photos"
    $P --px 16 --batch 8 --steps 3000 --lr 0.04 --out runs/s16 --publish runs/a
    $P --px 32 --batch 8 --steps 3000 --start runs/a --out runs/s32 --publish runs/b
    $P --px 64 --batch 8 --steps 3000 --start runs/b --freeze-mapping --out runs/s64 --publish runs/c
    $P --px 128 --batch 8 --steps 3600 --lr 0.02 --start runs/c --freeze-mapping --out runs/s128 --publish runs/d
    $P --px 64 --batch 8 --steps 5000 --lr 0.03 --start runs/d --freeze-mapping --out runs/t64 --publish runs/e
    $P --px 128 --batch 8 --steps 9000 --lr 0.02 --start runs/e --freeze-mapping --out runs/t128 --publish PRIOR

A skip generator's picture at a small size is the sum of its first blocks: they learn first, on many small photos, what
everything else rests on (pose, light, colours), as progressive growing does [Karras et al. 2018]. Supervision alone
leaves soft what it cannot place to the pixel; with --adversarial a discriminator asks for pictures as sharp as photos
(2,400 steps of it at a weight of 0.02 made eyes crisper and every figure worse: the starter prior has none). With the
mapping frozen the codes w stay what they were, and with them whatever reads them off photos. (The last two commands
came later, with 20,400 portraits; the first four had 16,500.)

The latent z is the world's code of the look and, as three more normals, where the photographer stood; so z drawn from
N(0, I) is a random person seen from a random side. Resumes: run the same command again.
"""

import argparse
import copy
import json
from dataclasses import dataclass
from pathlib import Path

import figures
import torch
from photo_data import Photos, photograph, read
from supervised import Rival, adam_by_part, schedule
from torch import Tensor

from selfsame.core import image, rng
from selfsame.core.camera import Camera
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.losses import image as losses
from selfsame.nets import lpips
from selfsame.nets.stylegan2 import STARTER_2D, StyleGAN2
from selfsame.tasks.prior2d import load_prior2d, prior2d_card, save_prior2d
from selfsame.train import adversarial, loop
from selfsame.train.checkpoint import State
from selfsame.train.devices import here
from selfsame.world.album import PORTRAIT, Photographers, camera_normals

TEST_FIRST, TEST_PEOPLE = 710_000, 100  # seeds that no recipe trains on
SELECTION_FIRST = 510_000
SAVE_EVERY, EMA = 100, 0.995


@dataclass(frozen=True)
class Prior2DTraining:
    """Steps of `batch` photos at `px`; Adam's learning rate at the top of its cosine; weights of the terms.

    With `adversarial` 0 there is no discriminator.
    """

    px: int
    steps: int
    batch: int
    lr: float = 3e-2
    edges: float = 1.0
    perceptual: float = 0.3
    adversarial: float = 0.0


def latent(photos: Photos, stand: Photographers = PORTRAIT) -> Tensor:
    """The codes z (N, CODE_DIM + 3) of photos: the look's code and the normals of the camera, taken as they were."""
    return torch.cat([photos.codes, camera_normals(Camera.unpack(photos.cameras), stand)], 1)


def importance(size_px: int) -> Tensor:
    """How much each pixel counts (1, 1, s, s): three times as much about eyes, nose and mouth as in the corners."""
    at = torch.linspace(-1, 1, size_px)
    y, x = torch.meshgrid(at, at, indexing="ij")
    return (1 + 2 * torch.exp(-((x / 0.45) ** 2 + (y / 0.5) ** 2)))[None, None] / 1.6


def train(
    photos: Photos, net: StyleGAN2, judge: lpips.Lpips | None, folder: Path, config: Prior2DTraining
) -> StyleGAN2:
    """The one loop; returns the average of the weights."""
    z = latent(photos)
    ema = copy.deepcopy(net).requires_grad_(False)
    adam, trained = adam_by_part(net, config.lr), [p for p in net.parameters() if p.requires_grad]
    focus, small = importance(config.px), photos.at(config.px)
    people = [SELECTION_FIRST + i for i in range(16)]
    unseen = photograph(people, SELECTION_FIRST, PORTRAIT).at(config.px)
    devices = here("bf16")
    rival = Rival(devices) if config.adversarial else None

    def step(index: int) -> dict[str, Tensor]:
        schedule(adam, config.lr, index, config.steps)
        which = rng.batch_indices(len(z), config.batch, 0, index)
        want = small.images(which)
        with devices.autocast():
            made = net.synthesis(net.map(z[which]), "const", config.px).float()
        found = {
            "l1": ((made - want).abs() * focus).mean(),
            "edges": losses.gradients(made * focus, want * focus, scales=2).mean(),
        }
        total = found["l1"] + config.edges * found["edges"]
        if judge is not None:
            with devices.autocast():
                seen, wanted = judge(made), judge(want)
            found["perceptual"] = losses.perceptual(seen, wanted).mean()
            total = total + config.perceptual * found["perceptual"]
        if rival is not None:
            found["adversarial"] = adversarial.generator_loss(rival.verdict(made)).mean()
            total = total + config.adversarial * found["adversarial"]
        adam.zero_grad()
        total.backward(inputs=trained)
        adam.step()
        if rival is not None:
            found["rival"] = rival.learn(want, made.detach(), index)
        adversarial.average(ema, net, min(EMA, (1 + index) / (10 + index)))
        return {name: value.detach() for name, value in found.items()}

    def say(done: int, found: dict[str, float]) -> None:
        if done % 20 == 0:
            print(json.dumps({"step": done} | {k: round(v, 4) for k, v in found.items()}), flush=True)
        if done % SAVE_EVERY == 0:
            with torch.no_grad():
                made = ema.synthesis(ema.map(latent(unseen)), "const", config.px).clamp(-1, 1)
            want = unseen.images(slice(None))
            image.save(image.grid(torch.cat([want, made]), columns=8), folder / "preview.png")
            error = (made - want).square().mean((1, 2, 3))
            print(json.dumps({"selection_psnr": round(float((10 * (4 / error).log10()).mean()), 2)}), flush=True)

    state: State = {"net": net, "ema": ema, "adam": adam}
    if rival is not None:
        state |= rival.state
    loop.run(loop.Run(folder, config, config.steps, SAVE_EVERY), state, step, on_step=say)
    return ema


@torch.no_grad()
def measure(net: StyleGAN2) -> tuple[Measured, ...]:
    """Pictures of people never seen, from their codes, against the world's; pictures of random codes against photos."""
    photos = photograph([TEST_FIRST + i for i in range(TEST_PEOPLE)], TEST_FIRST, PORTRAIT)
    made = torch.cat([net(net.map(part)) for part in latent(photos).split(8)])
    z = torch.randn(figures.REAL_PEOPLE, net.config.z_dim, generator=rng.generator(TEST_FIRST, "random people"))
    drawn = torch.cat([net(net.map(part)) for part in z.split(8)])
    return (*figures.against_truth(made, photos.images(slice(None))), *figures.against_photos(drawn, PORTRAIT))


def main() -> None:
    """Train, measure on people never seen, publish."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--px", type=int, default=128)
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--steps", type=int, required=True)
    options.add_argument("--lr", type=float, default=Prior2DTraining.lr)
    options.add_argument("--start", type=Path, help="a 2D prior to start from")
    options.add_argument("--perceptual", type=Path, help="the perceptual judge's folder; without it that term is off")
    options.add_argument("--adversarial", type=float, default=0.0, help="the weight of the discriminator's verdict")
    options.add_argument("--publish", type=Path, required=True)
    options.add_argument("--freeze-mapping", action="store_true", help="keep the codes w as they are")
    given = options.parse_args()
    keep_freed_memory()
    torch.manual_seed(0)
    net = load_prior2d(given.start).net.requires_grad_(True) if given.start else StyleGAN2(STARTER_2D)
    if given.freeze_mapping:
        net.mapping.requires_grad_(False)
    config = Prior2DTraining(given.px, given.steps, given.batch, lr=given.lr, adversarial=given.adversarial)
    judge = lpips.load(given.perceptual) if given.perceptual else None
    ema = train(read(given.data, "portraits"), net.train(), judge, given.out, config)
    measured = measure(ema) if given.px == ema.config.image_px else ()
    for figure in measured:
        print(figure)
    command = (
        f"python recipes/prior_2d.py --px {given.px} --batch {given.batch} --steps {given.steps} --lr {given.lr}"
        f" --adversarial {given.adversarial}"
    )
    card = prior2d_card(ema.config, seed=0, licence="Apache-2.0", measured=measured, command=command)
    save_prior2d(ema, given.publish, card)


if __name__ == "__main__":
    main()
