"""The reader of foreign checkpoints given a great many damaged files: each yields a value or one sentence of refusal.

    python benchmarks/fuzz_reader.py --inputs 200000 --seed 1

Small files of every sort are changed at random: bits, bytes, cuts, parts of other files, opcodes put in, lengths made
to lie. The script ends at the first input that raises anything but BadInput, takes five seconds of the processor, or
makes Python import, compile, run, start or write something; the input is then kept beside the summary.
"""

import argparse
import functools
import io
import json
import os
import pickle
import pickletools
import random
import resource
import struct
import sys
import tarfile
import tempfile
import time
import types
import warnings
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import nn

from selfsame.convert import archive, kinds, rosinality
from selfsame.core.config import to_json
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets.stylegan2 import Discriminator, DiscriminatorConfig, StyleGAN2, StyleGAN2Config
from selfsame.nets.triplane import TriPlane, TriPlaneConfig

MOST_SECONDS = 5.0
MOST_BYTES = 2**30  # that the process may grow by
CHANGES = (1, 1, 1, 1, 2, 4)  # of one input
GENERATOR = StyleGAN2Config(8, 4, 4, 2, 32, 4)
TRIPLANE = TriPlaneConfig(
    z_dim=4, c_dim=0, w_dim=4, mapping_layers=1, channel_base=32, channel_max=4, plane_px=8, plane_channels=2,
    feature_channels=3, decoder_hidden=2, neural_px=8, image_px=16, superres_channels=(2, 2),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------------- seeds


@dataclass(frozen=True)
class Seed:
    """A whole file as a pickle and what it lies in."""

    name: str
    inner: bytes
    wrap: Callable[[bytes], bytes]


def _reconstruct_persistent_obj(meta: Any) -> None: ...


class EasyDict(dict[str, Any]):
    """NVIDIA's dictionary."""


def publish(function: Any, module: str) -> None:
    """Pickle a function or a class under the name of a module that is not installed here."""
    sys.modules[module.split(".")[0]] = sys.modules[module] = types.ModuleType(module)
    setattr(sys.modules[module], function.__name__, function)
    function.__module__ = module


class Persistent:
    """A network as NVIDIA pickles it, with its source text."""

    def __init__(self, net: nn.Module, **settings: Any) -> None:
        children = OrderedDict((name, Persistent(child)) for name, child in net.named_children())
        own = {"_parameters": net._parameters, "_buffers": net._buffers, "_modules": children}
        state = own | {"training": False, "_init_kwargs": EasyDict(settings)}
        self.meta = EasyDict(
            type="class", version=6, module_src="raise SystemExit", class_name=type(net).__name__, state=state
        )

    def __reduce__(self) -> Any:
        return _reconstruct_persistent_obj, (self.meta,)


def zip_seed(name: str, value: Any) -> Seed:
    """A file of `torch.save`."""
    file = io.BytesIO()
    torch.save(value, file)
    with zipfile.ZipFile(file) as saved:
        members = {member: saved.read(member) for member in saved.namelist()}
    pickled = next(member for member in members if member.endswith("data.pkl"))

    def wrap(inner: bytes) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for member, data in members.items():
                archive.writestr(zipfile.ZipInfo(member), inner if member == pickled else data)
        return made.getvalue()

    return Seed(name, members[pickled], wrap)


def legacy_seed(name: str, value: Any) -> Seed:
    """A file of torch before 1.6."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    data = file.getvalue()
    ends = [0]
    for _ in range(4):
        *_, (_, _, at) = pickletools.genops(data[ends[-1] :])
        ends.append(ends[-1] + at + 1)
    return Seed(name, data[ends[3] : ends[4]], lambda inner: data[: ends[3]] + inner + data[ends[4] :])


def plain_seed(name: str, value: Any, protocol: int) -> Seed:
    """A file of Python's own."""
    return Seed(name, pickle.dumps(value, protocol), bytes)


class _Old(pickle.Pickler):
    def persistent_id(self, value: Any) -> str | None:
        return "3" if isinstance(value, torch.Tensor) else None


def tar_seed(name: str, part: str) -> Seed:
    """A file of torch before 0.2, of whose parts one is changed."""
    file = io.BytesIO()
    _Old(file, 2).dump({"b4.fc.weight": torch.zeros(2, 3)})
    numbers = struct.pack("<q6f", 6, *range(6))
    dump = functools.partial(pickle.dumps, protocol=2)
    parts = {
        "pickle": file.getvalue(),
        "storages": dump(1) + dump((1, "cpu", torch.FloatStorage)) + numbers + dump([(2, 1, 0, 6)]),
        "tensors": dump(1) + dump((3, 2, "FloatTensor")) + struct.pack("<ii5q", 2, 0, 2, 3, 3, 1, 0),
    }

    def wrap(inner: bytes) -> bytes:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:") as archive:
            for member, data in (parts | {part: inner}).items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return made.getvalue()

    return Seed(name, parts[part], wrap)


def seeds() -> list[Seed]:
    """Small files of every sort that is read."""
    publish(_reconstruct_persistent_obj, "torch_utils.persistence")
    publish(EasyDict, "dnnlib.util")
    generator, judge = StyleGAN2(GENERATOR), Discriminator(DiscriminatorConfig(8, 32, 4))
    state = {name: tensor.contiguous() for name, tensor in judge.state_dict().items()}
    theirs = rosinality.published(generator.state_dict(), GENERATOR)
    shared = torch.arange(12.0)
    plain = {
        "args": argparse.Namespace(lr=0.1, names=["a", "ü"], deep={"x": (1, None, True)}), "epoch": 3,
        "array": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.float64(0.5), "set": {1, 2},
        "big": 2**70, "bytes": bytes(range(256)), "state": OrderedDict(a=1),
    }  # fmt: skip
    tensors = {"a": shared[2:8].reshape(2, 3).T, "b": shared, "c": nn.Parameter(torch.ones(2)), "d": torch.tensor(1)}
    names = ("encoder.input_layer.0.weight", "pretrained_encoder.input_layer.0.weight", "styles.0.convs.0.weight")
    encoders = {"state_dict": dict.fromkeys(names, torch.ones(2, 3, 1, 1)), "latent_avg": torch.zeros(2, 4)}
    dex, lpips = {"fc8-101.weight": torch.ones(2, 2)}, {"features.0.weight": torch.ones(64, 3, 1, 1)}
    eg3d = {"G_ema": Persistent(TriPlane(TRIPLANE), rendering_kwargs={"ray_start": 2.25, "depth_resolution": 48})}
    card = to_json(Card("prior", asdict(GENERATOR), 1, "MIT"))
    st = safetensors.torch.save(state)
    return [
        zip_seed("zip, a discriminator", state), zip_seed("zip, rosinality", {"g_ema": theirs}),
        zip_seed("zip, tensors", tensors), zip_seed("zip, an encoder", encoders), zip_seed("zip, plain", plain | dex),
        zip_seed("zip, our own export", {**generator.state_dict(), "selfsame": card}),
        legacy_seed("legacy, a discriminator", state), legacy_seed("legacy, tensors", tensors | lpips),
        legacy_seed("legacy, rosinality", {"g_ema": theirs, "latent_avg": torch.zeros(4)}),
        *(plain_seed(f"pickle, protocol {p}", plain, p) for p in range(2, 6)),
        plain_seed("NVIDIA's StyleGAN2", {"G_ema": Persistent(generator), "D": None}, 3),
        plain_seed("NVIDIA's discriminator", Persistent(judge), 4), plain_seed("NVIDIA's EG3D", eg3d, 4),
        tar_seed("tar, its pickle", "pickle"), tar_seed("tar, its storages", "storages"),
        tar_seed("tar, its tensors", "tensors"), Seed("safetensors", st, bytes),
    ]  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- changes

HARMFUL = (b"cos\nsystem\n", b"cbuiltins\neval\n", b"c__builtin__\nexec\n", b"csubprocess\nPopen\n")
SNIPPETS = (
    *(bytes([ord(op.code)]) for op in pickletools.opcodes), *HARMFUL, b"ccollections\nOrderedDict\n",
    b"cbuiltins\nset\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch.storage\n_load_from_bytes\n",
    b"ctraining.x\nG\n", b"c_codecs\nencode\n", b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n",
    b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\nscalar\n", b")R", b"}b", b"h\x00", b"h\x01", b"q\x00", b"(t",
    b"K\x01\x85R", b"Nb", b"]R", b"\x8c\x02ab", b"X\x02\x00\x00\x00a\n",
    b"J\xff\xff\xff\xff", b"G\x7f\xf0\x00\x00\x00\x00\x00\x00", b"G\x7f\xf8\x00\x00\x00\x00\x00\x00", b"M\xff\xff",
    b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01",
)  # fmt: skip
LENGTHS = (0, 1, 2, 3, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1)


def opcodes(data: bytes) -> list[tuple[int, int]]:
    """Where opcodes begin in a file and how many bytes their length has, in every pickle that lies in it."""
    found: dict[int, int] = {}
    begin = data.find(b"\x80")
    while begin >= 0:
        try:
            for op, _, at in pickletools.genops(data[begin:]):
                size = {-3: 4, -2: 1, -4: 4, -5: 8}.get(op.arg.n, max(op.arg.n, 0)) if op.arg else 0
                found[begin + at] = size
        except (ValueError, UnicodeDecodeError, IndexError):
            pass
        begin = data.find(b"\x80", begin + 1)
    return sorted(found.items())


class Changer:
    """Makes inputs out of the seeds, the same ones for the same number."""

    def __init__(self, found: list[Seed], seed: int) -> None:
        self.seeds = found
        self.random = random.Random(seed)
        self.opcodes = {part: opcodes(part) for s in found for part in (s.inner, s.wrap(s.inner))}

    def draw(self) -> tuple[str, bytes]:
        """An input and the name of what it was made of."""
        seed = self.random.choice(self.seeds)
        if self.random.random() < 0.6:
            return seed.name, seed.wrap(self.changed(seed.inner))
        return seed.name, self.changed(seed.wrap(seed.inner))

    def changed(self, data: bytes) -> bytes:
        """Some changes, of which only the first knows where the opcodes are."""
        places = self.opcodes[data]
        ways = (
            self._bit,
            self._byte,
            self._cut,
            self._splice,
            self._put_in,
            self._length,
            self._doubled,
            self._left_out,
        )
        for _ in range(self.random.choice(CHANGES)):
            data = self.random.choice(ways)(data, places) if data else data
        return data

    def _at(self, data: bytes, places: list[tuple[int, int]]) -> int:
        """A place, often that of an opcode."""
        if places and self.random.random() < 0.7:
            return min(self.random.choice(places)[0], len(data) - 1)
        return self.random.randrange(len(data))

    def _near(self, data: bytes, places: list[tuple[int, int]]) -> int:
        """A place, often within what follows an opcode."""
        return min(self._at(data, places) + self.random.randrange(6), len(data) - 1)

    def _bit(self, data: bytes, places: list[tuple[int, int]]) -> bytes:
        at = self._near(data, places)
        return data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1 :]

    def _byte(self, data: bytes, places: list[tuple[int, int]]) -> bytes:
        at = self._near(data, places)
        return data[:at] + bytes([self.random.choice((0, 127, 128, 255, self.random.randrange(256)))]) + data[at + 1 :]

    def _cut(self, data: bytes, places: list[tuple[int, int]]) -> bytes:
        return data[: self._at(data, places)] if self.random.random() < 0.3 else data

    def _splice(self, data: bytes, places: list[tuple[int, int]]) -> bytes:
        other = self.random.choice(list(self.opcodes))
        begin = self._at(other, self.opcodes[other])
        at = self._at(data, places)
        length = self.random.choice((8, 64, 512, len(other)))
        return data[:at] + other[begin : begin + length] + data[at + self.random.choice((0, length)) :]

    def _put_in(self, data: bytes, places: list[tuple[int, int]]) -> bytes:
        at = self._at(data, places)
        return data[:at] + b"".join(self.random.choices(SNIPPETS, k=self.random.randint(1, 3))) + data[at:]

    def _length(self, data: bytes, places: list[tuple[int, int]]) -> bytes:
        at, size = self.random.choice(places or [(self.random.randrange(len(data)), 0)])
        size = size or self.random.choice((1, 2, 4, 8))
        value = self.random.choice(LENGTHS) % 2 ** (8 * size)
        return data[: at + 1] + value.to_bytes(size, "little") + data[at + 1 + size :]

    def _doubled(self, data: bytes, places: list[tuple[int, int]]) -> bytes:
        begin, end = sorted((self._at(data, places), self._at(data, places)))
        return data[:end] + data[begin:end] * self.random.choice((1, 1, 2, 20)) + data[end:]

    def _left_out(self, data: bytes, places: list[tuple[int, int]]) -> bytes:
        begin = self._at(data, places)
        return data[:begin] + data[begin + self.random.randint(1, 16) :]


# ----------------------------------------------------------------------------------------------------------- reading


class Ran(BaseException):
    """Something was imported, compiled, run, started or written; no handler of the reader's can hide it."""


FORBIDDEN = (
    "import", "compile", "exec", "code.__new__", "function.__new__", "marshal.", "pickle.", "os.", "subprocess.",
    "socket.", "ctypes.", "shutil.", "webbrowser.", "urllib.", "http.", "builtins.input", "sys.set", "pty.", "syslog.",
)  # fmt: skip
armed = False


def watch(event: str, args: tuple[Any, ...]) -> None:
    """The audit hook."""
    if not armed:
        return
    writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or event.startswith(FORBIDDEN):
        raise Ran(f"{event} {args!r}")


def outcome(path: Path) -> str:
    """What becomes of a file: how far it gets before it is refused, if it is."""
    reached = "refused when read"
    try:
        value = archive.open_file(path)
        reached = "read, of no known kind"
        kind = kinds.recognise(value)
        reached = "recognised, not converted"
        kinds.KINDS[kind].convert(value, value)
    except BadInput as error:
        if not str(error).isprintable():
            raise AssertionError(f"not one line: {error!r}") from error
        return reached
    return "converted"


def memory() -> int:
    """The most bytes that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(inputs: int, seed: int, folder: Path) -> int:
    """Read this many inputs and print a summary; returns the exit code."""
    global armed
    found = seeds()
    changer = Changer(found, seed)
    path = folder / "input.pt"
    for s in found:  # as they are, they are read; what torch imports at its first use is imported now
        path.write_bytes(s.wrap(s.inner))
        if outcome(path) == "refused when read":
            raise AssertionError(s.name)
    outcomes: Counter[str] = Counter()
    before, begin, slowest = memory(), time.monotonic(), (0.0, "")
    with path.open("r+b", buffering=0) as file:
        for i in range(inputs):
            name, data = changer.draw()
            file.seek(0)
            file.truncate(0)
            file.write(data)
            armed, start = True, time.process_time()
            try:
                outcomes[outcome(path)] += 1
            except BaseException as error:
                armed = False
                kept = Path(f"fuzz-{seed}-{i}.bin")
                kept.write_bytes(data)
                print(f"Input {i} of {name} ({kept}): {type(error).__name__}: {error}")
                raise
            armed = False
            slowest = max(slowest, (time.process_time() - start, f"input {i} of {name}"))
    grown = memory() - before
    print(json.dumps({
        "inputs": inputs, "seed": seed, "outcomes": dict(outcomes), "slowest s": round(slowest[0], 2),
        "slowest": slowest[1], "peak MiB": memory() >> 20, "grown MiB": grown >> 20,
        "seconds": round(time.monotonic() - begin, 1),
    }, indent=1))  # fmt: skip
    return 0 if slowest[0] < MOST_SECONDS and grown < MOST_BYTES else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    sys.addaudithook(watch)
    with tempfile.TemporaryDirectory() as made:
        sys.exit(run(given.inputs, given.seed, Path(made)))
