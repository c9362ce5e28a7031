"""Errors that a user sees: one sentence of what is wrong, one of how to mend it."""


class SelfsameError(Exception):
    """Work that cannot go on; the message is the whole report, no traceback is owed."""

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(f"{what} {mend}".strip() if mend else what)
        self.what = what
        self.mend = mend


class BadInput(SelfsameError):
    """A file, photo or clip that cannot be used as it is."""


class WrongUse(SelfsameError):
    """A call or command that can never work as written (exit code 2)."""


def shown(text: str, most: int = 200) -> str:
    """What a file says, fit to be quoted in a sentence: on one line, printable and not long."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])
