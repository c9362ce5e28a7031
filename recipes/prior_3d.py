"""Train the starter tri-plane prior on synthetic people: first as a field, then as a picture.

    python recipes/world_data.py --out runs/world --looks 12000
    python recipes/prior_3d.py --data runs/world --out runs/prior_3d --stage field --steps 6000
    python recipes/prior_3d.py --data runs/world --out runs/prior_3d --stage picture --steps 3000

The world knows density and colour at every point, so the first stage needs no ray: it asks the planes and the decoder
for colour and signed distance near the surface. The second renders patches through the super-resolution and compares
them with the world's pictures. Both resume: run the same command again.
"""

import argparse
import copy
import json
import math
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from world_data import expand, read_chunk

from selfsame.core import camera as cameras
from selfsame.core import image, rng
from selfsame.core.memory import keep_freed_memory
from selfsame.core.results import Measured
from selfsame.metrics import portrait, stats
from selfsame.nets import ops
from selfsame.nets.triplane import STARTER_3D, TriPlane, pixel_centres
from selfsame.tasks.prior import prior_card, save_prior
from selfsame.world import person, render, surface
from selfsame.world.album import album_cameras, photograph
from selfsame.world.surface import BODY_CENTRE, BODY_SIZE, CENTRE, NECK_RADIUS, NECK_SLANT, SCALE, Surface

SHELL = 0.02  # world units over which the density rises
DENSITY = 60.0  # raw density at one SHELL inside
BATCH = {"field": 4, "picture": 4}
POINTS = 5120
PATCHES, PATCH_POINTS = 56, 8  # small squares on the face, PATCH_POINTS**2 points each, about a pixel apart
PATCH_STEP = 0.012  # map units
PATCH_PX = 32  # of the neural rendering: twice as many in the image
EMA = 0.998
TEST_FIRST = 700_000  # seeds that no recipe trains on


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


def direction_of(uv: Tensor) -> Tensor:
    """Unit directions (..., 3) of map coordinates: the inverse of `grid.to_map`."""
    a, b = surface.maps.LON_PACK, surface.maps.LAT_PACK
    lon = math.pi / math.sinh(a) * torch.sinh(a * uv[..., 0])
    lat = -math.pi / 2 / math.sinh(b) * torch.sinh(b * uv[..., 1])
    return torch.stack([lat.cos() * lon.sin(), lat.sin(), lat.cos() * lon.cos()], -1)


def training_points(s: Surface, g: torch.Generator) -> Tensor:
    """Points (B, POINTS, 3): near the head's surface (densest on the face), near neck and shoulders, and anywhere."""
    b = len(s)
    head, rest = POINTS * 5 // 8, POINTS // 4
    uv = torch.rand(b, head, 2, generator=g) * 2 - 1
    uv = uv * torch.tensor([0.92, 0.97])
    direction = direction_of(uv)
    radius = surface.maps.sample(s.maps[:, :1], uv)[:, 0]
    jitter = torch.randn(b, head, generator=g) * 0.014 / SCALE
    jitter = jitter * (torch.rand(b, head, generator=g) < 0.7)
    on_head = (radius + jitter)[..., None] * direction
    turn = (torch.rand(b, rest // 2, generator=g) * 2 - 1) * 2.4
    y = -0.55 - 1.2 * torch.rand(b, rest // 2, generator=g)
    wide = NECK_RADIUS + 0.16 * surface.smooth(-y, 0.95, 1.5) + 0.03 * torch.randn(y.shape, generator=g)
    on_neck = torch.stack([wide * turn.sin(), y, wide * turn.cos() - 0.22 - NECK_SLANT * (y + 0.6)], -1)
    up = F.normalize(torch.randn(b, rest // 2, 3, generator=g), dim=-1)
    up = (
        torch.stack([up[..., 0], up[..., 1].abs(), up[..., 2]], -1)
        * (1 + 0.03 * torch.randn(y.shape, generator=g))[..., None]
    )
    on_body = up * torch.tensor(BODY_SIZE) + torch.tensor(BODY_CENTRE)
    solid = torch.cat([on_head, on_neck, on_body], 1) * SCALE + torch.tensor(CENTRE)
    anywhere = torch.rand(b, POINTS - solid.shape[1], 3, generator=g) * 1.6 - 0.8  # rays leave the planes' box
    return torch.cat([solid, anywhere], 1)


def density_target(distance: Tensor) -> Tensor:
    """Raw density of a signed distance: -14 a little outside, DENSITY and more inside."""
    return 1 + DENSITY * (-distance / SHELL + 0.15).clamp(-0.25, 1.5)


def patch_places(b: int, g: torch.Generator) -> Tensor:
    """Map coordinates (B, PATCHES, PATCH_POINTS**2, 2) of small squares: half in front, half on the features."""
    spread = torch.tensor([0.75, 0.9]), torch.tensor([0.42, 0.45])  # of u and v
    half = PATCHES // 2
    centres = [(torch.rand(b, half, 2, generator=g) * 2 - 1) * reach for reach in spread]
    centres[1] = centres[1] + torch.tensor([0.0, 0.07])  # eyes to chin
    line = (torch.arange(PATCH_POINTS) - (PATCH_POINTS - 1) / 2) * PATCH_STEP
    square = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)
    return torch.cat(centres, 1)[:, :, None] + square


def detail_loss(net: TriPlane, planes: Tensor, s: Surface, g: torch.Generator) -> Tensor:
    """Colours of small squares of the face, each compared after its own mean is taken away.

    Light and skin tone make most of a colour's error at first; without this, eyes and mouth wait for them.
    """
    uv = patch_places(len(s), g)
    flat = uv.flatten(1, 2)
    radius, colour = surface.maps.sample(s.maps[:, :1], flat)[:, 0], surface.maps.sample(s.colour, flat)
    points = radius[..., None] * direction_of(flat) * SCALE + torch.tensor(CENTRE)
    made = net.field(planes, points)[0][..., :3].unflatten(1, uv.shape[1:3])
    want = colour.transpose(1, 2).unflatten(1, uv.shape[1:3])
    return ((made - made.mean(2, keepdim=True)) - (want - want.mean(2, keepdim=True))).abs().mean()


def field_losses(net: TriPlane, planes: Tensor, w: Tensor, s: Surface, g: torch.Generator) -> dict[str, Tensor]:
    """Colour and density at points against the world's."""
    points = training_points(s, g)
    with torch.no_grad():
        distance, colour = surface.field(s, points)
    inside = (points.abs() < 0.5).all(-1)
    features, raw = net.field(planes, points)
    near = torch.exp(-((distance / SHELL) ** 2)) * inside
    colour_loss = ((features[..., :3] - colour.transpose(1, 2)).abs().mean(-1) * near).sum() / near.sum()
    # Outside the box some planes still answer; unless told that nothing is there they draw ghosts beside the head.
    wanted = torch.where(inside, density_target(distance), density_target(torch.ones(())))
    error = (raw[..., 0] - wanted).abs() / DENSITY
    with torch.no_grad():
        behind = render.backdrop(s, 8)
    behind_loss = (torch.sigmoid(net.backdrop(w)).reshape(-1, 3, 8, 8) - behind).abs().mean()
    detail = detail_loss(net, planes, s, g)
    return {"detail": detail, "colour": colour_loss, "density": error.mean(), "backdrop": behind_loss}


def patch_losses(net: TriPlane, planes: Tensor, w: Tensor, s: Surface, g: torch.Generator) -> dict[str, Tensor]:
    """A patch of a photo, raw and super-resolved, against the world's picture."""
    b, full, half = len(s), net.config.image_px, net.config.neural_px
    camera = album_cameras(b, g)
    target = render.render(s, camera, full, oversample=1).image
    corner = [int(x) for x in (torch.rand(2, generator=g).sqrt() * 0.999 * (half - PATCH_PX + 1)).tolist()]
    top, left = corner[0], int(torch.randint(half - PATCH_PX + 1, (1,), generator=g))
    rows, columns = slice(top, top + PATCH_PX), slice(left, left + PATCH_PX)
    cut = lambda x: x.unflatten(1, (half, half))[:, rows, columns].flatten(1, 2)  # noqa: E731
    origins, directions = cameras.rays(camera, half)
    uv = pixel_centres(half, w.device).expand(b, -1, -1)
    seen = net.render_rays(planes, w, cut(origins), cut(directions), cut(uv), generator=g)
    features = seen.features.transpose(1, 2).unflatten(2, (PATCH_PX, PATCH_PX))
    sr, ws = net.superresolution, w[:, None].expand(-1, 3, -1)
    x, picture = sr.block0(ops.fast_layout(features), features[:, :3], ws, "none")
    sharp = sr.block1(x, picture, ws, "none")[1]
    want_sharp = target[:, :, 2 * top : 2 * (top + PATCH_PX), 2 * left : 2 * (left + PATCH_PX)]
    want_raw = image.resize(target, half)[:, :, rows, columns]
    edges = sum((d(sharp) - d(want_sharp)).abs().mean() for d in (_right, _down))
    return {
        "raw": (features[:, :3] - want_raw).abs().mean(),
        "sharp": (sharp - want_sharp).abs().mean(),
        "edges": edges,
    }


def _right(x: Tensor) -> Tensor:
    return x[..., :, 1:] - x[..., :, :-1]


def _down(x: Tensor) -> Tensor:
    return x[..., 1:, :] - x[..., :-1, :]


def build() -> TriPlane:
    """The untrained generator, the same on every machine."""
    torch.manual_seed(0)
    return TriPlane(STARTER_3D)


def optimizer(net: TriPlane, lr: float) -> torch.optim.Adam:
    """Adam; the mapping's weights live at a scale of 100 and the decoder is small."""
    slow = [p for n, p in net.named_parameters() if "mapping" not in n and not n.startswith("decoder")]
    mapping = [p for n, p in net.named_parameters() if "mapping" in n]
    last = [p for n, p in net.named_parameters() if n.startswith("decoder")]
    groups = [{"params": slow, "lr": lr}, {"params": mapping, "lr": 80 * lr}, {"params": last, "lr": 2 * lr}]
    for group in groups:
        group["base"] = group["lr"]
    return torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-8)


def rate(step: int, steps: int) -> float:
    """Warm up over 100 steps, then a cosine to a tenth."""
    return min(1.0, (step + 1) / 100) * (0.1 + 0.9 * (0.5 + 0.5 * math.cos(math.pi * step / steps)))


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
    """Pictures of unseen people from their codes, at random views, against the world's: image and raw rendering."""
    seeds = list(range(TEST_FIRST, TEST_FIRST + people))
    look = person.draw_photos(seeds, TEST_FIRST)
    view = album_cameras(people, rng.generator(TEST_FIRST, "views"))
    truth = photograph(look, view, net.config.image_px)
    code = person.encode(look)
    parts = [net(net.map(code[i : i + 8]), view[slice(i, i + 8)]) for i in range(0, people, 8)]
    made = torch.cat([p.image for p in parts])
    flat = torch.cat([image.resize(p.raw, net.config.image_px) for p in parts])
    columns = {
        "PSNR (dB) of unseen people": portrait.psnr(made, truth),
        "SSIM of unseen people": portrait.ssim(made, truth),
        "PSNR (dB) of the raw rendering": portrait.psnr(flat, truth),
    }
    return tuple(stats.measure(name, values.tolist(), better="high") for name, values in columns.items())


def publish(net: TriPlane, folder: Path, steps: str) -> None:
    """Measure on 100 people never seen and write the prior with its card."""
    measured = measure(net, 100)
    for figure in measured:
        print(figure)
    card = prior_card(
        net.config, seed=0, licence="Apache-2.0", measured=measured, command=f"python recipes/prior_3d.py ({steps})"
    )
    save_prior(net, folder, card)


def main() -> None:
    """Train one stage."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--stage", choices=sorted(BATCH), required=True)
    options.add_argument("--steps", type=int, default=6000)
    options.add_argument("--lr", type=float, default=2e-3)
    options.add_argument("--publish", type=Path, help="write the prior with its card into this folder at the end")
    given = options.parse_args()
    keep_freed_memory()
    given.out.mkdir(parents=True, exist_ok=True)
    looks = Looks(given.data)
    net = build()
    ema = copy.deepcopy(net).requires_grad_(False)
    adam = optimizer(net, given.lr)
    state_file = given.out / f"{given.stage}.safetensors"
    first = 0
    before = given.out / "field.safetensors"
    if state_file.exists():
        first = resume(net, ema, adam, state_file)
    elif given.stage == "picture":
        resume(net, ema, None, before)
    started = time.time()
    for step in range(first, given.steps):
        g = rng.generator(1, given.stage, step)
        s, code = looks.batch(BATCH[given.stage], step + (10**6 if given.stage == "picture" else 0))
        for group in adam.param_groups:
            group["lr"] = group["base"] * rate(step, given.steps)
        w_plus = net.map(code)
        planes = net.planes(w_plus)
        losses = field_losses(net, planes, w_plus[:, -1], s, g)
        total = 8 * losses["detail"] + 2 * losses["colour"] + losses["density"] + losses["backdrop"]
        if given.stage == "picture":
            losses |= patch_losses(net, planes, w_plus[:, -1], s, g)
            total = 0.5 * total + losses["raw"] + 2 * losses["sharp"] + losses["edges"]
        adam.zero_grad()
        total.backward()
        adam.step()
        average(ema, net, min(EMA, (1 + step) / (10 + step)))
        if step % 25 == 0:
            line = {"step": step, "seconds": round(time.time() - started, 1)}
            line |= {k: round(v.item(), 5) for k, v in losses.items()}
            print(json.dumps(line), flush=True)
        if (step + 1) % 250 == 0 or step + 1 == given.steps:
            keep(net, ema, adam, step + 1, state_file)
            psnr = preview(ema, given.out / f"{given.stage}.png")
            print(json.dumps({"step": step + 1, "selection_psnr": round(psnr, 2)}), flush=True)
    if given.publish:
        publish(ema, given.publish, f"{given.stage}, {given.steps} steps of {BATCH[given.stage]} looks")


@torch.no_grad()
def average(ema: TriPlane, net: TriPlane, decay: float) -> None:
    """One step of the running average of weights."""
    for kept, new in zip(ema.parameters(), net.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def keep(net: TriPlane, ema: TriPlane, adam: torch.optim.Adam, step: int, path: Path) -> None:
    """Everything that the next step needs, in one file."""
    data = {f"net.{k}": v for k, v in net.state_dict().items()} | {f"ema.{k}": v for k, v in ema.state_dict().items()}
    for i, moments in adam.state_dict()["state"].items():
        data |= {f"adam.{i}.{k}": torch.as_tensor(v) for k, v in moments.items()}
    save_file({k: v.clone().contiguous() for k, v in data.items()}, path.with_suffix(".part"), {"step": str(step)})
    path.with_suffix(".part").rename(path)


def resume(net: TriPlane, ema: TriPlane, adam: torch.optim.Adam | None, path: Path) -> int:
    """Read what `keep` wrote; without an optimizer only the averaged weights are taken. Returns the step."""
    from safetensors import safe_open

    data = load_file(path)
    take = lambda head: {k.removeprefix(head): v for k, v in data.items() if k.startswith(head)}  # noqa: E731
    ema.load_state_dict(take("ema."))
    net.load_state_dict(take("net." if adam else "ema."))
    if adam:
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in take("adam.").items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
        adam.load_state_dict(adam.state_dict() | {"state": moments})
    with safe_open(path, "pt") as file:
        return int(file.metadata()["step"])


if __name__ == "__main__":
    main()
