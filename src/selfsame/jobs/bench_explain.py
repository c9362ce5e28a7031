"""What a detector looks at in many clips: shares of its evidence by region and generator, its errors in pictures."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save as to_safetensors

from selfsame.clips.index import Clip
from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput
from selfsame.detectors import explain as cams
from selfsame.jobs import evidence, explain_page
from selfsame.jobs.evidence import Explained, Seen
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks.clip_crops import ClipCrops
from selfsame.tasks.detector import Model

PAGE_FILE, MAPS_FILE = "explain.html", "explain.safetensors"


def explain(
    model: Model,
    clips: Sequence[Clip],
    crops_of: Callable[[Clip], ClipCrops],
    out: Path,
    *,
    shown: int = 12,
    progress: Progress = silent,
) -> Explained:
    """Look at where a detector looks, write the raw maps and a page with at most `shown` errors of either kind.

    Raises BadInput where no clip can be used.
    """
    seen, left_out = [], {}
    for number, clip in enumerate(clips):
        progress("heat maps", number, len(clips))
        try:
            seen.append(evidence.look(model, clip, crops_of(clip)))
        except BadInput as error:
            left_out[clip.path] = error.what
    progress("heat maps", len(clips), len(clips))
    if not seen:
        raise BadInput("There is no clip to explain.", next(iter(left_out.values()), "Give some."))
    _write(out / MAPS_FILE, model, seen)
    threshold = model.parts.calibration.threshold
    missed = sorted((s for s in seen if s.fake and s.probability < threshold), key=lambda s: s.probability)
    alarms = sorted((s for s in seen if not s.fake and s.probability >= threshold), key=lambda s: -s.probability)
    areas = cams.area_shares(model.parts.training.crop.shown, *seen[0].maps.shape[-2:])
    shares, without = evidence.by_maker(seen), evidence.without(seen)
    made = Explained(shares, tuple(areas.tolist()), without, missed, alarms, left_out, out / PAGE_FILE, out / MAPS_FILE)
    explain_page.write(made, model, seen, crops_of, shown)
    return made


def _write(path: Path, model: Model, seen: Sequence[Seen]) -> None:
    """Raw maps by the clip's digest, and the frames that they are of."""
    tensors = {s.clip.digest: s.maps.contiguous() for s in seen}
    tensors |= {f"{s.clip.digest} frames": torch.tensor(s.numbers) for s in seen}
    header = {"model": model.card.digest, "paths": json.dumps({s.clip.digest: s.clip.path for s in seen})}
    write_atomic(path, to_safetensors(tensors, header))
