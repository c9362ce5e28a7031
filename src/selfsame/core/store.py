"""Where networks lie that have a name: the starter set in the package, and what a user imported."""

import os
from collections.abc import Iterator
from pathlib import Path

from selfsame.core.config import from_json
from selfsame.core.errors import BadInput, SelfsameError
from selfsame.core.weights import CARD_FILE, WEIGHTS_FILE, Card

STARTER_FOLDER = Path(__file__).parent.parent / "starter"
STARTER = {
    "starter-3d": STARTER_FOLDER / "triplane",
    "starter-2d": STARTER_FOLDER / "stylegan2",
    "starter-sam": STARTER_FOLDER / "sam",
}
VARIABLE = "SELFSAME_WEIGHTS"


def home() -> Path:
    """The folder of imported weights: $SELFSAME_WEIGHTS, or `selfsame/weights` where this user's data lies."""
    if set_by_user := os.environ.get(VARIABLE):
        return Path(set_by_user).expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "selfsame" / "weights"


def starter(part: str) -> Path:
    """The folder of a part of the starter set; raises BadInput where the installation lost it."""
    folder = STARTER_FOLDER / part
    if not folder.is_dir():
        raise BadInput(f"The starter set's {part} is missing from this installation.", "Install selfsame again.")
    return folder


def find(where: str | Path) -> Path:
    """The folder of a network by its name in the starter set, its own path, or its name among the imported ones.

    What is nowhere comes back as the path that it would be.
    """
    if str(where) in STARTER:
        return STARTER[str(where)]
    imported = home() / where
    return imported if not Path(where).is_dir() and imported.is_dir() else Path(where)


def names() -> list[str]:
    """What `find` knows by name, the parts of a network that was imported with others (`sam_ffhq_aging/prior`) too."""
    return [name for name, folder in STARTER.items() if folder.is_dir()] + list(imported())


def imported() -> dict[str, Path]:
    """The imported networks by name, in alphabetical order; what is still being written is not among them."""
    root = home()
    cards = sorted(root.rglob(CARD_FILE)) if root.is_dir() else []
    folders = [card.parent for card in cards if (card.parent / WEIGHTS_FILE).is_file()]
    found = {folder.relative_to(root).as_posix(): folder for folder in folders}
    return {name: folder for name, folder in found.items() if not name.startswith(".")}


def cards() -> Iterator[tuple[str, Card]]:
    """Names and cards of all networks that have a name; a card that cannot be read is left out."""
    for name in names():
        try:
            yield name, from_json(Card, (find(name) / CARD_FILE).read_text(), name)
        except (SelfsameError, OSError, ValueError):
            continue


def name_of(digest: str) -> str | None:
    """The name of the network with this digest, None where this machine has none by a name."""
    return next((name for name, card in cards() if card.digest == digest), None)


def check_prior(card: Card, prior_digest: str) -> None:
    """Raise BadInput, which says what prior it wants, unless a personal model belongs to the one with this digest."""
    check_made_on(f"This {card.kind}", card.prior_digest, prior_digest)


def check_made_on(what: str, wanted: str | None, given: str) -> None:
    """Raise BadInput unless the digest of the network that something was made on is the one that is given."""
    if wanted == given:
        return
    if wanted is None:
        raise BadInput(f"{what} was made on no prior at all, not on {called(given)}.")
    name = name_of(wanted)
    mend = f"Load it with {name}." if name else "Give the folder of that one; none that has a name here is it."
    raise BadInput(f"{what} was made on {called(wanted)}, not on {called(given)}.", mend)


def called(digest: str) -> str:
    """A network in words: its name, where it has one, and the beginning of its digest."""
    name = name_of(digest)
    return f"{name} ({digest[:12]})" if name else f"the prior {digest[:12]}"
