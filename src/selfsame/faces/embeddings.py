"""The embeddings of an album's crops, kept beside it so that a photo is embedded once (`embeddings.safetensors`)."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from selfsame.core.config import write_atomic
from selfsame.faces.identity import IdentityJudge

FILE = "embeddings.safetensors"
AT_ONCE = 64  # crops in memory


def of(folder: Path, ids: Sequence[str], crop: Callable[[str], Tensor], judge: IdentityJudge) -> Float[Tensor, "n d"]:
    """The embeddings of an album's photos by their ids; what the judge has seen before is read back.

    `crop` loads one as (1, 3, S, S).
    """
    known = _read(folder / FILE, judge.name)
    missing = [one for one in dict.fromkeys(ids) if one not in known]
    for start in range(0, len(missing), AT_ONCE):
        part = missing[start : start + AT_ONCE]
        with torch.no_grad():
            known.update(zip(part, judge.embed(torch.cat([crop(one) for one in part])).float(), strict=True))
    return torch.stack([known[one] for one in ids])


def keep(folder: Path, ids: Sequence[str], embeddings: Float[Tensor, "n d"], judge: str) -> None:
    """Write the embeddings of these photos in the place of what was there."""
    about = json.dumps({"judge": judge, "ids": list(ids)})
    write_atomic(folder / FILE, save({"embeddings": embeddings.contiguous()}, {"about": about}))


def _read(file: Path, judge: str) -> dict[str, Tensor]:
    """What is there of this judge; another judge's are of no use, and a damaged file is made anew."""
    try:
        with safe_open(file, "pt") as data:
            about = json.loads(data.metadata()["about"])
            if about["judge"] != judge:
                return {}
            return dict(zip(about["ids"], data.get_tensor("embeddings").clone(), strict=True))
    except (OSError, SafetensorError, LookupError, TypeError, ValueError):
        return {}
