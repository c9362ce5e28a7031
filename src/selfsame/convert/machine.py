"""A pickle machine that builds plain values and nothing else.

Python's own unpickler imports what a pickle names and calls it. This one interprets the same opcodes over a memory map,
but a name becomes an entry of `globals.CALLS` or an inert record, large strings of bytes stay views of the file, and
whatever a checkpoint does not need is refused. Its memory and its time are bounded: an opcode makes at most one small
object or costs as much as what it copies, and a file may spend only so much.
"""

import struct
from collections.abc import Callable
from typing import Any

from selfsame.convert import globals as names
from selfsame.convert.values import Global, Object
from selfsame.core.errors import BadInput

MOST_OPCODES = 1_000_000  # a MyTimeMachine checkpoint of 2.3 GB spends 66 thousand
LONGEST_NUMBER = 32  # bytes of an integer
COPIED_AT_ONCE = 64  # bytes of text that cost as much as an opcode
LONGEST_LINE = 512  # bytes of the name of a module or a class
SMALL_BYTES = 4096  # up to here bytes are copied out of the file, so that they can be compared
MARK = object()

Resolve = Callable[[Any], Any]


class Damaged(Exception):
    """A pickle that breaks off or makes no sense."""


class Budget:
    """How many opcodes a file may still use, its nested pickles included."""

    def __init__(self, opcodes: int = MOST_OPCODES) -> None:
        self.left = opcodes

    def spend(self, count: int = 1) -> None:
        """Count opcodes, or what costs as much; raises BadInput where there are none left."""
        self.left -= count
        if self.left < 0:
            raise BadInput("The pickle in this file is far longer than that of any checkpoint, so it was not read.")


def run(data: memoryview, persistent: Resolve, nested: Resolve, budget: Budget) -> tuple[Any, int]:
    """The value of the pickle at the start of `data` and where it ends.

    `persistent` resolves persistent ids (a storage), `nested` the bytes of a torch file inside. Raises BadInput for
    forbidden names and operations and for a pickle that is damaged.
    """
    machine = _Machine(data, persistent, nested, budget)
    try:
        while True:
            budget.left -= 1
            if budget.left < 0:
                budget.spend()
            opcode = data[machine.at]
            machine.at += 1
            if opcode == 0x2E:  # "."
                return machine.pop(), machine.at
            step = STEPS.get(opcode)
            if step is None:
                raise BadInput(f"The pickle in this file uses opcode {bytes([opcode])!r}, which no checkpoint needs.")
            step(machine)
    except (Damaged, IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, struct.error) as error:
        raise BadInput("The pickle in this file is damaged or cut short.", "Fetch the file again.") from error


class _Machine:
    def __init__(self, data: memoryview, persistent: Resolve, nested: Resolve, budget: Budget) -> None:
        self.data = data
        self.budget = budget
        self.at = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.persistent = persistent
        self.nested = nested

    def take(self, count: int) -> memoryview:
        if count < 0 or self.at + count > len(self.data):
            raise Damaged
        start, self.at = self.at, self.at + count
        return self.data[start : self.at]

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def real(self) -> float:
        value: float = struct.unpack(">d", self.take(8))[0]
        return value

    def copied(self, count: int) -> memoryview:
        found = self.take(count)
        self.budget.spend(count // COPIED_AT_ONCE)  # a nested pickle can be read, and copied from, again and again
        return found

    def text(self, count: int) -> str:
        return str(self.copied(count), "utf-8", "surrogatepass")

    def old_text(self, count: int) -> str:
        return str(self.copied(count), "latin1")

    def line(self) -> str:
        length = bytes(self.data[self.at : self.at + LONGEST_LINE]).find(b"\n")
        found = str(self.copied(length), "ascii")
        self.at += 1
        return found

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is MARK:
            raise Damaged
        return value

    def top(self, kind: type | tuple[type, ...] = object) -> Any:
        value = self.stack[-1]
        if value is MARK or not isinstance(value, kind):
            raise Damaged
        return value

    def to_mark(self) -> list[Any]:
        for start in range(len(self.stack) - 1, -1, -1):
            if self.stack[start] is MARK:
                items = self.stack[start + 1 :]
                del self.stack[start:]
                return items
        raise Damaged

    def bytes_of(self, count: int) -> bytes | memoryview:
        return bytes(self.copied(count)) if count <= SMALL_BYTES else self.take(count)

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def whole_number(self, count: int) -> None:
        if count > LONGEST_NUMBER:
            raise BadInput(f"The file holds an integer of {count:,} bytes, which no checkpoint needs.")
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    def name(self, module: str, name: str) -> None:
        self.budget.spend(4)  # a name takes as long as five opcodes
        self.push(names.check(Global(module, name)))

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Damaged
        self.name(module, name)

    def callee(self) -> tuple[Global, tuple[Any, ...]]:
        args, target = self.pop(), self.pop()
        if not isinstance(target, Global) or not isinstance(args, tuple):
            raise Damaged
        self.budget.spend(len(args))
        for value in args:  # a call may copy what it gets, and a memo can give it the same again and again
            if isinstance(value, list | tuple):
                self.budget.spend(len(value))
            elif isinstance(value, str):
                self.budget.spend(len(value) // COPIED_AT_ONCE)
        return target, args

    def reduce(self) -> None:
        target, args = self.callee()
        if str(target) == names.NESTED:
            self.push(self.nested(args[0]))
        else:
            self.push(names.call(target, args))

    def new_object(self, *, named: bool = False) -> None:
        if named and self.pop():  # arguments by name: no class of a checkpoint has any
            raise Damaged
        target, args = self.callee()
        self.push(names.new(target, args))

    def build(self) -> None:
        state = self.pop()
        names.build(self.top(), state)

    def append(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Object):  # an instance of a dictionary's subclass that is not known here
            return
        if not isinstance(target, dict) or len(items) % 2:
            raise Damaged
        for key, value in zip(items[::2], items[1::2], strict=True):
            names.put(target, key, value)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def remember(self, place: int) -> None:
        self.memo[place] = self.top()

    def recall(self, place: int) -> None:
        self.push(self.memo[place])

    def skip_frame(self) -> None:
        self.take(8)

    def protocol(self) -> None:
        if not 1 < self.number("<B") <= 5:
            raise BadInput("The pickle in this file has a protocol that no checkpoint has.")


def _constant(make: Callable[[], Any]) -> Callable[[_Machine], None]:
    return lambda m: m.push(make())


STEPS: dict[int, Callable[[_Machine], Any]] = {
    ord(code): step
    for code, step in {
        "\x80": _Machine.protocol, "\x95": _Machine.skip_frame, "(": _constant(lambda: MARK),
        "N": _constant(lambda: None), "\x88": _constant(lambda: True), "\x89": _constant(lambda: False),
        "}": _constant(dict), "]": _constant(list), ")": _constant(tuple), "\x8f": _constant(list),
        "K": lambda m: m.push(m.number("<B")), "M": lambda m: m.push(m.number("<H")),
        "J": lambda m: m.push(m.number("<i")), "G": lambda m: m.push(m.real()),
        "\x8a": lambda m: m.whole_number(m.number("<B")), "\x8b": lambda m: m.whole_number(m.number("<i")),
        "X": lambda m: m.push(m.text(m.number("<I"))), "\x8c": lambda m: m.push(m.text(m.number("<B"))),
        "\x8d": lambda m: m.push(m.text(m.number("<Q"))),
        "U": lambda m: m.push(m.old_text(m.number("<B"))), "T": lambda m: m.push(m.old_text(m.number("<i"))),
        "C": lambda m: m.push(m.bytes_of(m.number("<B"))), "B": lambda m: m.push(m.bytes_of(m.number("<I"))),
        "\x8e": lambda m: m.push(m.bytes_of(m.number("<Q"))), "\x96": lambda m: m.push(m.bytes_of(m.number("<Q"))),
        "t": lambda m: m.push(tuple(m.to_mark())), "\x85": lambda m: m.tuple_of(1),
        "\x86": lambda m: m.tuple_of(2), "\x87": lambda m: m.tuple_of(3),
        "l": lambda m: m.push(m.to_mark()), "a": lambda m: m.append([m.pop()]), "e": lambda m: m.append(m.to_mark()),
        "\x90": lambda m: m.append(m.to_mark()), "\x91": lambda m: m.push(m.to_mark()),
        "s": _Machine.set_item, "u": lambda m: m.set_items(m.to_mark()),
        "0": _Machine.pop, "1": _Machine.to_mark, "2": lambda m: m.push(m.top()),
        "q": lambda m: m.remember(m.number("<B")), "r": lambda m: m.remember(m.number("<I")),
        "\x94": lambda m: m.remember(len(m.memo)), "h": lambda m: m.recall(m.number("<B")),
        "j": lambda m: m.recall(m.number("<I")),
        "c": lambda m: m.name(m.line(), m.line()), "\x93": _Machine.stack_name,
        "R": _Machine.reduce, "\x81": _Machine.new_object, "\x92": lambda m: m.new_object(named=True),
        "b": _Machine.build, "Q": lambda m: m.push(m.persistent(m.pop())),
    }.items()
}  # fmt: skip
