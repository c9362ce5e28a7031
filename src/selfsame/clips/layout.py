"""What a clip's place in a folder says of it: TalkingHeadBench's own layout, and that of users [facts, section 2.4].

Somewhere in the path stands a generator or `fake/<any name>`, or `real` (early copies: `true`); `train`, `val` or
`test` may stand below it. Which real clip belongs to which split is said by the JSON lists beside the real ones.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Literal

from selfsame.clips import names
from selfsame.clips.names import Name
from selfsame.core.errors import BadInput

Label = Literal["real", "fake"]
Split = Literal["train", "val", "test"]
SPLITS: Mapping[str, Split] = {
    "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
}  # fmt: skip
FAKE_FOLDERS = frozenset({"fake", "fakes", "additional_dataset"})
LISTS = ("real_dataset_split.json", "true_dataset_split.json")


@dataclass(frozen=True)
class Place:
    """What a path says: real or fake, by which generator, in which split, and what the name tells."""

    label: Label
    generator: str | None
    split: Split | None
    name: Name


def place(path: PurePosixPath) -> Place | None:
    """What the path of a clip below its root says; None where it does not say whether the clip is real."""
    folders = path.parts[:-1]
    split = next((SPLITS[f.lower()] for f in reversed(folders) if f.lower() in SPLITS), None)
    if any(f.lower() in names.REAL_FOLDERS for f in folders):
        return Place("real", None, split, names.parse_real(path.stem) or Name())
    name = names.parse_fake(path.stem) or Name()
    generator = next((g for f in reversed(folders) if (g := names.generator_of(f))), None) or name.generator
    if generator is None:
        generator = _below_fake(folders)
    return Place("fake", generator, split, name) if generator else None


def _below_fake(folders: tuple[str, ...]) -> str | None:
    """The name of a generator that is not the benchmark's: the folder below `fake`."""
    for above, folder in pairwise(folders):
        if above.lower() in FAKE_FOLDERS and folder.lower() not in {*FAKE_FOLDERS, *SPLITS}:
            return folder
    return None


def real_splits(root: Path) -> dict[str, Split]:
    """The split of each real clip (by its name without suffix) that the lists under a root tell.

    Raises BadInput where a list is not of the published shape.
    """
    found: dict[str, Split] = {}
    for path in sorted(p for name in LISTS for p in root.rglob(name)):
        for clip, split in _listed(path):
            found.setdefault(clip, split)
    return found


def _listed(path: Path) -> Iterator[tuple[str, Split]]:
    try:
        for split, sources in json.loads(path.read_text()).items():
            for files in sources.values():
                for file in files:
                    yield Path(file).stem, SPLITS[split.lower()]
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        mend = 'It should map "Train", "Val" and "Test" to lists of file names by source.'
        raise BadInput(f"{path} is not a list of real clips.", mend) from error


def listed_split(name: Name, splits: Mapping[str, Split]) -> Split | None:
    """The split of a real clip; a leading dash that the list lacks is forgiven [facts, section 2.5]."""
    if name.clip is None:
        return None
    return splits.get(name.clip) or splits.get(name.clip.removeprefix("-"))
