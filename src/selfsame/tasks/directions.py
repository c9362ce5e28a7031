"""Directions in W along which an attribute of the face changes, found anew for every model [My3DGen; InterFaceGAN].

Random people of the model are rendered from the front and judged; a linear support vector machine parts those who have
most of an attribute from those who have least, and the unit normal of its plane is the direction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC
from torch import Tensor

from selfsame.core import rng
from selfsame.core.camera import facing
from selfsame.core.config import STRICT, from_json, to_json, write_atomic
from selfsame.core.errors import BadInput, WrongUse
from selfsame.nets.attributes import Scores
from selfsame.nets.triplane import TriPlane
from selfsame.tasks.prior import mean_code, random_codes

DIRECTIONS_FILE, PART_FILE = "directions.safetensors", "directions.part.safetensors"
BATCH = 8


@dataclass(frozen=True)
class DirectionsConfig:
    """How many random people are judged, which share of them at either end is used, and how the plane is fitted.

    `train` of the used ones fit the plane, the others tell how good it is; `softness` is the machine's C. The pictures
    that are judged have `depth_samples` and `importance_samples` a ray.
    """

    samples: int = 2000
    share: float = 0.2
    train: float = 0.7
    psi: float = 0.7
    softness: float = 0.01
    depth_samples: int = 16
    importance_samples: int = 8
    chunk: int = 100
    seed: int = 0


QUICK = DirectionsConfig()
PAPER = DirectionsConfig(samples=500_000, share=0.02, softness=1.0, depth_samples=48, importance_samples=48, chunk=1000)
PRESETS = {"quick": QUICK, "paper": PAPER}


@dataclass(frozen=True)
class Figures:
    """What a direction is worth on judged people who did not fit it, and what lies at its ends.

    `accuracy` and `auc` over `held_out` people; `low` and `high` the mean scores of the two ends; `spread` the standard
    deviation along the direction of all codes drawn.
    """

    __pydantic_config__ = STRICT

    name: str
    accuracy: float
    auc: float
    held_out: int
    low: float
    high: float
    spread: float


@dataclass(frozen=True)
class _Record:
    """What stands in the file's metadata: what the directions belong to, and their figures in order."""

    __pydantic_config__ = STRICT

    model: str
    judge: str
    config: DirectionsConfig
    figures: tuple[Figures, ...]


@dataclass(frozen=True, eq=False)
class Direction:
    """The unit normal (w_dim) of the plane that parts much of an attribute from little, with its figures."""

    normal: Float[Tensor, "w"]
    figures: Figures


@dataclass(frozen=True, eq=False)
class Scorer:
    """A judge of attributes, any function from pictures to named scores, and the digest that tells it from others."""

    scores: Scores
    digest: str


Told = Callable[[int, int], None]  # pictures judged, pictures in all


def find(
    net: TriPlane,
    digest: str,
    scorer: Scorer,
    config: DirectionsConfig = QUICK,
    folder: Path | None = None,
    on_chunk: Told | None = None,
) -> dict[str, Direction]:
    """The directions of a network (the digest on its card) for all that the judge scores, by name.

    With a folder they are kept there and read again by the next call of the same network, judge and configuration; a
    call that was stopped goes on.
    """
    wanted = _Record(digest, scorer.digest, config, ())
    kept = None if folder is None else _read(folder / DIRECTIONS_FILE, wanted)
    if kept is not None:
        tensors, figures = kept
        return {f.name: Direction(tensors["normals"][i], f) for i, f in enumerate(figures)}
    w = codes(net, config)
    scores = _judged(net, w, scorer.scores, wanted, folder, on_chunk)
    found = {name: fit(name, w, values, config) for name, values in scores.items()}
    if folder is not None:
        data = {"normals": torch.stack([d.normal for d in found.values()])}
        _write(folder / DIRECTIONS_FILE, data, wanted, [d.figures for d in found.values()])
        (folder / PART_FILE).unlink(missing_ok=True)
    return found


def codes(net: TriPlane, config: DirectionsConfig) -> Float[Tensor, "n w"]:
    """The codes w of random z that are judged; a person's model, whose mapping is its prior's, has the prior's."""
    w = random_codes(net, config.samples, rng.generator(config.seed, "directions"))[:, 0]
    mean = mean_code(net)
    return mean + config.psi * (w - mean)


def fit(name: str, w: Float[Tensor, "n w"], scores: Float[Tensor, "n"], config: DirectionsConfig) -> Direction:
    """The direction that parts the codes with the highest from those with the lowest scores.

    Raises WrongUse where too few are left to fit and to measure.
    """
    count = round(config.share * len(w))
    fitted = round(config.train * count)
    if not 2 <= fitted < count or 2 * count > len(w):
        raise WrongUse(f"{len(w)} samples are too few for a direction.", "Draw more, or use a larger share up to 0.5.")
    order = scores.argsort(stable=True).numpy()
    shuffle = np.random.default_rng(rng.key(config.seed, "directions split", name)).permutation
    ends = [shuffle(order[:count]), shuffle(order[-count:])]
    x, y = w.double().numpy(), np.repeat([0, 1], fitted)
    machine = SVC(kernel="linear", C=config.softness)
    machine.fit(np.concatenate([x[end[:fitted]] for end in ends]), y)
    rest = count - fitted
    seen = machine.decision_function(np.concatenate([x[end[fitted:]] for end in ends]))
    true = np.repeat([0, 1], rest)
    normal = torch.tensor(machine.coef_[0])
    normal = normal / normal.norm()
    low, high = (float(scores[torch.from_numpy(end)].mean()) for end in ends)
    figures = Figures(
        name=name, accuracy=float(((seen > 0) == true).mean()), auc=float(roc_auc_score(true, seen)),
        held_out=2 * rest, low=low, high=high, spread=float((w.double() @ normal).std()),
    )  # fmt: skip
    return Direction(normal.float(), figures)


def alone(directions: Mapping[str, Direction], name: str, keeping: Sequence[str] | None = None) -> Float[Tensor, "w"]:
    """A direction without what it shares with others (all by default), of unit length [InterFaceGAN, section 3.2]."""
    others = [n for n in (directions if keeping is None else keeping) if n != name]
    normal = of_name(directions, name).normal.double()
    if others:
        basis = torch.linalg.qr(torch.stack([of_name(directions, n).normal.double() for n in others], 1)).Q
        normal = normal - basis @ (basis.T @ normal)
    unit: Tensor = (normal / normal.norm()).float()
    return unit


def of_name(directions: Mapping[str, Direction], name: str) -> Direction:
    """One direction; raises WrongUse where there is none of this name."""
    if name not in directions:
        raise WrongUse(f"There is no direction called {name}.", f"There are {', '.join(sorted(directions))}.")
    return directions[name]


@torch.no_grad()
def _judged(
    net: TriPlane, w: Tensor, scores: Scores, wanted: _Record, folder: Path | None, on_chunk: Told | None
) -> dict[str, Tensor]:
    """The scores (N,) of the pictures of all codes by name; chunks that an earlier call has judged are read back."""
    config = wanted.config
    begun = None if folder is None else _read(folder / PART_FILE, wanted)
    found: dict[str, Tensor] = begun[0] if begun else {}
    camera = facing(torch.zeros(BATCH), torch.zeros(BATCH))
    first = len(next(iter(found.values()))) if found else 0
    for start in range(first, len(w), config.chunk):
        part = w[start : start + config.chunk].split(BATCH)
        told = [
            scores(
                net(
                    x[:, None].expand(-1, net.num_ws, -1), camera[: len(x)],
                    depth_samples=config.depth_samples, importance_samples=config.importance_samples,
                ).image
            )
            for x in part
        ]  # fmt: skip
        for name in told[0]:
            new = torch.cat([t[name].float().cpu() for t in told])
            found[name] = torch.cat([found[name], new]) if name in found else new
        if folder is not None:
            _write(folder / PART_FILE, found, wanted, [])
        if on_chunk:
            on_chunk(min(start + config.chunk, len(w)), len(w))
    if not all(bool(values.isfinite().all()) for values in found.values()):
        raise BadInput("The judge gave a score that is not a number.", "Judge with another one.")
    return found


def _write(path: Path, data: Mapping[str, Tensor], wanted: _Record, figures: Sequence[Figures]) -> None:
    record = _Record(wanted.model, wanted.judge, wanted.config, tuple(figures))
    write_atomic(path, to_safetensors({k: v.contiguous() for k, v in data.items()}, {"record": to_json(record)}))


def _read(path: Path, wanted: _Record) -> tuple[dict[str, Tensor], tuple[Figures, ...]] | None:
    """The tensors and figures of a file, None where there is none, it is damaged, or it belongs to something else."""
    try:
        with safe_open(path, framework="pt") as file:
            record = from_json(_Record, (file.metadata() or {}).get("record", ""), str(path))
            if asdict(record) | {"figures": ()} != asdict(wanted):
                return None
            return {name: file.get_tensor(name).clone() for name in file.keys()}, record.figures  # noqa: SIM118
    except (SafetensorError, OSError, BadInput):
        return None
