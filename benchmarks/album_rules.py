"""How often the album's quality rules leave out good photos of synthetic people, and how often they find damaged ones.

    python benchmarks/album_rules.py --out runs/album_rules
    python benchmarks/album_rules.py --out runs/album_rules --table
    python benchmarks/album_rules.py --out runs/album_clips --clips FOLDER

Every person is photographed as for an album, at ages from 5 to 90, in JPEG-free 512 px; the first few photos of the
first few people are then damaged in each way of DAMAGES. All of them go through `faces.intake.measure`, as `album add`
does it. Of clips, frames at equal distances are measured and nothing is damaged. One file of measures a person or a
clip: run again to resume. Thresholds are chosen on other people (--first 961000).
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.stats import binomtest

from selfsame.core import image, rng, video
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.faces import align, intake, quality
from selfsame.faces.quality import Quality
from selfsame.world import album as world

FIRST = 951_000  # seeds that no training saw, nor the choice of thresholds
PHOTO_PX, CROP_PX = 512, 512
YEARS = (5.0, 90.0)
OPEN = 0.3  # the world draws lids half down in one photo of ten; as clean ones pass those closed no further
SKIN_SHADE = 0.85  # a hand before a face is a little darker than the cheek it was sampled from
SKINS = ((0.0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1.01))
CLOTH, GLASS = (120.0, 125.0, 130.0), (25.0, 22.0, 24.0)

Pixels = UInt8[np.ndarray, "h w 3"]
Points = Float[np.ndarray, "5 2"]


@dataclass(frozen=True, eq=False)
class Shown:
    """A photo, where its landmarks were found, the side of its crop in photo px, and whether it has an odd number."""

    pixels: Pixels
    landmarks: Points
    side_px: float
    odd: bool


def blurred(shown: Shown, sigma: float) -> Pixels:
    """Out of focus by `sigma` pixels of a crop of 128 px."""
    return cv2.GaussianBlur(shown.pixels, (0, 0), sigma * shown.side_px / quality.STANDARD_PX)


def reduced(shown: Shown, face_px: float, enlarge: bool) -> Pixels:
    """As if the face had been so wide in the photo; enlarged again, as by an upscaler."""
    scale = face_px / (0.5 * shown.side_px)  # a detector's box is about half as wide as the crop
    small = cv2.resize(shown.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = shown.pixels.shape[1::-1]
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC) if enlarge else small


def exposed(shown: Shown, by: float) -> Pixels:
    """So many times the light, clipped."""
    return (shown.pixels * by).clip(0, 255).astype(np.uint8)


def cut(shown: Shown, side: str) -> Pixels:
    """The photo ends at the brows, beside an eye, or under the mouth."""
    left, right, _, mouth_left, mouth_right = shown.landmarks
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    if side == "above":
        return shown.pixels[int(eyes[1] - 0.35 * (mouth - eyes)[1]) :]
    if side == "below":
        return shown.pixels[: int(mouth[1] + 0.1 * (mouth - eyes)[1])]
    return shown.pixels[:, int(left[0] - 0.3 * (right - left)[0]) :]


def covered(shown: Shown, what: str) -> Pixels:
    """Something in front of the face: skin on photos of even number, cloth on the others; sunglasses are dark."""
    left, right, nose, mouth_left, mouth_right = shown.landmarks
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    down = mouth - eyes
    long = float(np.linalg.norm(down))
    across = np.array([down[1], -down[0]]) / long
    row, column = (int(v) for v in ((nose[1], (nose[0] + eyes[0]) / 2)))
    colour = CLOTH if shown.odd else tuple(SKIN_SHADE * float(v) for v in shown.pixels[row, column])
    side = 1 if shown.odd else -1
    spots = {
        "mouth": [(mouth, 0.45, 0.28)],
        "mouth and nose": [(mouth + 0.05 * down, 0.75, 0.62)],
        "one eye": [((right if shown.odd else left), 0.38, 0.30)],
        "sunglasses": [(left, 0.33, 0.26), (right, 0.33, 0.26)],
        "half": [(eyes + 0.5 * down + side * 0.55 * long * across, 0.55, 1.10)],
    }[what]
    mask = np.zeros(shown.pixels.shape[:2], np.float32)
    for centre, wide, high in spots:
        size = (max(1, int(wide * long)), max(1, int(high * long)))
        angle = float(np.degrees(np.arctan2(across[1], across[0])))
        cv2.ellipse(mask, tuple(int(v) for v in centre), size, angle, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.0)[..., None]
    paint = np.array(GLASS if what == "sunglasses" else colour)
    return (shown.pixels * (1 - mask) + paint * mask).clip(0, 255).astype(np.uint8)


def toned(shown: Shown, dark: Sequence[float], light: Sequence[float]) -> Pixels:
    """One tint from `dark` to `light`, saved as JPEG, as a scan would be."""
    grey = cv2.cvtColor(shown.pixels, cv2.COLOR_RGB2GRAY)[..., None] / 255
    tint = (np.array(dark) + (np.array(light) - np.array(dark)) * grey).astype(np.uint8)
    coded = cv2.imencode(".jpg", tint[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def stretched(shown: Shown, by: float) -> Pixels:
    """So many times as wide: the detector errs, or the face is none."""
    return cv2.resize(shown.pixels, None, fx=by, fy=1.0, interpolation=cv2.INTER_LINEAR)


# What is done to a photo, and the rule that should find it.
DAMAGES: dict[str, tuple[str, Callable[[Shown], Pixels]]] = {
    "face 30 px wide": ("size", lambda s: reduced(s, 30, False)),
    "cut above": ("cut off", lambda s: cut(s, "above")),
    "cut beside": ("cut off", lambda s: cut(s, "beside")),
    "cut below": ("cut off", lambda s: cut(s, "below")),
    "twice as wide": ("landmarks", lambda s: stretched(s, 2.0)),
    "light x 0.1": ("dark", lambda s: exposed(s, 0.1)),
    "light x 10": ("bright", lambda s: exposed(s, 10.0)),
    "blur of 1 px": ("blur", lambda s: blurred(s, 1.0)),
    "blur of 2 px": ("blur", lambda s: blurred(s, 2.0)),
    "blur of 4 px": ("blur", lambda s: blurred(s, 4.0)),
    "enlarged from 24 px": ("blur", lambda s: reduced(s, 24, True)),
    "mouth covered": ("unsure", lambda s: covered(s, "mouth")),
    "mouth and nose covered": ("unsure", lambda s: covered(s, "mouth and nose")),
    "one eye covered": ("unsure", lambda s: covered(s, "one eye")),
    "sunglasses": ("unsure", lambda s: covered(s, "sunglasses")),
    "half covered": ("unsure", lambda s: covered(s, "half")),
    "grey": ("grey", lambda s: toned(s, (0, 0, 0), (255, 255, 255))),
    "sepia": ("grey", lambda s: toned(s, (35, 20, 8), (255, 240, 205))),
}


def photos(seed: int, count: int) -> list[Pixels]:
    """One person's photos, at any age, from any side, with open eyes."""
    look = world.looks(seed, count, YEARS)
    lids = look.expression.lid_close.clamp_max(OPEN)
    look = replace(look, expression=replace(look.expression, lid_close=lids))
    camera = world.album_cameras(count, rng.generator(seed, "photographer", count), world.PHOTO_FOCAL)
    return list(image.to_uint8(world.photograph(look, camera, PHOTO_PX, 1)))


def measured(pixels: Pixels) -> dict[str, Any]:
    """The measures of a photo, or the problem that left none to take."""
    try:
        return asdict(intake.measure(np.ascontiguousarray(pixels), CROP_PX).quality)
    except BadInput as error:
        return {"problem": error.what}


def person(seed: int, count: int, damaged: int) -> dict[str, Any]:
    """What is measured of one person's clean photos and of the first `damaged` of them, once for every damage."""
    clean = photos(seed, count)
    skin = float(world.looks(seed, 1, YEARS).identity.skin[0])  # 0 the lightest, 1 the darkest
    made: dict[str, Any] = {"clean": [measured(pixels) for pixels in clean], "damaged": {}, "skin": skin}
    for number, pixels in enumerate(clean[:damaged]):
        try:
            found = intake.measure(pixels, CROP_PX)
        except BadInput:
            continue
        back = cv2.invertAffineTransform(found.transform)
        points = np.array(found.landmarks) * found.image.shape[-1] - 0.5
        side_px = found.image.shape[-1] * float(np.linalg.norm(back[:, 0]))
        shown = Shown(pixels, align.apply(back, points), side_px, (seed + number) % 2 == 1)
        for name, (_, damage) in DAMAGES.items():
            made["damaged"].setdefault(name, []).append(measured(damage(shown)))
    return made


def filmed(path: Path, count: int) -> dict[str, Any]:
    """What is measured of a clip's frames at equal distances."""
    numbers = np.linspace(0, video.count(path) - 1, count).round().astype(int).tolist()
    return {"clean": [measured(frame.pixels) for _, frame in video.picked(path, numbers)], "damaged": {}}


def share(hits: int, of: int) -> str:
    """A rate with its Wilson interval of 95 %."""
    if not of:
        return "none"
    low, high = binomtest(hits, of).proportion_ci(method="wilson")
    return f"{hits} of {of} ({100 * low:.1f} to {100 * high:.1f} %)"


def broken(row: dict[str, Any]) -> set[str]:
    """The names of the rules that leave a photo out; "no face" where none was measured."""
    if "problem" in row:
        return {"size" if "px wide" in row["problem"] else "no face"}
    return {rule.name for rule in quality.RULES if rule.broken(Quality(**row))}


def table(people: Sequence[dict[str, Any]]) -> str:
    """Markdown: each rule's false rejects, and what becomes of damaged photos."""
    clean = [broken(row) for made in people for row in made["clean"]]
    lines = ["| rule | measure | left out when | false rejects |", "|---|---|---|---|"]
    for rule in quality.RULES:
        hits = sum(rule.name in names for names in clean)
        limit = f"{rule.wrong} {rule.threshold:g} ({rule.unit})"
        lines.append(f"| {rule.name} | `{rule.measure}` | {limit} | {share(hits, len(clean))} |")
    no_face = sum("no face" in names for names in clean)
    lines += [f"| (no single face found) | | | {share(no_face, len(clean))} |"]
    lines += [f"| any | | | {share(sum(bool(names) for names in clean), len(clean))} |"]
    for low, high in SKINS:
        part = [broken(row) for made in people if low <= made.get("skin", -1) < high for row in made["clean"]]
        if part:
            lines.append(f"| any, skin {low:.2f} to {high:.2f} | | | {share(sum(map(bool, part)), len(part))} |")
    lines.append("")
    lines += ["| damage | should break | found by that rule | left out by any | no face found |"]
    lines += ["|---|---|---|---|---|"]
    for name, (rule_name, _) in DAMAGES.items():
        rows = [broken(row) for made in people for row in made["damaged"].get(name, [])]
        own, no_face = (sum(word in names for names in rows) for word in (rule_name, "no face"))
        some = sum(bool(names) for names in rows)
        lines.append(f"| {name} | {rule_name} | {share(own, len(rows))} | {some} of {len(rows)} | {no_face} |")
    return "\n".join(lines)


def main() -> None:
    """Measure the people that have no file yet, or print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--people", type=int, default=40)
    options.add_argument("--photos", type=int, default=6, help="clean ones of each person, or frames of each clip")
    options.add_argument("--clips", type=Path, help="a folder of clips, instead of synthetic people")
    options.add_argument("--damaged-people", type=int, default=20)
    options.add_argument("--damaged", type=int, default=1, help="photos of each of them that are damaged")
    options.add_argument("--first", type=int, default=FIRST, help="seed of the first person")
    options.add_argument("--table", action="store_true")
    given = options.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    for clip in sorted(given.clips.rglob("*.mp4")) if given.clips else []:
        path = given.out / f"{clip.stem}.json"
        if not path.exists():
            write_atomic(path, json.dumps(filmed(clip, given.photos)))
    if given.table or given.clips:
        people = [json.loads(path.read_text()) for path in sorted(given.out.glob("*.json"))]
        print(f"{len(people)} people or clips\n\n{table(people)}")
        return
    for number in range(given.people):
        path = given.out / f"{given.first + number}.json"
        if not path.exists():
            damaged = given.damaged if number < given.damaged_people else 0
            write_atomic(path, json.dumps(person(given.first + number, given.photos, damaged)))
            print(path, flush=True)


if __name__ == "__main__":
    main()
