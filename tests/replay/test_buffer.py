"""A buffer on disk: what is written is read, bounds hold, and what is lost or altered is named."""

from pathlib import Path

import pytest
import torch
from helpers import poses

from selfsame.core import store
from selfsame.core.errors import BadInput, WrongUse
from selfsame.replay import buffer
from selfsame.replay.buffer import Candidate


def candidates(count: int, quality: int = 0) -> list[Candidate]:
    g = torch.Generator().manual_seed(1)
    pictures = (torch.rand(count, 3, 12, 12, generator=g) * 255).round() / 127.5 - 1
    codes = torch.randn(count, 4, 8, generator=g).half().float()
    camera = poses(count)
    return [
        Candidate(f"photo{i}", i // 2, 30.0 + i, 0.5, buffer.encode(pictures[i : i + 1], quality), codes[i], camera[i])
        for i in range(count)
    ]


def test_what_is_kept_comes_back_with_its_facts(tmp_path: Path) -> None:
    chosen = candidates(3)
    record = buffer.write(tmp_path, chosen, method="hull", photos=3)
    found = buffer.read(tmp_path)
    assert buffer.record_of(tmp_path) == record and len(found) == 3
    assert [(k.id, k.session, k.age_years) for k in record.kept] == [(c.id, c.session, c.age_years) for c in chosen]
    for one, other in zip(found, chosen, strict=True):
        assert (one.id, one.session, one.age_years, one.spread) == (
            other.id, other.session, other.age_years, other.spread
        )  # fmt: skip
        assert torch.equal(one.picture, other.picture)
        assert torch.equal(one.code, other.code)
        assert torch.equal(one.camera.pack(), other.camera.pack())


def test_png_keeps_every_value_and_webp_takes_fewer_bytes_and_never_loses_twice(tmp_path: Path) -> None:
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    exact, lossy = buffer.encode(ramp), buffer.encode(ramp + 0.1 * torch.randn(1, 3, 64, 64), 90)
    chosen = [
        Candidate(name, 0, None, 0.5, data, torch.zeros(4, 8), poses(1)) for name, data in (("a", exact), ("b", lossy))
    ]
    torch.testing.assert_close(chosen[0].picture, ramp, atol=1 / 255, rtol=0)
    buffer.write(tmp_path, chosen, method="hull", photos=2)
    assert sorted(f.name for f in tmp_path.glob("?.*")) == ["a.png", "b.webp"]
    assert [c.data for c in buffer.read(tmp_path)] == [exact, lossy]
    assert len(lossy) < len(buffer.encode(chosen[1].picture)) / 3


def test_codes_of_another_prior_are_refused_by_its_name(tmp_path: Path) -> None:
    buffer.write(tmp_path, candidates(2), method="hull", photos=3, made_on="a" * 64)
    assert len(buffer.read(tmp_path, "a" * 64)) == len(buffer.read(tmp_path)) == 2
    with pytest.raises(BadInput, match=r"The buffer .* was made on the prior a{12}, not on the prior b{12}\."):
        buffer.read(tmp_path, "b" * 64)
    starter = store.cards()
    name, card = next(starter)
    buffer.write(tmp_path, candidates(2), method="hull", photos=3, made_on=card.digest)
    with pytest.raises(BadInput, match=rf"was made on {name} .* Load it with {name}"):
        buffer.read(tmp_path, "b" * 64)
    buffer.write(tmp_path, candidates(2), method="hull", photos=3)  # as versions before this wrote it
    assert len(buffer.read(tmp_path, "b" * 64)) == 2


def test_an_empty_buffer_is_a_buffer(tmp_path: Path) -> None:
    buffer.write(tmp_path, [], method="none", photos=0)
    assert len(buffer.read(tmp_path)) == 0


@pytest.mark.parametrize("name", ["photo1.png", buffer.CODES_FILE, buffer.RECORD_FILE])
@pytest.mark.parametrize("harm", ["lost", "altered"])
def test_a_lost_or_altered_file_is_named(tmp_path: Path, name: str, harm: str) -> None:
    buffer.write(tmp_path, candidates(2), method="hull", photos=3)
    path = tmp_path / name
    if harm == "lost":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    # A record with one bit flipped may still be a record: then it no longer fits a photo, which is named instead.
    named = f"{name}|photo0.png" if (name, harm) == (buffer.RECORD_FILE, "altered") else name
    with pytest.raises(BadInput, match=named):
        buffer.read(tmp_path)


def test_bytes_are_bounded(tmp_path: Path) -> None:
    pool = candidates(4)
    each = max(c.cost for c in pool)
    assert [buffer.room(pool, n * each) for n in (0, 1, 3)] == [0, 1, 3]
    assert buffer.room(pool, 3 * each - 1) == 2
    buffer.write(tmp_path, pool[:3], method="hull", photos=3, limit_bytes=3 * each)
    assert sum(f.stat().st_size for f in tmp_path.iterdir() if f.name != buffer.RECORD_FILE) <= 3 * each
    with pytest.raises(WrongUse, match="more than"):
        buffer.write(tmp_path, pool, method="hull", photos=4, limit_bytes=each)
