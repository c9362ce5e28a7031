"""Protocols: what is trained on, chosen on and judged on never overlaps, whatever the clips are."""

import pytest
from clip_toys import clip
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsame.clips import protocol
from selfsame.clips.index import Clip
from selfsame.clips.names import MAIN
from selfsame.clips.protocol import Protocol, Sets
from selfsame.core.errors import BadInput, WrongUse

PUBLISHED = protocol.published()


def clips_of(seed: int, count: int = 300) -> list[Clip]:
    """Clips whose portraits, drivers and files cross splits and generators as they like."""
    import random

    draw = random.Random(seed)
    made = []
    for number in range(count):
        fake = draw.random() < 0.7
        driver = draw.randrange(60)
        facts = {
            "identity": f"{'p' if fake else 'r'}{draw.randrange(50)}",
            "youtube": f"y{driver}", "driver": f"y{driver}_{draw.randrange(2)}",
            "digest": f"d{draw.randrange(count)}",
        } | ({"generator": draw.choice([*MAIN, "MAGI-1", "Hallo3"])} if fake else {})  # fmt: skip
        made.append(clip(number, draw.choice(["train", "val", "test", None]), fake, **facts))
    return made


def shared(one: tuple[Clip, ...], other: tuple[Clip, ...], field: str) -> set[str]:
    values = [{getattr(c, field) for c in side} - {None} for side in (one, other)]
    return values[0] & values[1]


@given(st.integers(0, 10_000), st.sampled_from(PUBLISHED), st.booleans())
@settings(max_examples=40, deadline=None)
def test_sides_share_no_clip_and_no_face(seed: int, chosen: Protocol, drivers: bool) -> None:
    try:
        found = protocol.sets(chosen, clips_of(seed), drivers_apart=drivers)
    except BadInput:
        return
    pairs = ((found.train, found.select), (found.train, found.test), (found.select, found.test))
    for one, other in pairs:
        assert not shared(one, other, "path") and not shared(one, other, "digest")
        if drivers:
            assert not shared(one, other, "youtube")
    assert not shared(found.train, found.select, "identity")
    if chosen.shift != "generator":
        assert not shared(found.train, found.test, "identity") and not shared(found.select, found.test, "identity")
    makers = {side: {c.generator for c in getattr(found, side)} - {None} for side in vars(found)}
    assert makers["train"] | makers["select"] <= set(chosen.train) and makers["test"] <= set(chosen.test)
    if chosen.shift != "identity":
        assert not makers["train"] & makers["test"]


def paper(identities: int = 6) -> list[Clip]:
    """A small copy of the benchmark: every portrait by every generator, train 0 to 3, val 4, test 5; real ones too."""
    splits = ["train"] * (identities - 2) + ["val", "test"]
    made = [
        clip(100 * g + i, split, generator=name, identity=f"p{i}")  # type: ignore[arg-type]
        for g, name in enumerate(MAIN) for i, split in enumerate(splits)
    ]  # fmt: skip
    return made + [clip(9000 + i, split, fake=False, identity=f"r{i}") for i, split in enumerate(splits)]  # type: ignore[arg-type]


def fakes(side: tuple[Clip, ...]) -> list[tuple[str | None, str | None]]:
    return sorted((c.generator, c.identity) for c in side if c.label == "fake")


def of(name: str) -> Sets:
    return protocol.sets(next(p for p in PUBLISHED if p.name == name), paper())


def test_the_three_shifts_on_a_small_copy_of_the_benchmark() -> None:
    others = [name for name in MAIN if name != "Hallo2"]
    one, two, three = (of(f"{p} Hallo2") for p in ("P1", "P2", "P3"))
    assert fakes(one.test) == [("Hallo2", "p5")] and {g for g, _ in fakes(one.train)} == set(MAIN)
    assert fakes(two.test) == [("Hallo2", f"p{i}") for i in range(4)]
    assert fakes(two.train) == sorted((name, f"p{i}") for name in others for i in range(4))
    assert fakes(three.test) == [("Hallo2", "p5")] and fakes(three.train) == fakes(two.train)
    for found in (one, two, three):
        assert {i for _, i in fakes(found.select)} == {"p4"}
        assert [c.identity for c in found.test if c.label == "real"] == ["r5"]
    alone = of("P3 Hallo to EMOPortraits")
    assert {g for g, _ in fakes(alone.train)} == {"Hallo"} and fakes(alone.test) == [("EMOPortraits", "p5")]


def test_every_column_and_cell_is_there_once() -> None:
    names = [p.name for p in PUBLISHED]
    assert len(names) == len(set(names)) == 6 * 4 + 2 * 30 + 2
    assert {p.test for p in PUBLISHED if p.name.startswith("emerging")} == {("MAGI-1",), ("Hallo3",)}


def test_a_side_without_clips_is_named() -> None:
    with pytest.raises(BadInput, match="P1 Hallo has no real clips to judge on"):
        protocol.sets(PUBLISHED[8], [c for c in paper() if c.identity != "r5"])


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_missing_splits_follow_the_face(seed: int) -> None:
    clips = clips_of(seed)
    made = protocol.with_splits(clips, seed)
    assert [(c.path, c.split) for c in made if c.split] and all(c.split for c in made)
    assert all(new.split == old.split for new, old in zip(made, clips, strict=True) if old.split)
    drawn: dict[str, set[str | None]] = {}
    for new, old in zip(made, clips, strict=True):
        if old.split is None and new.identity:
            drawn.setdefault(new.identity, set()).add(new.split)
    assert all(len(splits) == 1 for splits in drawn.values())


def test_shares_of_drawn_splits() -> None:
    made = protocol.with_splits([clip(i, None) for i in range(2000)])
    share = {split: sum(c.split == split for c in made) / 2000 for split in ("train", "val", "test")}
    assert share == pytest.approx({"train": 0.6, "val": 0.15, "test": 0.25}, abs=0.04)


def test_what_was_chosen_on_the_test_raises() -> None:
    protocol.check_apart(["a", "b"], ["c"], "threshold was chosen")
    with pytest.raises(WrongUse, match="threshold was chosen on 1 of the clips that it is judged on, such as b"):
        protocol.check_apart(["a", "b"], ["b", "c"], "threshold was chosen")
