"""What the names of TalkingHeadBench's folders and files say, in all the spellings that are about [facts, section 2.5].

A YouTube id has 11 characters and may hold or begin with the characters that separate the parts of a name, so ids are
found by their length and the segment's number behind them, never by splitting.
"""

import re
from dataclasses import dataclass
from typing import Literal

Source = Literal["CelebV-HQ", "FaceForensics++"]

MAIN = ("AniPortraitAudio", "AniPortraitVideo", "Hallo", "Hallo2", "EMOPortraits", "LivePortrait")
EMERGING = ("MAGI-1", "Hallo3")
GENERATORS = (*MAIN, *EMERGING)
ALIASES = {
    "aniaudio": "AniPortraitAudio", "apaudio": "AniPortraitAudio", "anivideo": "AniPortraitVideo",
    "apvideo": "AniPortraitVideo", "emoportrait": "EMOPortraits", "liveportriat": "LivePortrait", "magi": "MAGI-1",
}  # fmt: skip
REAL_FOLDERS = frozenset({"real", "true", "reals", "original"})

_CLIP = r"(?P<youtube>[\w-]{11})_(?P<segment>\d+)"
_FAKE = re.compile(rf"(?P<portrait>\d{{1,6}})[-_]{{1,3}}?{_CLIP}(?=$|[-_])(?P<rest>.*)")
_REAL = re.compile(rf"{_CLIP}(?=$|[-_])")
_REAL_LOST = re.compile(r"(?P<youtube>[\w-]{10})_(?P<segment>\d+)(?=$|[-_])")  # its id's leading dash
_FORENSICS = re.compile(r"(?P<number>\d{3})(?=$|[-_])")
_NUMBER = re.compile(r"(?P<portrait>\d+)$")


@dataclass(frozen=True)
class Name:
    """What a file's name tells: the FFHQ portrait, the driving (or shown) clip and its YouTube id, the generator."""

    portrait: str | None = None
    clip: str | None = None
    youtube: str | None = None
    generator: str | None = None
    source: Source | None = None


def generator_of(word: str) -> str | None:
    """The generator that a folder's or file's word names, in one spelling; None where it names none."""
    plain = re.sub(r"[^a-z0-9]", "", word.lower())
    known = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in GENERATORS}
    return known.get(plain) or ALIASES.get(plain)


def parse_fake(stem: str) -> Name | None:
    """The name of a generated clip, `<portrait>--<clip>--<generator>` or a variant of it; None for another name.

    A leading dash of the YouTube id that was lost is found again in the separator. MAGI-1's clips have a number alone.
    """
    if found := _FAKE.match(stem):
        words = [word for word in re.split(r"[-_]+", found["rest"]) if word]
        named = next((name for word in reversed(words) if (name := generator_of(word))), None)
        clip = f"{found['youtube']}_{found['segment']}"
        return Name(_five(found["portrait"]), clip, found["youtube"], named, "CelebV-HQ")
    if found := _NUMBER.match(stem):
        return Name(portrait=_five(found["portrait"]))
    return None


def parse_real(stem: str) -> Name | None:
    """The name of a real clip: CelebV-HQ's `<YouTube id>_<segment>`, or three digits of FaceForensics++."""
    for pattern, dash in ((_REAL, ""), (_REAL_LOST, "-")):
        if found := pattern.match(stem):
            youtube = dash + found["youtube"]
            return Name(None, f"{youtube}_{found['segment']}", youtube, None, "CelebV-HQ")
    if found := _FORENSICS.match(stem):
        return Name(None, found["number"], None, None, "FaceForensics++")
    return None


def _five(number: str) -> str:
    return number.zfill(5)
