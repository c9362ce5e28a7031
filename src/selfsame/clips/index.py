"""The index of clips: one typed record each, kept in a file of JSON lines that later runs only add to."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import cast

from selfsame.clips import layout, media
from selfsame.clips.layout import Label, Place, Split
from selfsame.clips.media import Media
from selfsame.clips.names import generator_of
from selfsame.core import files, video
from selfsame.core.config import STRICT, from_json, write_atomic
from selfsame.core.errors import BadInput

PUBLISHED = {
    "LivePortrait": 529, "AniPortraitAudio": 542, "AniPortraitVideo": 422, "Hallo": 420, "Hallo2": 432,
    "EMOPortraits": 573, "MAGI-1": 66, "Hallo3": 10, "real": 2608,
}  # fmt: skip
"""How many clips the benchmark has of each generator, and how many real ones its lists name [facts, section 2.1]."""

THREADS = 8
SAVED_EVERY = 256  # clips, so that a killed run goes on near where it was
COLUMNS = ("path", "label", "generator", "identity", "driver", "youtube", "split", "source")


@dataclass(frozen=True)
class Facts:
    """What is known of a clip without reading its file: whether it is real, and where it is from.

    `identity` is whose face it shows (the FFHQ portrait of a fake, the YouTube id or FaceForensics++ number of a real
    clip), `driver` the clip that moves the face, `youtube` that clip's video, `source` where real material is from.
    """

    label: Label
    generator: str | None
    identity: str | None
    driver: str | None
    youtube: str | None
    source: str | None
    split: Split | None


@dataclass(frozen=True)
class Clip(Facts):
    """One clip: what is known of it, `path` below its root, the sha256 of its bytes, and what its container says.

    `why_left_out` is a sentence where it cannot be used; `media` is then null.
    """

    __pydantic_config__ = STRICT

    path: str
    digest: str
    size_bytes: int
    modified_ns: int
    media: Media | None
    why_left_out: str | None

    @property
    def maker(self) -> str:
        """The generator, or "real"."""
        return self.generator or self.label


@dataclass(frozen=True)
class Index:
    """All clips below a root in the order of their paths."""

    root: Path
    clips: tuple[Clip, ...]

    @property
    def usable(self) -> tuple[Clip, ...]:
        """Those that can be read."""
        return tuple(clip for clip in self.clips if clip.why_left_out is None)

    def file(self, clip: Clip) -> Path:
        """Where a clip lies."""
        return self.root / clip.path


def scan(
    root: Path, known: Iterable[Clip] = (), on_clip: Callable[[int, int], None] | None = None,
    keep: Callable[[Index], None] | None = None,
) -> Index:  # fmt: skip
    """Index a folder of clips; `known` ones whose size and time are the same are not read again.

    `on_clip` hears how many are done of how many, `keep` gets what is done now and then. Raises BadInput where there is
    no clip whose path says whether it is real.
    """
    splits = layout.real_splits(root)
    found = [(file, where) for file in videos(root) if (where := layout.place(_below(root, file)))]
    if not found:
        raise BadInput(
            f"No clip below {root} can be told real or fake by its path.",
            "Put them into real/ and fake/<generator>/, or give a CSV with the columns path and label.",
        )
    before = {clip.path: clip for clip in known}
    return _read(root, [(file, _of_place(where, splits)) for file, where in found], before, on_clip, keep)


def from_csv(
    path: Path, known: Iterable[Clip] = (), on_clip: Callable[[int, int], None] | None = None,
    keep: Callable[[Index], None] | None = None,
) -> Index:  # fmt: skip
    """Index the clips of a CSV file: `path` (below the file's folder) and `label`, and any other of COLUMNS.

    Raises BadInput where a column or a label is unknown or missing, or a line names a file that is not there.
    """
    root = path.parent
    facts = list(_lines(path))
    for line, (file, _) in enumerate(facts, 2):
        if not file.is_file():
            raise BadInput(f"{path.name}, line {line}: there is no file {file}.", "Paths begin at the CSV's folder.")
    return _read(root, facts, {clip.path: clip for clip in known}, on_clip, keep)


def videos(root: Path) -> list[Path]:
    """Every video file below a folder, in the order of their paths."""
    return sorted(file for file in root.rglob("*") if file.suffix.lower() in video.SUFFIXES and file.is_file())


def copied(index: Index, root: Path, path_of: Callable[[Clip], str]) -> Index:
    """The index of clips made from another's usable ones, below a root of their own: what is known of them stays."""
    made = [replace(clip, path=path_of(clip)) for clip in index.usable]
    return _read(root, [(root / clip.path, clip) for clip in made], {}, None, None)


def counts(index: Index) -> Counter[str]:
    """How many usable clips there are of each generator, and of real ones ("real")."""
    return Counter(clip.maker for clip in index.usable)


def write(path: Path, index: Index) -> None:
    """Write an index as JSON lines, whole or not at all; the first line is its root."""
    lines = [json.dumps({"root": str(index.root.resolve())}), *(json.dumps(asdict(clip)) for clip in index.clips)]
    write_atomic(path, "\n".join(lines) + "\n")


def read(path: Path) -> Index:
    """An index that was written; raises BadInput where there is none, or it is not valid."""
    try:
        first, *rest = path.read_text().splitlines()
        root = Path(json.loads(first)["root"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"There is no readable index in {path}.", "Make one with `selfsame bench index`.") from error
    return Index(root, tuple(from_json(Clip, line, f"{path}, line {n}") for n, line in enumerate(rest, 2)))


def _of_place(where: Place, splits: Mapping[str, Split]) -> Facts:
    name = where.name
    if where.label == "fake":
        return Facts("fake", where.generator, name.portrait, name.clip, name.youtube, name.source, where.split)
    split = where.split or layout.listed_split(name, splits)
    return Facts("real", None, name.youtube or name.clip, name.clip, name.youtube, name.source, split)


def _lines(path: Path) -> Iterator[tuple[Path, Facts]]:
    try:
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            columns = set(rows.fieldnames or ())
            if not {"path", "label"} <= columns <= set(COLUMNS):
                wrong = ", ".join(sorted(columns - set(COLUMNS))) or "path or label is missing"
                raise BadInput(f"{path.name} has other columns than it should: {wrong}.", f"Use {', '.join(COLUMNS)}.")
            for number, row in enumerate(rows, 2):
                values = {key: (row.get(key) or "").strip() or None for key in COLUMNS}
                yield path.parent / str(values["path"]), _of_row(values, f"{path.name}, line {number}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read as CSV.") from error


def _of_row(values: Mapping[str, str | None], where: str) -> Facts:
    label, split = (values["label"] or "").lower(), values["split"]
    if label not in ("real", "fake"):
        raise BadInput(f"{where}: the label is {values['label'] or 'missing'}.", "Write real or fake.")
    if split is not None and split.lower() not in layout.SPLITS:
        raise BadInput(f"{where}: there is no split {split}.", "Write train, val or test, or nothing.")
    generator = values["generator"] and (generator_of(values["generator"]) or values["generator"])
    return Facts(
        cast(Label, label), generator, values["identity"], values["driver"], values["youtube"], values["source"],
        layout.SPLITS[split.lower()] if split else None,
    )  # fmt: skip


def _read(
    root: Path, found: list[tuple[Path, Facts]], known: Mapping[str, Clip],
    on_clip: Callable[[int, int], None] | None, keep: Callable[[Index], None] | None,
) -> Index:  # fmt: skip
    """Records of all files, in order, several read at a time."""
    clips: list[Clip] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for clip in pool.map(lambda item: _clip(root, item[0], item[1], known), found):
            clips.append(clip)
            if keep and len(clips) % SAVED_EVERY == 0:
                keep(Index(root, tuple(clips)))
            if on_clip:
                on_clip(len(clips), len(found))
    return Index(root, tuple(clips))


def _clip(root: Path, file: Path, facts: Facts, known: Mapping[str, Clip]) -> Clip:
    path, state = str(_below(root, file)), file.stat()
    own = {field.name: getattr(facts, field.name) for field in fields(Facts)}
    before = known.get(path)
    if before and (before.size_bytes, before.modified_ns) == (state.st_size, state.st_mtime_ns):
        return replace(before, **own)
    try:
        seen, why = media.probe(file), None
    except BadInput as error:
        seen, why = None, error.what
    return Clip(
        **own, path=path, digest=files.digest(file), size_bytes=state.st_size,
        modified_ns=state.st_mtime_ns, media=seen, why_left_out=why,
    )  # fmt: skip


def _below(root: Path, file: Path) -> PurePosixPath:
    return PurePosixPath(file.relative_to(root).as_posix())
