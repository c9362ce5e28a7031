"""How well the album tells its person from others, and copies from other photos, on unseen synthetic people.

    python benchmarks/album_identity.py --out runs/album_identity
    python benchmarks/album_identity.py --out runs/album_identity --table

Every person is photographed at ages from 15 to 70 in four styles (hair, beard, glasses), four photos each. All go
through `faces.intake.measure` and the starter judge, as in `album add`. Copies are the first photos of each style,
saved again. One file a person: run again to resume. Thresholds were chosen on other people (--first 961960 --people
16).
"""

import argparse
import json
import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import alike, image, rng
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.faces import adding, identity, intake
from selfsame.faces.identity import NEAREST
from selfsame.jobs import parts
from selfsame.metrics import stats
from selfsame.world import album as world

FIRST, STYLES, PHOTOS, PHOTO_PX = 951_000, 4, 4, 384
YEARS = (15.0, 70.0)
GUESTS = 8  # other people in a collection, each in two of its photos
Pixels = UInt8[np.ndarray, "h w 3"]


def saved(pixels: Pixels, quality: int, scale: float = 1.0) -> Pixels:
    """As JPEG, perhaps smaller."""
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "JPEG of quality 50": lambda x: saved(x, 50),
    "half the size": lambda x: saved(x, 85, 0.5),
    "twice the size": lambda x: saved(x, 85, 2.0),
    "a quarter more light": lambda x: (x * 1.25).clip(0, 255).astype(np.uint8),
    "cropped by a tenth": lambda x: np.ascontiguousarray(x[len(x) // 20 : -len(x) // 20, len(x) // 20 : -len(x) // 20]),
}


def person(seed: int) -> dict[str, list]:
    """Embeddings, styles and hashes of one person's crops, and the hashes of copies."""
    judge = parts.person_judge()
    made: dict[str, list] = {"embedding": [], "style": [], "hash": [], "copies": []}
    for style in range(STYLES):
        look = world.looks(seed, PHOTOS, YEARS, style)
        camera = world.album_cameras(PHOTOS, rng.generator(seed, "photographer", PHOTOS, style), world.PHOTO_FOCAL)
        for number, pixels in enumerate(image.to_uint8(world.photograph(look, camera, PHOTO_PX, 1))):
            try:
                found = intake.measure(np.ascontiguousarray(pixels), 256)
            except BadInput:
                continue
            with torch.inference_mode():
                made["embedding"].append(judge.embed(found.image)[0].tolist())
            made["style"].append(style)
            made["hash"].append(found.quality.hash)
            if not number:
                original = found.quality.hash
                made["copies"].append({name: _copied(copy(pixels), original) for name, copy in COPIES.items()})
    return made


def _copied(pixels: Pixels, original: str) -> int:
    """In how many bits a copy's hash differs; all where no face is found in it."""
    try:
        return alike.apart(intake.measure(pixels, 256).quality.hash, original)
    except BadInput:
        return alike.HASH_PX**2


def nearest(cosines: Tensor) -> Tensor:
    """The album's similarity (B) of rows of cosines."""
    return cosines.topk(min(NEAREST, cosines.shape[1]), dim=1).values.mean(1)


def rate(name: str, by_person: list[float]) -> str:
    """A mean over people with its interval, in percent."""
    m = stats.measure(name, [100 * value for value in by_person], better="low")
    return f"| {name} | {m.mean:.1f} % [{m.low:.1f}, {m.high:.1f}] | {m.n} |"


def table(people: list[dict[str, list]], threshold: float) -> str:
    """Markdown: rates by person with intervals over people."""
    units = [F.normalize(torch.tensor(p["embedding"]), dim=1) for p in people]
    styles = [torch.tensor(p["style"]) for p in people]
    known, new, strangers = [], [], []
    refused, kept, let_in = [], [], []
    for i, (unit, style) in enumerate(zip(units, styles, strict=True)):
        cosine = unit @ unit.T
        cosine.fill_diagonal_(-torch.inf)
        known.append(float((nearest(cosine) < threshold).float().mean()))
        unseen = [nearest(cosine[style == s][:, style != s]) < threshold for s in range(STYLES)]
        new.append(float(torch.cat(unseen).float().mean()))
        others = [nearest(units[j] @ unit.T) >= threshold for j in range(len(units)) if j != i]
        strangers.append(float(torch.cat(others).float().mean()))
        guests = [units[(i + k + 1) % len(units)][:2] for k in range(GUESTS)]
        collection = torch.cat([unit, *guests])
        theirs = torch.arange(len(collection)) < len(unit)
        try:
            found = identity.find(collection, torch.arange(len(collection)), torch.zeros_like(theirs), threshold)
        except BadInput:
            refused.append(1.0)
            continue
        refused.append(0.0)
        kept.append(float((~found[theirs]).float().mean()))
        let_in.append(float(found[~theirs].float().mean()))
    lines = ["| what | mean over people | people |", "|---|---|---|"]
    lines.append(rate("own photo left out, of styles that the album shows", known))
    lines.append(rate("own photo left out, of a style that it does not show yet", new))
    lines.append(rate("photo of somebody else let in", strangers))
    lines.append(rate(f"collection with {GUESTS} strangers twice each refused (two people as often)", refused))
    lines.append(rate("own photo missed, in the others", kept))
    lines.append(rate("stranger's photo let in, in the others", let_in))
    pairs = [[alike.apart(a, b) for a, b in combinations(p["hash"], 2)] for p in people]
    copies = [_share(p, adding.COPY_BITS) for p in pairs]
    lines.append(rate(f"two photos called copies (at most {adding.COPY_BITS} bits)", copies))
    bursts = [_share(p, adding.BURST_BITS) for p in pairs]
    lines.append(rate(f"two photos that would be called a burst within 3 s (at most {adding.BURST_BITS} bits)", bursts))
    for name in COPIES:
        missed = [1 - _share([c[name] for c in p["copies"]], adding.COPY_BITS) for p in people]
        lines.append(rate(f"copy not noticed: {name}", missed))
    return "\n".join(lines)


def _share(bits: list[int], most: int) -> float:
    return sum(b <= most for b in bits) / max(1, len(bits)) if bits else math.nan


def main() -> None:
    """Measure the people that have no file yet, or print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=40)
    options.add_argument("--first", type=int, default=FIRST, help="seed of the first person")
    options.add_argument("--table", action="store_true")
    given = options.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in range(given.first, given.first + given.people):
        path = given.out / f"{seed}.json"
        if not given.table and not path.exists():
            write_atomic(path, json.dumps(person(seed)))
            print(path, flush=True)
    people = [json.loads(path.read_text()) for path in sorted(given.out.glob("*.json"))]
    print(f"{len(people)} people\n\n{table(people, parts.SAME_PERSON)}")


if __name__ == "__main__":
    main()
