"""Files that want to run something, to fool a reader, to fill the memory or to take forever, each built by code.

`RUNS` write their name to the file that SELFSAME_CANARY names as soon as Python's own unpickler (or torch) reads them;
`SLEEPERS` name what would run something if it were there; `FOOLS` are damaged or lie; `BOMBS` ask for much.
"""

import io
import marshal
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
from pickle_parts import (
    BUILD,
    EMPTY,
    FLOATS,
    MAGIC,
    MARK,
    NESTED,
    NO_TENSORS,
    PERSISTENT,
    POP,
    REDUCE,
    SEQUENTIAL,
    TENSOR,
    blob,
    call,
    dict_of,
    get,
    legacy,
    list_of,
    module_of,
    name,
    number,
    pickled,
    put,
    storage,
    tarred,
    text,
    torch_tar,
    torch_zip,
    tuple_of,
    view,
    zipped,
)

from selfsame.core.config import to_json
from selfsame.core.weights import Card
from selfsame.nets.stylegan2 import StyleGAN2Config

CANARY = "SELFSAME_CANARY"


def python(word: str) -> str:
    return f"open(__import__('os').environ['{CANARY}'], 'a').write('{word}\\n')"


def shell(word: str) -> bytes:
    return text(f"echo {word} >> ${CANARY}")


def code(word: str) -> bytes:
    return text(python(word))


def system(word: str) -> bytes:
    return call("posix.system", shell(word))


def sh(word: str) -> bytes:
    return list_of(text("sh"), text("-c"), shell(word))


def then(function: bytes, *args: bytes) -> bytes:
    return function + tuple_of(*args) + REDUCE


def inner(word: str) -> bytes:
    return blob(pickled(call("builtins.eval", code(word))))


def the_os() -> bytes:
    return call("builtins.__import__", text("os"))


def marshalled(word: str) -> bytes:
    made = blob(marshal.dumps(compile(python(word), "f", "exec")))
    return then(call("types.FunctionType", call("marshal.loads", made), call("builtins.globals")))


def npy(word: str) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([None], dtype=object), allow_pickle=True)
    header = file.getvalue()[:128]
    return blob(header + pickled(call("builtins.eval", code(word))))


def partial_load(word: str) -> bytes:
    args = tuple_of(name("torch.load"), call("_io.BytesIO", inner(word)))
    return then(name("functools.partial") + args + dict_of({"weights_only": b"\x89"}) + b"\x92")


def with_setstate(word: str) -> bytes:
    namespace = b"cargparse\nNamespace\n" + EMPTY + REDUCE
    return namespace + b"}" + text("__setstate__") + name("posix.system") + b"s" + BUILD + shell(word) + BUILD


def mapped(word: str, named: bytes) -> bytes:
    lazy = name("builtins.map") + tuple_of(name("posix.system"), list_of(shell(word))) + named
    return name("builtins.tuple") + tuple_of(lazy) + b"\x81"


def eval_it(word: str) -> bytes:
    return call("builtins.eval", code(word))


def persistent(state: bytes, word: str, class_name: str = "G") -> bytes:
    """NVIDIA's way to pickle a network with its source text."""
    meta = {"type": text("class"), "version": b"K\x06", "module_src": code(word), "class_name": text(class_name)}
    return then(PERSISTENT, dict_of(meta | {"state": state}))


GETATTR, NOT_KNOWN = "asks for builtins.getattr", "none of the published networks"
RUNS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "os.system": (lambda w: pickled(system(w)), "asks for posix.system"),
    "os.system by its module": (lambda w: pickled(call("os.system", shell(w))), "asks for os.system"),
    "os.system in lines": (lambda w: pickled(then(b"cposix\nsystem\n", shell(w))), "asks for posix.system"),
    "os.system of another module": (
        lambda w: pickled(call("shutil::os.system", shell(w))),
        "asks for shutil.os.system",
    ),
    "eval": (lambda w: pickled(eval_it(w)), "asks for builtins.eval"),
    "eval of Python 2": (lambda w: pickled(b"\x80\x02", then(b"c__builtin__\neval\n", code(w))), "__builtin__.eval"),
    "exec": (lambda w: pickled(call("builtins.exec", code(w))), "asks for builtins.exec"),
    "eval by its call": (lambda w: pickled(call("builtins::eval.__call__", code(w))), "builtins.eval.__call__"),
    "Popen": (lambda w: pickled(call("subprocess.Popen", sh(w))), "asks for subprocess.Popen"),
    "check_output": (lambda w: pickled(call("subprocess.check_output", sh(w))), "asks for subprocess.check_output"),
    "getattr of os": (lambda w: pickled(then(call("builtins.getattr", the_os(), text("system")), shell(w))), GETATTR),
    "getattr by its call": (
        lambda w: pickled(then(call("builtins::getattr.__call__", the_os(), text("system")), shell(w))),
        "asks for builtins.getattr.__call__",
    ),
    "import": (lambda w: pickled(the_os(), POP, system(w)), "asks for builtins.__import__"),
    "import_module": (
        lambda w: pickled(call("importlib.import_module", text("os")), POP, system(w)),
        "importlib.import_module",
    ),
    "attrgetter": (
        lambda w: pickled(then(then(call("operator.attrgetter", text("system")), the_os()), shell(w))),
        "asks for operator.attrgetter",
    ),
    "methodcaller": (
        lambda w: pickled(then(call("operator.methodcaller", text("system"), shell(w)), the_os())),
        "asks for operator.methodcaller",
    ),
    "partial": (
        lambda w: pickled(then(call("functools.partial", name("posix.system"), shell(w)))),
        "asks for functools.partial",
    ),
    "marshal": (lambda w: pickled(marshalled(w)), "asks for types.FunctionType"),
    "pickle in a pickle": (lambda w: pickled(call("pickle.loads", inner(w))), "asks for pickle.loads"),
    "pickle of C in a pickle": (lambda w: pickled(call("_pickle.loads", inner(w))), "asks for _pickle.loads"),
    "torch.load": (lambda w: pickled(partial_load(w)), "asks for functools.partial"),
    "numpy.load": (
        lambda w: pickled(call("numpy.load", call("_io.BytesIO", npy(w)), b"N", b"\x88")),
        "asks for numpy.load",
    ),
    "runpy": (
        lambda w: pickled(call("runpy._run_code", call("builtins.compile", code(w), text("f"), text("exec")), b"}")),
        "asks for runpy._run_code",
    ),
    "profile": (lambda w: pickled(call("cProfile.run", code(w))), "asks for cProfile.run"),
    "setstate": (lambda w: pickled(with_setstate(w)), "asks for posix.system"),
    "NEWOBJ": (lambda w: pickled(mapped(w, b"\x81")), "asks for builtins.tuple"),
    "NEWOBJ_EX": (lambda w: pickled(mapped(w, b"}\x92")), "asks for builtins.tuple"),
    "INST": (lambda w: pickled(MARK, shell(w), b"iposix\nsystem\n"), "uses opcode b'i'"),
    "OBJ": (lambda w: pickled(MARK, b"cposix\nsystem\n", shell(w), b"o"), "asks for posix.system"),
    "memo": (lambda w: pickled(name("posix.system"), put(7), POP, then(get(7), shell(w))), "asks for posix.system"),
    "state dict": (lambda w: pickled(dict_of({"b4.const": eval_it(w)})), "asks for builtins.eval"),
    "late": (lambda w: pickled(list_of(*[b"N"] * 1000), POP, eval_it(w)), "asks for builtins.eval"),
    "torch zip": (lambda w: torch_zip(eval_it(w)), "asks for builtins.eval"),
    "torch zip of tensors": (lambda w: torch_zip(tuple_of(storage(), eval_it(w))), "asks for builtins.eval"),
    "type of a storage": (
        lambda w: torch_zip(eval_it(w) + POP + storage(kind=name("posix.system"))),
        "asks for builtins.eval",
    ),
    "legacy file": (lambda w: legacy(eval_it(w)), "asks for builtins.eval"),
    "keys of a legacy file": (lambda w: legacy(b"N", keys=eval_it(w)), "asks for builtins.eval"),
    "storage in a pickle": (lambda w: pickled(then(NESTED, blob(legacy(eval_it(w))))), "asks for builtins.eval"),
    "tar": (lambda w: torch_tar(eval_it(w)), "asks for builtins.eval"),
    "storages of a tar": (lambda w: torch_tar(b"N", storages=pickled(eval_it(w))), "asks for builtins.eval"),
    "source text": (lambda w: pickled(persistent(module_of(SEQUENTIAL), w)), "is not a network"),
    "source text of a network": (lambda w: pickled(persistent(dict_of({"_modules": b"}"}), w)), NOT_KNOWN),
    "class of a known package": (lambda w: pickled(call("training.evil.Run", code(w))), "is not a network"),
}
"""Each with what the refusal says."""

SLEEPERS: dict[str, tuple[bytes, str]] = {
    dotted: (pickled(call(dotted, text("it"))), f"asks for {dotted.replace('::', '.')},")
    for dotted in (
        "nt.system",
        "torch.jit.load",
        "webbrowser.open",
        "code.interact",
        "ctypes.CDLL",
        "torch.hub.load",
        "torch.utils.cpp_extension.load",
        "types.CodeType",
        "builtins.compile",
        "builtins.open",
        "builtins.breakpoint",
        "os.execvp",
        "pty.spawn",
        "shutil.rmtree",
        "socket.create_connection",
        "urllib.request.urlopen",
        "asyncio.subprocess.create_subprocess_shell",
        "multiprocessing.Process",
        "copyreg._reconstructor",
        "copyreg.add_extension",
        "torch.load",
        "torch.nn.functional.torch.load",
        "torch._utils.sys.modules",
        "torch.storage::_load_from_bytes.__globals__",
        "collections::OrderedDict.__reduce__",
        "_codecs.lookup",
        "numpy.f2py.compile",
        "numpy.testing._private.utils.runstring",
        "logging.config.listen",
        "dill.loads",
        "cloudpickle.loads",
        "joblib.load",
        "pip.main",
        "idlelib.autocomplete.AutoComplete",
        "builtins.super",
    )
}
"""Names that have done harm elsewhere."""


def odd_name(module: str, own: str) -> bytes:
    return pickled(text(module), text(own), b"\x93")


def with_sizes_that_lie() -> bytes:
    """A zip whose directory says that a member is longer than the file."""
    data = bytearray(torch_zip(b"N"))
    at = data.index(b"PK\x01\x02")
    data[at + 20 : at + 28] = struct.pack("<II", 2**30, 2**30)
    return bytes(data)


def overlapping() -> bytes:
    """A zip two of whose members are the same bytes."""
    data = bytearray(torch_zip(b"N"))
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    return bytes(data)


def endless_directory() -> bytes:
    """A zip of the 64-bit sort that says that its directory has 2 ** 62 bytes."""
    start = b"PK\x03\x04" + bytes(100)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 2**62, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(start), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return start + end64 + locator + end


def before_the_file() -> bytes:
    """A zip with a member that begins before the file does."""
    data = bytearray(torch_zip(b"N"))
    end = data.index(b"PK\x05\x06")
    (offset,) = struct.unpack("<I", data[end + 16 : end + 20])
    data[end + 16 : end + 20] = struct.pack("<I", offset + 5)  # as if five bytes in front had been cut off
    return bytes(data)


def twice() -> bytes:
    data = zipped({"archive/data.pkl": pickled(b"N"), "archive/data.pkk": pickled(b"K\x01")})
    return data.replace(b"data.pkk", b"data.pkl")


def zips_in_a_zip(depth: int) -> bytes:
    data = torch_zip(b"N")
    for _ in range(depth):
        data = zipped({"archive/data.pkl": data})
    return data


def nested_in_nested(depth: int, inside: bytes = b"N") -> bytes:
    data = pickled(inside)
    for _ in range(depth):
        data = pickled(then(NESTED, blob(data)))
    return data


def script() -> bytes:
    return zipped({"m/data.pkl": pickled(b"N"), "m/code/__torch__.py": b"x", "m/constants.pkl": pickled(b")")})


def link(kind: bytes, path: str = "pickle") -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def seen(tensor: bytes) -> bytes:
    """A state dict that looks like a discriminator's, so that this tensor is looked at."""
    return dict_of({"b4.fc.weight": tensor})


def array(shape: bytes, kind: str, data: bytes) -> bytes:
    """A numpy array."""
    made = b"cnumpy._core.multiarray\n_reconstruct\n" + tuple_of(b"cnumpy\nndarray\n", tuple_of(b"K\x00"), blob(b"b"))
    dtype = b"cnumpy\ndtype\n" + tuple_of(text(kind), b"\x89", b"\x88") + REDUCE
    return made + REDUCE + tuple_of(b"K\x01", shape, dtype, b"\x89", data) + BUILD


def with_card(card: str) -> bytes:
    """A generator with a card such as our exports bring along."""
    return torch_zip(dict_of({"synthesis.b4.const": view((4,), (1,)), "selfsame": text(card)}))


def generator_card(**sizes: int) -> str:
    return to_json(Card("prior", asdict(StyleGAN2Config(**sizes)), 1, "MIT"))


def doubled(levels: int) -> bytes:
    """A list that holds a list twice that holds a list twice and so on."""
    return b"](e" + b"".join(b"\x940](h" + bytes([i]) + b"h" + bytes([i]) + b"e" for i in range(levels))


def persistent_id(key: bytes) -> bytes:
    return torch_zip(storage(key=key))


ODD = "cannot be|larger than what|outside of|is cut short|has no storage"
CUT = "damaged or cut short"
UNFIT = "was not read|damaged"
FOOLS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is empty"),
    "one byte": (b"\x80", CUT),
    "text": (b"Hello", "not a checkpoint"),
    "newline in a name": (odd_name("os\nsystem", "x\r\ny"), r"asks for os\?system.x\?\?y,"),
    "null in a name": (odd_name("training\0", "x"), r"asks for training\?.x,"),
    "space in a name": (odd_name("training", "x y"), "asks for training.x y,"),
    "lambda": (odd_name("training.x", "<lambda>"), "asks for training.x.<lambda>,"),
    "local name": (odd_name("training.x", "f.<locals>.g"), "asks for training.x.f.<locals>.g,"),
    "dotted name of a class": (odd_name("training.x", "G.__init__"), "asks for training.x.G.__init__,"),
    "separator in a name": (odd_name("training\u2028", "\u202ex"), r"asks for training\?.\?x,"),
    "surrogate in a name": (odd_name("training\ud800", "x"), r"asks for training\?.x,"),
    "endless name": (odd_name("training", "x" * 10**6), "asks for training.xxx"),
    "no name": (odd_name("", ""), "asks for .,"),
    "name that is a number": (pickled(b"K\x01K\x02\x93"), CUT),
    "name of a class in a sentence": (pickled(persistent(b"}", "x", "G\nAll is well.")), "has no class name"),
    "EXT1": (pickled(b"\x82\x01"), r"uses opcode b'\\x82'"),
    "EXT2": (pickled(b"\x83\x01\x00"), r"uses opcode b'\\x83'"),
    "EXT4": (pickled(b"\x84\x01\x00\x00\x00"), r"uses opcode b'\\x84'"),
    "PERSID": (pickled(b"Pos.system\n"), "uses opcode b'P'"),
    "number in text": (pickled(b"I" + b"9" * 10**6 + b"\n"), "uses opcode b'I'"),
    "buffer": (pickled(b"\x97"), r"uses opcode b'\\x97'"),
    "name given a class": (
        pickled(b"cargparse\nNamespace\n", dict_of({"__class__": EMPTY}), BUILD),
        "in a way that no",
    ),
    "dictionary of an object": (
        pickled(module_of(b"cargparse\nNamespace\n", __dict__=b"}", __class__=FLOATS)),
        "published networks",
    ),
    "slots": (pickled(b"cargparse\nNamespace\n", EMPTY, REDUCE, tuple_of(b"N", b"}"), BUILD), "is not a network"),
    "state of a list": (pickled(b"]}b"), "changes a list"),
    "call of a type": (pickled(then(FLOATS, b"K\x01")), "is not a network"),
    "call of a value": (pickled(text("x"), EMPTY, REDUCE), CUT),
    "call without its arguments": (pickled(then(TENSOR)), CUT),
    "call with arguments that are none": (pickled(TENSOR, b"N", REDUCE), CUT),
    "key that is a tuple": (pickled(b"}", EMPTY, b"\x85" * 10**5, b"Ns"), "has a tuple as a key"),
    "key that is a list": (pickled(b"}]Ns"), "has a list as a key"),
    "key that is an object": (pickled(b"}", b"cargparse\nNamespace\n", EMPTY, b"\x81Ns"), "has a Object as a key"),
    "key that is a long number": (pickled(b"}", number(2**64), b"Ns"), "very long number as a key"),
    "type of a storage": (torch_zip(storage(kind=b"cargparse\nNamespace\n")), "stores numbers as argparse.Namespace"),
    "storage that is not there": (torch_zip(storage(key=text("9\n9"))), r"no data for the tensor 9\?9\."),
    "key of a storage": (persistent_id(doubled(60)), "names a tensor in a way"),
    "persistent id": (torch_zip(text("0") + b"Q"), "no storage"),
    "negative storage": (torch_zip(seen(view((4,), (1,), of=storage(numel=number(-1))))), ODD),
    "giant storage": (torch_zip(seen(view((4,), (1,), of=storage(numel=number(2**250))))), ODD),
    "storage longer than its data": (torch_zip(seen(view((5,), (1,), of=storage(numel=b"K\x05")))), "is cut short"),
    "tensor that repeats": (torch_zip(seen(view((2**40,), (0,)))), ODD),
    "tensor that is giant": (torch_zip(seen(view((2**62, 2**62), (2**62, 1)))), ODD),
    "tensor that overflows": (torch_zip(seen(view((2**32, 2**32), (0, 0)))), ODD),
    "tensor of long numbers": (torch_zip(seen(view((2**200,), (2**200,)))), ODD),
    "tensor of a negative size": (torch_zip(seen(view((-2, -2), (1, 1)))), ODD),
    "tensor of a negative step": (torch_zip(seen(view((2,), (-1,), 3))), ODD),
    "tensor before its storage": (torch_zip(seen(view((2,), (1,), -1))), ODD),
    "tensor of a long step": (torch_zip(seen(view((1,), (2**70,)))), ODD),
    "empty tensor of giant sizes": (torch_zip(seen(view((2**47, 0, 2**47), (0, 0, 0)))), ODD),
    "empty tensor": (torch_zip(seen(view((2**40, 0), (0, 0)))), "blocks|lacks"),
    "tensor of many dimensions": (torch_zip(seen(view([1] * 200, [1] * 200))), ODD),
    "tensor of fewer steps": (torch_zip(seen(view((2, 2), (1,)))), ODD),
    "tensor of no storage": (torch_zip(seen(view((2,), (1,), of=b"N"))), ODD),
    "array of objects": (pickled(seen(array(tuple_of(b"K\x01"), "O8", b"]"))), "does not hold plain numbers"),
    "array of objects in bytes": (pickled(seen(array(tuple_of(b"K\x01"), "O8", blob(bytes(8))))), "'O8' instead of"),
    "array of a giant shape": (pickled(seen(array(tuple_of(number(2**62)), "f4", blob(bytes(4))))), "does not fit"),
    "array of a negative shape": (pickled(seen(array(tuple_of(number(-1)), "f4", blob(b"")))), "does not fit"),
    "array without a state": (pickled(seen(array(b"N", "f4", b"N"))), "does not hold|shape that cannot"),
    "type of an array": (pickled(then(b"cnumpy\ndtype\n", doubled(60))), "numpy type in this file has no name"),
    "bytes of 2 ** 62": (pickled(b"\x8e" + struct.pack("<Q", 2**62)), CUT),
    "bytearray of 2 ** 62": (pickled(b"\x96" + struct.pack("<Q", 2**62)), CUT),
    "text of 2 ** 62": (pickled(b"\x8d" + struct.pack("<Q", 2**62)), CUT),
    "text of less than nothing": (pickled(b"T" + struct.pack("<i", -1)), CUT),
    "frame of 2 ** 62": (pickled(b"\x95" + struct.pack("<Q", 2**62), b"N"), "holds no network"),
    "number of 2 ** 31 bytes": (pickled(b"\x8b" + struct.pack("<i", 2**31 - 1)), "integer of 2,147,483,647 bytes"),
    "number of less than nothing": (pickled(b"\x8b" + struct.pack("<i", -1)), CUT),
    "last place of the memo": (pickled(b"N" + put(2**32 - 1) + POP + get(2**32 - 1)), "holds no network"),
    "place that nobody filled": (pickled(get(5)), CUT),
    "mark as a value": (pickled(MARK + put(0) + get(0)), CUT),
    "nothing on the stack": (pickled(b""), CUT),
    "no mark": (pickled(b"t"), CUT),
    "list that holds itself": (pickled(b"]q\x00h\x00a"), "holds no network"),
    "dictionary that holds itself": (pickled(b"}q\x00" + text("state_dict") + b"h\x00s"), "published networks"),
    "generator that is its own child": (
        pickled(
            b"}"
            + text("G_ema")
            + SEQUENTIAL
            + EMPTY
            + REDUCE
            + put(0)
            + dict_of({"_modules": dict_of({"a": get(0)})})
            + BUILD
            + b"s"
        ),
        "is not a network",
    ),
    "module with a child that is none": (
        pickled(module_of(SEQUENTIAL, _modules=dict_of({"a\nb": b"K\x01"}))),
        "cannot be a name",
    ),
    "parameter that is none": (pickled(module_of(SEQUENTIAL, _parameters=dict_of({"w": text("x")}))), "is no tensor"),
    "parameter with an endless name": (
        torch_zip(module_of(SEQUENTIAL, _parameters=dict_of({"w" * 10**6: view((4,), (1,))}))),
        "cannot be a name",
    ),
    "tensor with a name of two lines": (
        torch_zip(seen(view((4,), (1,))) + dict_of({}) + POP + text("x\ny") + view((4,), (1,)) + b"s"),
        "cannot be a name",
    ),
    "protocol of tomorrow": (b"\x80\x09N.", "has a protocol"),
    "many blocks": (
        torch_zip(dict_of({f"b{i}.x": view((1,), (1,)) for i in range(500)} | {"b4.fc.weight": view((1, 1), (1, 1))})),
        r"The blocks \[0, 1, 2",
    ),
    "absolute path": (zipped({"/archive/data.pkl": pickled(b"N")}), UNFIT),
    "path upwards": (zipped({"archive/../../data.pkl": pickled(b"N")}), UNFIT),
    "path upwards on Windows": (zipped({"archive\\..\\data.pkl": pickled(b"N")}), UNFIT),
    "drive letter": (zipped({"C:/data.pkl": pickled(b"N")}), UNFIT),
    "share of Windows": (zipped({"\\\\host\\share\\data.pkl": pickled(b"N")}), UNFIT),
    "path of two lines": (zipped({"../a\nb": pickled(b"N")}), UNFIT),
    "compressed": (zipped({"archive/data.pkl": pickled(b"N")}, zipfile.ZIP_DEFLATED), "compressed"),
    "overlapping members": (overlapping(), "damaged"),
    "member twice": (twice(), "was not read"),
    "sizes that lie": (with_sizes_that_lie(), "damaged"),
    "endless directory": (endless_directory(), "damaged"),
    "member before the file": (before_the_file(), "damaged"),
    "cut zip": (torch_zip(b"N")[:-30], "damaged"),
    "zip without a pickle": (zipped({"archive/version": b"3"}), "no checkpoint"),
    "two pickles": (zipped({"a/data.pkl": pickled(b"N"), "b/data.pkl": pickled(b"N")}), "no checkpoint"),
    "big-endian": (zipped({"a/data.pkl": pickled(b"N"), "a/byteorder": b"big"}), "big-endian"),
    "zips in a zip": (zips_in_a_zip(50), "uses opcode b'P'"),
    "zip in a pickle": (pickled(then(NESTED, blob(torch_zip(b"N")))), "is not made of bytes"),
    "TorchScript": (script(), "holds code"),
    "files in files": (nested_in_nested(100), "files inside files"),
    "legacy file of another version": (
        MAGIC.replace(b"M\xe9\x03", b"M\xea\x03") + pickled(b"N") + pickled(b"]"),
        "kind",
    ),
    "keys of a legacy file": (legacy(b"N", keys=text("0")), CUT),
    "storage that nobody has": (legacy(b"N", keys=list_of(text("0")), rows=bytes(8)), CUT),
    "length of a storage": (legacy(storage(), list_of(text("0")), struct.pack("<q", -4) + bytes(16)), CUT),
    "cut storage": (legacy(storage(), list_of(text("0")), struct.pack("<q", 4) + bytes(15)), "cut short"),
    "storage that is a view of nothing": (
        legacy(
            seen(
                view(
                    (4,),
                    (1,),
                    of=tuple_of(
                        text("storage"),
                        FLOATS,
                        text("0"),
                        text("cpu"),
                        b"K\x04",
                        tuple_of(text("v"), number(2**70), b"K\x04"),
                    )
                    + b"Q",
                )
            ),
            list_of(text("0")),
            struct.pack("<q", 4) + bytes(16),
        ),
        "view of nothing",
    ),
    "tar of links": (tarred({n: link(tarfile.SYMTYPE, n) for n in ("pickle", "tensors", "storages")}), "no checkpoint"),
    "tar of devices": (
        tarred({n: link(tarfile.CHRTYPE, n) for n in ("pickle", "tensors", "storages")}),
        "no checkpoint",
    ),
    "tar with an absolute path": (tarred({"/pickle": pickled(b"N"), "tensors": NO_TENSORS}), "no checkpoint"),
    "tar of long names": (tarred({"x" * 5000: b"", "pickle": pickled(b"N")}), "no checkpoint"),
    "tar whose sizes lie": (torch_tar(b"N").replace(b"00000000005\0", b"77777777777\0"), "damaged"),
    "tar of many storages": (torch_tar(b"N", storages=pickled(number(2**62))), CUT),
    "tar of a view of a view": (
        torch_tar(
            b"N", storages=pickled(b"K\x00") + pickled(list_of(tuple_of(b"K\x01", b"K\x01", b"K\x00", b"K\x00")))
        ),
        CUT,
    ),
    "tar of a tensor of many dimensions": (
        torch_tar(b"N", tensors=pickled(b"K\x01") + pickled(tuple_of(b"K\x01", b"K\x01", b"N")) + b"\xff" * 64),
        CUT,
    ),
    "card of brackets": (with_card("[" * 10**5), "card in this file is not valid"),
    "card of two lines": (with_card('{"a\\nb": 1}'), r"unknown key a\?b"),
    "card of endless layers": (with_card(generator_card(mapping_layers=10**9)), "mapping_layers .* is larger"),
    "card of an endless code": (with_card(generator_card(z_dim=10**9)), "z_dim .* is larger"),
    "card of less than nothing": (with_card(generator_card(image_px=-1)), "image_px .* is larger"),
    "endless card": (with_card("[" * 2**21), "card in this file is far longer"),
    "very many cards": (
        torch_zip(
            dict_of(
                {
                    "state_dict": dict_of({"encoder.input_layer.0.weight": view((1, 3, 1, 1), (0, 1, 0, 0))}),
                    "latent_avg": view((4,), (1,)),
                    "selfsame_parts": dict_of({f"{i}": text("[" * 100) for i in range(1000)}),
                }
            )
        ),
        "more cards",
    ),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "Keras"),
    "safetensors": (struct.pack("<Q", 2) + b"{]" + bytes(8), CUT),
}
"""Each with what the refusal says."""


def modules_in_modules(levels: int, parameters: bytes = b"}") -> bytes:
    """Each module holds the one before it twice: 2 ** levels names from a few objects."""
    parts = [module_of(SEQUENTIAL, _parameters=parameters) + put(0) + POP]
    for i in range(levels):
        children = dict_of({"a": get(i), "b": get(i)})
        parts.append(module_of(SEQUENTIAL, _modules=children) + put(i + 1) + POP)
    return b"".join(parts) + get(levels)


def wide(children: int, parameters: int) -> bytes:
    """One module of many parameters that another holds many times."""
    one = module_of(SEQUENTIAL, _parameters=dict_of({f"p{i}": b"N" for i in range(parameters)})) + put(0) + POP
    return one + module_of(SEQUENTIAL, _modules=dict_of({f"m{i}": get(0) for i in range(children)}))


def shared_numbers(names: int, megabytes: int) -> bytes:
    """One array that a state dict names again and again, each time an array of its own."""
    data = blob(bytes(megabytes << 20)) + put(0) + POP
    sizes = tuple_of(number(megabytes << 18))
    return data + dict_of({"b4.fc.weight": b"N"} | {f"b{i}": array(sizes, "f4", get(0)) for i in range(names)})


def mapping_of(layers: int) -> bytes:
    """A generator with so many mapping layers, all of which are the same numbers."""
    one = view((1, 1), (1, 1)) + put(0) + POP
    four = view((1, 1, 1, 1), (1, 1, 1, 1)) + put(1) + POP
    names = {
        "synthesis.b4.const": get(0),
        "synthesis.b4.conv1.weight": get(1),
        "synthesis.b4.conv1.affine.weight": get(0),
    }
    return one + four + dict_of(names | {f"mapping.fc{i}.weight": get(0) for i in range(layers)})


def again(count: int, argument: bytes, callee: bytes) -> bytes:
    """A call made over and over of one large argument."""
    return argument + put(0) + POP + callee + put(1) + POP + b"](" + count * (get(1) + get(0) + b"\x85R") + b"e"


def read_again(count: int, inside: bytes) -> bytes:
    """A nested file that is read over and over."""
    return again(count, blob(pickled(inside)), NESTED)


BOMBS: dict[str, Callable[[], bytes]] = {
    "deflated zeros": lambda: zipped({"archive/data.pkl": bytes(2**28)}, zipfile.ZIP_DEFLATED),
    "lists in lists": lambda: pickled(b"]" * 990_000, b"a" * 989_999),
    "tuples in tuples": lambda: pickled(b")", b"\x85" * 300_000),
    "objects in objects": lambda: pickled(
        b"cargparse\nNamespace\n", put(0), get(0) * 200_000, EMPTY, b"\x81\x85" * 200_000
    ),
    "twice the list before": lambda: pickled(dict_of({"state_dict": doubled(200), "latent_avg": doubled(200)})),
    "twice the module before": lambda: pickled(modules_in_modules(60)),
    "twice the module before, deeper": lambda: pickled(modules_in_modules(30)),
    "wide modules": lambda: pickled(wide(50_000, 50_000)),
    "large module in small ones": lambda: torch_zip(
        modules_in_modules(15, dict_of({f"p{i}": view((4,), (1,)) for i in range(1000)}))
    ),
    "empty lists": lambda: pickled(b"]" * 5_000_000),
    "places in the memo": lambda: pickled(b"]\x94" * 2_500_000),
    "objects": lambda: pickled(b"ctraining.x\nG\n", put(0), 1_500_000 * (get(0) + b")\x81")),
    "arrays": lambda: pickled(b"cnumpy._core.multiarray\n_reconstruct\n", put(0), 1_500_000 * (get(0) + b")R")),
    "names": lambda: pickled(4_200_000 * (b"ctraining.x\nG\n")),
    "lists of one list": lambda: pickled(again(10**5, list_of(*[b"N"] * 10**5), b"cbuiltins\nset\n")),
    "lists of one tuple": lambda: pickled(again(10**5, tuple_of(*[b"N"] * 10**5), b"cbuiltins\nset\n")),
    "dictionaries of one list": lambda: pickled(
        again(10**5, list_of(*[tuple_of(number(i), b"N") for i in range(10**5)]), b"ccollections\nOrderedDict\n")
    ),
    "calls of one long tuple": lambda: pickled(
        tuple_of(*[b"N"] * 10**5), put(0), POP, b"ctorch\ndevice\n", put(1), 10**5 * (get(1) + get(0) + b"R0")
    ),
    "bytes of one text": lambda: pickled(again(10**5, text("x" * 10**7), b"c_codecs\nencode\n")),
    "texts read again": lambda: pickled(read_again(10**5, text("x" * 10**7))),
    "small bytes read again": lambda: pickled(read_again(10**5, list_of(*[blob(bytes(4096))] * 250))),
    "keys of one hash": lambda: pickled(
        b"}(", b"".join(number(i * (2**61 - 1)) + b"N" for i in range(1, 2 * 10**5)), b"u"
    ),
    "one array under many names": lambda: pickled(shared_numbers(20_000, 8)),
    "one tensor under many names": lambda: torch_zip(
        view((4,), (1,)) + put(0) + POP + dict_of({f"b{i}": get(0) for i in range(100_000)} | {"b4.fc.weight": get(0)})
    ),
    "mapping layers": lambda: torch_zip(mapping_of(50_000)),
    "members of a zip": lambda: zipped({f"a/{i}": b"" for i in range(150_000)}),
    "members of a tar": lambda: tarred({f"{i}": b"" for i in range(20_000)}),
    "digits of a tar": lambda: tarred({"x": b""})[:156] + b"x" + tarred({"x": b""})[157:512] + b"1" * 2**22,
    "zeros": lambda: pickled(bytes(2**20)),
    "marks": lambda: pickled(MARK * 3_900_000, b"t" * 100),
}
"""Built where they are read, for some are large."""
