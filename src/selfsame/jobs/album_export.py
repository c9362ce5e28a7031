"""`selfsame album export`: a person gets all that is held about them, in one zip that explains itself.

Every file of their folder lies in it under `files/`, with a README.txt in plain words and an about.json for machines.
"""

import hashlib
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import selfsame
from selfsame.core import lock
from selfsame.core.config import from_json, replacing, to_json
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.names import ALBUM_FILE, CARD_FILE
from selfsame.core.weights import Card
from selfsame.faces import records
from selfsame.faces.records import AlbumRecord
from selfsame.jobs import export_words, holdings, traces
from selfsame.jobs.export_words import About, Held
from selfsame.jobs.holdings import Item
from selfsame.jobs.progress import Progress, silent

FILES, README_FILE = "files", "README.txt"
CHUNK = 2**20  # bytes in memory at a time
TEXT = (".json", ".jsonl", ".html", ".txt", ".csv")  # what deflates; pictures and weights do not
EARLIEST, LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)  # of dates in a zip


def export(folder: Path, out: Path, progress: Progress = silent) -> About:
    """Write a person's folder as the zip `out`, whole or not at all; the same folder gives the same bytes.

    Files are streamed. Raises WrongUse where `out` is no .zip or lies in the folder, BadInput where it is there, the
    folder is not, another run writes into it, or a file cannot be read or changes meanwhile.
    """
    check(folder, out)
    with lock.holding(folder, f"exporting {folder.name}"):
        found = holdings.items(folder)
        files = [item for item in found if item.link is None]
        album, models, problems = _read(folder, files)
        with replacing(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            held = []
            for number, item in enumerate(files):
                progress("writing the files", number, len(files))
                held.append(_pack(archive, folder, item))
            progress("writing the files", len(files), len(files))
            about = About(
                format=1, made_by=f"selfsame {selfsame.__version__}", person=folder.name, album=album, models=models,
                codes={i.path: traces.coded_photos(folder / i.path) for i in files if _named(i, traces.ANCHORS_FILE)},
                buffers={i.path: traces.kept_photos(folder / i.path) for i in files if _named(i, traces.BUFFER_FILE)},
                files=tuple(held), links={i.path: i.link for i in found if i.link is not None}, problems=problems,
            )  # fmt: skip
            for name, text in ((README_FILE, export_words.readme(about)), (traces.ABOUT_FILE, to_json(about))):
                archive.writestr(_entry(name, EARLIEST), text)
    return about


def check(folder: Path, out: Path) -> None:
    """Raise WrongUse or BadInput as `export` for what can be told beforehand."""
    if out.suffix.lower() != ".zip":
        raise WrongUse(f"{out.name} does not end in .zip.", "Give --out another name.")
    if not folder.is_dir():
        raise BadInput(f"Nobody called {folder.name} is in {folder.parent}.", "`selfsame people` lists everybody.")
    if out.resolve().is_relative_to(folder.resolve()):
        raise WrongUse(f"{out} lies in the folder that is exported.", "Give --out another place.")
    if out.exists():
        raise BadInput(f"{out} is there already.", "Delete it, or give another name.")


def _read(folder: Path, files: Sequence[Item]) -> tuple[AlbumRecord | None, dict[str, Card], tuple[str, ...]]:
    """The album's record and all cards; what cannot be read is said, for the person gets its bytes anyhow."""
    album, models, problems = None, {}, []
    for item in files:
        name = Path(item.path).name
        try:
            if item.path == ALBUM_FILE:
                album = records.read((folder / item.path).read_text(), item.path)
            elif name == CARD_FILE:
                text = (folder / item.path).read_text()
                models[Path(item.path).parent.as_posix()] = from_json(Card, text, item.path)
        except (BadInput, OSError, UnicodeDecodeError) as error:
            problems.append(error.what if isinstance(error, BadInput) else f"{item.path} cannot be read.")
    return album, models, tuple(problems)


def _named(item: Item, name: str) -> bool:
    return Path(item.path).name == name


def _pack(archive: zipfile.ZipFile, folder: Path, item: Item) -> Held:
    source, total, size = folder / item.path, hashlib.sha256(), 0
    try:
        file = source.open("rb")
        changed = time.gmtime(source.stat().st_mtime)[:6]
    except OSError as error:
        raise BadInput(
            f"{source} cannot be read ({error.strerror}).", "Mend that first; nothing was written."
        ) from error
    info = _entry(f"{FILES}/{item.path}", changed)
    info.file_size = item.bytes
    with file, archive.open(info, "w", force_zip64=item.bytes >= 2**31) as packed:
        while part := file.read(CHUNK):
            total.update(part)
            size += len(part)
            packed.write(part)
    if size != item.bytes:
        raise BadInput(
            f"{source} changed while it was exported.", "Wait for the run that writes it, then export again."
        )
    return Held(info.filename, item.kind, size, total.hexdigest())


def _entry(name: str, changed: tuple[int, ...]) -> zipfile.ZipInfo:
    year, month, day, hour, minute, second = min(max(changed, EARLIEST), LATEST)
    info = zipfile.ZipInfo(name, (year, month, day, hour, minute, second))
    info.compress_type = zipfile.ZIP_DEFLATED if Path(name).suffix.lower() in TEXT else zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    return info
