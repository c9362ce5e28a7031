"""A person's folder with everything in it that a fit and an update leave, of nothing and in no time."""

from pathlib import Path

import torch
from helpers import poses

from selfsame.core import weights
from selfsame.core.weights import Card
from selfsame.faces.album import Album
from selfsame.jobs import plans
from selfsame.replay import buffer
from selfsame.replay.buffer import Candidate
from selfsame.tasks import anchors


def modelled(album: Album, run: str = "main", kind: str = "personal-3d", value: float = 0.0) -> Path:
    """A model as a fit and an update leave one, of nothing: weights, card, anchors, plan, buffer, report, training."""
    folder = album.path / "models" / run
    ids = [photo.id for photo in album.kept]
    data = plans.digest(ids)
    card = Card(kind, {}, 0, "Ada's.", "p" * 64, data, command=f"selfsame fit {album.record.name}")
    weights.save(folder, {"x": torch.full((10,), value)}, card)
    anchors.write(folder, torch.randn(len(ids), 2, 4), poses(len(ids)), ids)
    plans.claim(folder, "p" * 64, data, card)
    (folder / "report.html").write_text("<p>ada")
    (folder / "training").mkdir()
    (folder / "training" / "checkpoint.safetensors").write_bytes(b"x" * 1000)
    photo = album.kept[0]
    data_ = album.face(photo).read_bytes()
    kept = [Candidate(photo.id, 0, None, 0.0, data_, torch.zeros(2, 4), poses(1))]
    buffer.write(folder / "buffer", kept, method="hull", photos=1)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
