"""Protocols as data: which clips a detector learns from, chooses on, and is judged on [facts, section 4].

The paper tests identity shift (P1), generator shift (P2) and both (P3), with one column a generator; which generators a
column trains on is not published. Both readings are here: a column names the generator that is *held out* of training
("leave-one-out") or the *only one* that is trained on ("single-source", a row of the transfer matrix).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from selfsame.clips.index import Clip
from selfsame.clips.layout import Split
from selfsame.clips.names import EMERGING, MAIN
from selfsame.core import rng
from selfsame.core.errors import BadInput, WrongUse

Key = Callable[[Clip], str | None]
Shift = Literal["identity", "generator", "both"]
Reading = Literal["leave-one-out", "single-source", "pooled"]


@dataclass(frozen=True)
class Protocol:
    """What to train on and what to test with: generators of either side, and what must differ between them.

    `shift` "identity" tests the training generators on unseen portraits; "generator" other generators on portraits of
    training; "both" other generators on unseen portraits.
    """

    name: str
    shift: Shift
    reading: Reading
    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Sets:
    """A protocol's clips: to learn from, to choose a checkpoint and a threshold on, and to be judged on, once."""

    train: tuple[Clip, ...]
    select: tuple[Clip, ...]
    test: tuple[Clip, ...]


def published(generators: Sequence[str] = MAIN, emerging: Sequence[str] = EMERGING) -> list[Protocol]:
    """P1, P2 and P3 by column in both readings, and the emerging generators after training on all.

    P1's test generators are those of training, so leave-one-out means nothing there: all generators are pooled instead.
    """
    made = []
    for column in generators:
        others = tuple(name for name in generators if name != column)
        made += [
            Protocol(f"P1 {column}", "identity", "pooled", tuple(generators), (column,)),
            Protocol(f"P1 {column} alone", "identity", "single-source", (column,), (column,)),
            Protocol(f"P2 {column}", "generator", "leave-one-out", others, (column,)),
            Protocol(f"P3 {column}", "both", "leave-one-out", others, (column,)),
        ]
    made += transfer(generators)
    made += [Protocol(f"emerging {name}", "both", "pooled", tuple(generators), (name,)) for name in emerging]
    return made


def transfer(generators: Sequence[str] = MAIN) -> list[Protocol]:
    """The transfer matrix: each generator alone in training, each other one in the test, in P2 and in P3."""
    shifts: tuple[tuple[str, Shift], ...] = (("P2", "generator"), ("P3", "both"))
    return [
        Protocol(f"{name} {one} to {other}", shift, "single-source", (one,), (other,))
        for name, shift in shifts for one in generators for other in generators if one != other
    ]  # fmt: skip


def sets(protocol: Protocol, clips: Iterable[Clip], *, drivers_apart: bool = False) -> Sets:
    """The clips of a protocol, disjoint by construction.

    Training clips and clips to choose on never share a file (by bytes) with the test, nor with each other; nor a
    portrait, except in the generator shift, where test portraits are those of training. With `drivers_apart` no YouTube
    video either, which the published split allows. Raises BadInput where a side has no real or no fake clip.
    """
    usable = [clip for clip in clips if clip.why_left_out is None]
    train = [c for c in usable if c.split == "train" and (c.label == "real" or c.generator in protocol.train)]
    select = [c for c in usable if c.split == "val" and (c.label == "real" or c.generator in protocol.train)]
    known = {c.identity for c in train if c.label == "fake" and c.identity}
    if protocol.shift == "generator":
        test = [c for c in usable if c.generator in protocol.test and c.identity in known]
    else:
        test = [c for c in usable if c.generator in protocol.test and c.split in ("test", None)]
    test += [c for c in usable if c.label == "real" and c.split == "test"]
    always: list[Key] = [_path, _file, *([_youtube] if drivers_apart else [])]
    of_test = always if protocol.shift == "generator" else [*always, _identity]
    select = _apart(select, test, of_test)
    train = _apart(_apart(train, test, of_test), select, [*always, _identity])
    found = Sets(tuple(train), tuple(select), tuple(test))
    for side, chosen in vars(found).items():
        for label in ("real", "fake"):
            if not any(clip.label == label for clip in chosen):
                raise BadInput(
                    f"{protocol.name} has no {label} clips to {'judge' if side == 'test' else side} on.",
                    "Index clips of its generators with splits; see `selfsame bench audit`.",
                )
    return found


def with_splits(clips: Iterable[Clip], seed: int = 0, shares: Mapping[Split, float] | None = None) -> list[Clip]:
    """The clips with a split for those that have none, by their identity alone: all clips of a face are on one side.

    A split that is known is kept, and gives itself to other clips of the same identity.
    """
    shares = shares or {"train": 0.6, "val": 0.15, "test": 0.25}
    given: dict[str | None, Split] = {c.identity: c.split for c in clips if c.split and c.identity}
    return [c if c.split else replace(c, split=given.get(c.identity) or _drawn(c, seed, shares)) for c in clips]


def check_apart(chosen_on: Iterable[str], judged_on: Iterable[str], what: str) -> None:
    """Raise WrongUse where something ("threshold was chosen", say) was so on an item that it is judged on."""
    both = set(chosen_on) & set(judged_on)
    if both:
        raise WrongUse(
            f"The {what} on {len(both)} of the clips that it is judged on, such as {min(both)}.",
            "Choose on the selection set.",
        )


def _drawn(clip: Clip, seed: int, shares: Mapping[Split, float]) -> Split:
    lot, reached = rng.key(seed, "split", clip.identity or clip.digest) / 2**63, 0.0
    for split, share in shares.items():
        reached += share
        if lot < reached:
            return split
    return "test"


def _apart(clips: Iterable[Clip], others: Iterable[Clip], keys: Sequence[Key]) -> list[Clip]:
    """Those clips that share nothing of `keys` with the others."""
    taken = [{value for other in others if (value := key(other))} for key in keys]
    return [clip for clip in clips if not any(key(clip) in values for key, values in zip(keys, taken, strict=True))]


def _file(clip: Clip) -> str | None:
    return clip.digest


def _path(clip: Clip) -> str | None:
    return clip.path


def _identity(clip: Clip) -> str | None:
    return clip.identity


def _youtube(clip: Clip) -> str | None:
    return clip.youtube
