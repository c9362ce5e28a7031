import json
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from selfsame.core import packing
from selfsame.core.config import to_json
from selfsame.core.errors import BadInput
from selfsame.core.results import Measured
from selfsame.core.weights import Card, config_of, digest, is_half, load, save

FIGURE = Measured("psnr", 25.0, 24.0, 26.0, 100, "high")
CARD = Card("toy", {"width": 3}, seed=1, licence="Apache-2.0", prior_digest="a" * 64, measured=(FIGURE,))


@dataclass(frozen=True)
class Toy:
    width: int


def tensors() -> dict[str, torch.Tensor]:
    return {"b.weight": torch.randn(3, 4), "a": torch.tensor(7), "c": torch.randn(2, 3, 4, 4)}


def test_what_is_saved_comes_back_bitwise(tmp_path: Path) -> None:
    saved = tensors() | {"shared": torch.arange(5), "empty": torch.zeros(0, 2)}
    saved["view"] = saved["shared"][1:]
    saved["c"] = saved["c"].contiguous(memory_format=torch.channels_last)
    card = save(tmp_path, saved, CARD)
    loaded, read = load(tmp_path, "toy")
    assert read == card == replace(CARD, digest=digest(saved))
    assert loaded.keys() == saved.keys()
    assert all(torch.equal(loaded[k], saved[k]) and loaded[k].dtype == saved[k].dtype for k in saved)
    assert config_of(read, Toy) == Toy(3)
    assert (tmp_path / "card.json").read_text().startswith('{\n  "kind": "toy"')


def test_half_precision_halves_the_file_and_the_digest_is_of_what_is_loaded(tmp_path: Path) -> None:
    saved = {"x": torch.randn(10_000), "n": torch.tensor(3)}
    card = save(tmp_path, saved, CARD, half=True)
    loaded, _ = load(tmp_path)
    assert torch.equal(loaded["x"], saved["x"].half().float())
    assert digest(loaded) == card.digest != digest(saved)
    assert (tmp_path / "weights.safetensors").stat().st_size < 22_000
    with pytest.raises(BadInput, match="too large for 16 bits"):
        save(tmp_path, {"x": torch.tensor([1e6])}, CARD, half=True)


def packable() -> dict[str, torch.Tensor]:
    return {
        "b.weight": torch.randn(3, 4),
        "a": torch.tensor(7.0),
        "empty": torch.zeros(0, 2),
        "c": torch.randn(2, 3, 4),
    }


def in_bytes(told: bytes) -> torch.Tensor:
    return torch.tensor(list(told), dtype=torch.uint8)


def test_the_same_tensors_always_make_the_same_file(tmp_path: Path) -> None:
    saved = packable()
    for packed in (False, True):
        files = set()
        for _ in range(8):
            save(tmp_path, saved, CARD, packed=packed)
            files.add((tmp_path / "weights.safetensors").read_bytes())
        assert len(files) == 1


@pytest.mark.parametrize("half", [False, True])
def test_packed_tensors_come_back_as_unpacked_ones_do(tmp_path: Path, half: bool) -> None:
    saved = packable()
    plain = save(tmp_path / "plain", saved, CARD, half=half)
    card = save(tmp_path / "packed", saved, CARD, half=half, packed=True)
    (one, _), (other, read) = load(tmp_path / "plain"), load(tmp_path / "packed", "toy")
    assert card == read == plain
    assert one.keys() == other.keys()
    assert all(torch.equal(one[k], other[k]) and one[k].dtype == other[k].dtype for k in one)
    assert is_half(tmp_path / "plain") == is_half(tmp_path / "packed") == half


def test_hundreds_of_names_cost_little_where_tensors_are_packed(tmp_path: Path) -> None:
    saved = {f"backbone.synthesis.b{i}.conv{j}.affine.weight": torch.zeros(1) for i in range(100) for j in range(3)}
    save(tmp_path, saved, CARD, packed=True)
    assert (tmp_path / "weights.safetensors").stat().st_size < 4 * 300 + 3000


@pytest.mark.parametrize(
    "layout",
    [b"", b"no zlib", {"a": [4]}, {"a": [-1], "b": [6]}, {"a": [2.5, 2]},
     {"a": "five"}, ["a"], {"a": [5, 1, 1, 1], "b": None}, {"a": [2**40, 2**40]}, {"a": [5], "b": [0, -1]}],
)  # fmt: skip
def test_a_layout_that_is_none_is_damage(tmp_path: Path, layout: object) -> None:
    card = save(tmp_path, {"a": torch.randn(5)}, CARD, packed=True)
    told = layout if isinstance(layout, bytes) else zlib.compress(json.dumps(layout).encode())
    data = {"packed": torch.randn(5), "packed.layout": in_bytes(told)}
    save_file(data, tmp_path / "weights.safetensors", {"card": to_json(card)})
    with pytest.raises(BadInput, match="is damaged"):
        load(tmp_path)


def test_a_layout_that_swells_is_not_unpacked_whole(tmp_path: Path) -> None:
    bomb = zlib.compress(b" " * 2**28, 9)
    with pytest.raises(ValueError, match=r"layout|Expecting"):
        packing.unpack(torch.zeros(1), in_bytes(bomb))


def test_the_digest_sees_values_names_shapes_types_and_nothing_else() -> None:
    first = tensors()
    again = dict(reversed([(k, v.clone(memory_format=torch.contiguous_format)) for k, v in first.items()]))
    assert digest(first) == digest(again)
    changed = first["c"].clone()
    changed[0, 0, 0, 0] += 1e-6
    others = [
        first | {"c": changed},
        first | {"c": first["c"].reshape(3, 2, 4, 4)},
        first | {"a": torch.tensor(7, dtype=torch.int32)},
        {("d" if k == "c" else k): v for k, v in first.items()},
    ]
    assert len({digest(o) for o in [first, *others]}) == 5


def test_a_missing_a_foreign_and_another_kind_of_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"does not exist.*selfsame weights import"):
        load(tmp_path / "nowhere")
    save(tmp_path, tensors(), CARD)
    with pytest.raises(BadInput, match="holds a toy, not a prior"):
        load(tmp_path, "prior")
    save_file(tensors(), tmp_path / "weights.safetensors")
    with pytest.raises(BadInput, match="not written by selfsame"):
        load(tmp_path)


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_truncated_file_is_damaged(tmp_path: Path, keep: int) -> None:
    save(tmp_path, tensors(), CARD)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput, match="is damaged"):
        load(tmp_path)


def test_one_flipped_bit_is_damage(tmp_path: Path) -> None:
    save(tmp_path, tensors(), CARD)
    path = tmp_path / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadInput, match="is damaged"):
        load(tmp_path)


def test_a_failed_write_leaves_the_old_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = save(tmp_path, tensors(), CARD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BadInput, match="No space left"):
        save(tmp_path, {"x": torch.ones(3)}, CARD)
    assert load(tmp_path)[1] == card
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.json", "weights.safetensors"]
