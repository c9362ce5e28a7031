"""`selfsame weights import`: a published file becomes folders of weights with cards, all of it or nothing."""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from selfsame.convert import archive, kinds, sources
from selfsame.convert.archive import Opened
from selfsame.convert.kinds import Kind
from selfsame.convert.networks import Converted, Net, Part, blank, own_card, own_cards
from selfsame.convert.sources import Source
from selfsame.core import store, weights
from selfsame.core.config import from_json, to_json, write_atomic, writing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.files import digest
from selfsame.core.weights import Card
from selfsame.faces.align import Alignment
from selfsame.jobs import import_personal
from selfsame.jobs.import_personal import Extra
from selfsame.jobs.networks import DISCRIMINATOR
from selfsame.jobs.progress import Progress, silent
from selfsame.nets.age import AGE_JUDGE
from selfsame.nets.encoder import GradualStyleEncoder
from selfsame.nets.judges import IDENTITY_JUDGE
from selfsame.nets.lpips import PERCEPTUAL_JUDGE
from selfsame.nets.stylegan2 import StyleGAN2
from selfsame.tasks import encoders, prior, prior2d, reage, time_machine
from selfsame.tasks.encoders import Inversion
from selfsame.tasks.reage import Sam

NOTHING = Extra()
SOURCE_FILE = "source.json"
SAM_FOLDER = "sam"  # below a person's adapter, the SAM that it was trained on
SINGLE = {  # the kind on the card where a file holds one network
    "eg3d": prior.KIND, "stylegan2": prior2d.KIND, "rosinality": prior2d.KIND, DISCRIMINATOR: DISCRIMINATOR,
    "arcface": IDENTITY_JUDGE, "dex": AGE_JUDGE, "lpips": PERCEPTUAL_JUDGE,
}  # fmt: skip
ALSO = {("stylegan2", DISCRIMINATOR), ("stylegan2", "mystyle"), ("mytm", "sam")}
"""What a file may be imported as besides what it is."""


@dataclass(frozen=True)
class Imported:
    """What an import left behind: its name, its folder, its source, and whether it had been there already."""

    name: str
    folder: Path
    source: Source
    known: Kind
    again: bool = False

    @property
    def place(self) -> str:
        """What a command is given to find it: its name, or its folder where it lies elsewhere."""
        return self.name if self.folder == store.home() / self.name else str(self.folder)


def import_file(
    file: Path,
    kind: str | None = None,
    name: str | None = None,
    out: Path | None = None,
    extra: Extra = NOTHING,
    progress: Progress = silent,
) -> Imported:
    """Convert a published file into the store under a name (the file's own by default), or into the folder `out`.

    The same import again finds what is there. Raises BadInput where the file is damaged, asks for what is forbidden,
    is another kind than `kind`, or lacks tensors, and where the name is taken by something else; WrongUse for the name
    of a starter.
    """
    if kind is not None:
        kinds.check(kind)
    opened = archive.opened(file)
    value = opened.value
    kind = _kind(file, value, kind)
    name = _name(name or file.stem)
    folder = out or store.home() / name
    size = file.stat().st_size
    mib = -(-size // 2**20)
    source_digest = digest(file, lambda done: progress("reading (MiB)", min(-(-done // 2**20), mib), mib))
    if folder.exists():
        return _again(name, folder, source_digest, kind)
    import_personal.check(kind, extra)
    known = kinds.KINDS[kind]
    converted = known.convert(value, archive.open_file(extra.heads) if extra.heads else None)
    own = own_card(value)
    licence = own.licence if own else known.licence
    facts = {"seed": 0, "licence": licence, "data_digest": source_digest, "command": _command(file, kind)}
    partial = folder.parent / f".{folder.name}.importing"
    with writing(partial):
        shutil.rmtree(partial, ignore_errors=True)  # a killed import's
        partial.mkdir(parents=True)
    try:
        written = _write(kind, opened, converted, file, partial, facts, extra, progress)
        progress("writing", len(converted.parts), len(converted.parts))
        source = Source(
            file=file.name, bytes=size, digest=source_digest, kind=kind,
            verified=sources.verified(file.name, source_digest, own), imported=datetime.now(UTC), licence=licence,
            notes=converted.notes, settings=sources.settings(value), of=written,
        )  # fmt: skip
        write_atomic(partial / SOURCE_FILE, to_json(source))
        with writing(folder):
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Imported(name, folder, source, known)


def _name(wanted: str) -> str:
    """A name that a command can be given: letters, digits, `.`, `_` and `-`; raises WrongUse for a starter's."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip(".-") or "weights"
    if name in store.STARTER:
        raise WrongUse(f"{name} is a name of the starter set.", "Give another --name.")
    return name


def source_of(folder: Path) -> Source | None:
    """The source of imported weights, which lies in their folder or above it; None where they were not imported."""
    found = (_source_in(place) for place in (folder, *folder.parents[:2]))
    return next((source for source in found if source is not None), None)


def _source_in(folder: Path) -> Source | None:
    path = folder / SOURCE_FILE
    return from_json(Source, path.read_text(), str(path)) if path.is_file() else None


@dataclass(frozen=True)
class Checked:
    """The networks of a folder by place with their digests, and what is said of the file they came from."""

    networks: dict[str, str]
    verified: str


def verify(folder: Path, file: Path | None = None, progress: Progress = silent) -> Checked:
    """Read every network in a folder again; raises BadInput where a number differs from what was written.

    Where the file is given from which they were imported, it must be that file.
    """
    places = sorted(card.parent for card in folder.rglob(weights.CARD_FILE)) if folder.is_dir() else []
    if not places:
        raise BadInput(f"There are no weights in {folder}.", "`selfsame weights list` shows what there is.")
    source = source_of(folder)
    if file is not None and (source is None or digest(file) != source.digest):
        raise BadInput(f"{file} is not the file that {folder} came from.", "Import it under another --name.")
    imported = _source_in(folder)
    networks: dict[str, str] = {}
    for i, place in enumerate(places):
        progress("reading", i, len(places))
        relative = place.relative_to(folder).as_posix()
        networks[relative] = weights.load(place)[1].digest
        wanted = imported.of.get(relative) if imported else None
        if wanted not in (None, networks[relative]):
            raise BadInput(f"{place} holds other weights than were imported.", "Import the file again.")
    progress("reading", len(places), len(places))
    return Checked(networks, source.verified if source else "")


def _kind(file: Path, value: Any, wanted: str | None) -> str:
    found = kinds.recognise(value)
    if wanted is None or wanted == found or (found, wanted) in ALSO:
        return wanted or found
    raise BadInput(f"{file} is {kinds.KINDS[found].what}, not {kinds.KINDS[wanted].what}.", "Leave --as out.")


def _again(name: str, folder: Path, source_digest: str, kind: str) -> Imported:
    found = _source_in(folder)
    if found is None or (found.digest, found.kind) != (source_digest, kind):
        raise BadInput(f"{folder} holds something else already.", "Give another --name, or delete it first.")
    return Imported(name, folder, found, kinds.KINDS[kind], again=True)


def _command(file: Path, kind: str) -> str:
    return f"selfsame weights import {file.name} --as {kind}"


def _write(
    kind: str,
    opened: Opened,
    converted: Converted,
    file: Path,
    folder: Path,
    facts: Mapping[str, Any],
    extra: Extra,
    progress: Progress,
) -> dict[str, str]:
    """Write every network of a file; returns their digests by their place."""
    parts = converted.parts

    def written(count: int) -> None:
        opened.release()  # or a file of two gigabytes would lie in memory as a whole
        progress("writing", count, len(parts))

    written(0)
    if kind in SINGLE:
        (part,) = parts.values()
        return {".": _save(folder, SINGLE[kind], part, facts)}
    if kind in import_personal.PERSONAL:
        return import_personal.write(kind, parts, file, folder, facts, extra)
    above = folder / SAM_FOLDER if kind == "mytm" else folder
    found = {reage.PRIOR_FOLDER: _save(above / reage.PRIOR_FOLDER, prior2d.KIND, parts["prior"], facts)}
    written(1)
    given = parts["inversion"]
    card = Card(encoders.KIND, asdict(given.config), prior_digest=found[reage.PRIOR_FOLDER], **facts)
    loose = Inversion(_filled(GradualStyleEncoder, given), given.extra["w_mean"], card)
    inversion = encoders.save(folder if kind == "psp" else above / reage.INVERSION_FOLDER, loose)
    written(2)
    if kind == "psp":
        return found | {".": inversion.card.digest}
    nets = _filled(GradualStyleEncoder, parts["sam"]), inversion, _filled(StyleGAN2, parts["prior"])
    sam = reage.save_age_encoder(above, Sam(*nets, Card(reage.KIND, {}, **facts), _alignment(opened.value)))
    written(3)
    if kind == "sam":
        return found | {reage.INVERSION_FOLDER: sam.inversion.card.digest, ".": sam.card.digest}
    assert extra.ages is not None
    adapter = parts["adapter"]
    spans = time_machine.Parts(adapter.config, extra.ages)
    card = Card(time_machine.KIND, asdict(spans), prior_digest=sam.card.digest, **facts)
    saved = weights.save(folder, adapter.tensors, card)
    inner = {reage.PRIOR_FOLDER: found[reage.PRIOR_FOLDER], reage.INVERSION_FOLDER: sam.inversion.card.digest}
    return {f"{SAM_FOLDER}/{place}": d for place, d in inner.items()} | {SAM_FOLDER: sam.card.digest, ".": saved.digest}


def _alignment(value: Any) -> Alignment:
    """How the photos are cut that a SAM knows: as FFHQ, unless it is one of ours."""
    card = own_cards(value).get("sam")
    return "eg3d" if card is not None and card.config.get("alignment") == "eg3d" else "ffhq"


def _save(folder: Path, kind: str, part: Part, facts: Mapping[str, Any]) -> str:
    return weights.save(folder, part.tensors, Card(kind, asdict(part.config), **facts)).digest


def _filled(build: Callable[[Any], Net], part: Part) -> Net:
    """A network whose tensors are the part's own memory, which for a file is the file itself."""
    net = blank(lambda: build(part.config), "this kind")
    net.load_state_dict(part.tensors, assign=True)
    return net
