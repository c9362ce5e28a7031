"""`selfsame weights`: published files come in, and go out again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import Json

if TYPE_CHECKING:
    from selfsame.jobs.import_weights import Imported

Where = Annotated[str, Parameter(help="The name of imported weights, or their folder.")]


def import_(
    file: Path,
    /,
    *,
    as_: Annotated[str | None, Parameter(name="--as", help="The kind of the file, where it is not recognised.")] = None,
    name: Annotated[str | None, Parameter(help="Name in the store; else the file's own.")] = None,
    out: Annotated[Path | None, Parameter(help="A folder to write instead of the store.")] = None,
    heads: Annotated[Path | None, Parameter(help="For LPIPS: the file with its heads, alex.pth or vgg.pth.")] = None,
    ages: Annotated[
        tuple[int, int] | None, Parameter(help="For MyTimeMachine: youngest and oldest age on the photos.")
    ] = None,
    prior: Annotated[str | None, Parameter(help="For My3DGen and MyStyle: what the file was tuned from.")] = None,
    anchors: Annotated[Path | None, Parameter(help="For My3DGen and MyStyle: folder of the photos' codes.")] = None,
    json: Json = False,
) -> None:
    """Convert a published file of weights, once, without running anything in it.

    The file is recognised by the names of its tensors; every tensor is checked against the network. What comes out is
    a folder of safetensors with a card, in the store (`selfsame weights where`) or in --out. All of it, or nothing.

    Example: selfsame weights import ffhqrebalanced512-128.pkl
    """
    from selfsame.jobs import import_weights
    from selfsame.jobs.import_personal import Extra

    checked = None if name is None else shared.checked(name)
    extra = Extra(heads, ages, prior, anchors)
    with shared.progress(json) as progress:
        made = import_weights.import_file(file, as_, checked, out, extra, progress)
    shared.say(_record(made), json, lambda: _words(made))


def list_(*, json: Json = False) -> None:
    """The networks that have a name: the starter set's and what was imported.

    Example: selfsame weights list
    """
    from selfsame.core import store

    found = {name: (card, _size(store.find(name))) for name, card in store.cards()}
    record = {
        name: {"kind": card.kind, "digest": card.digest, "licence": card.licence, "bytes": size}
        for name, (card, size) in found.items()
    }

    def words() -> None:
        from rich.console import Console
        from rich.table import Table

        table = Table("name", "kind", "digest", "MiB", box=None, pad_edge=False)
        for name, (card, size) in found.items():
            table.add_row(name, card.kind, card.digest[:12], f"{size / 2**20:,.1f}")
        Console().print(table)
        print(f"Imported weights lie in {store.home()}.")

    shared.say(record, json, words)


def show(where: Where, /, *, json: Json = False) -> None:
    """The card of weights and, where they were imported, what is known of the file they came from.

    Example: selfsame weights show ffhqrebalanced512-128
    """
    from dataclasses import asdict

    from selfsame.core import store, weights
    from selfsame.core.config import to_json
    from selfsame.jobs import import_weights

    folder = store.find(where)
    card = weights.card_of(folder)
    source = import_weights.source_of(folder)
    record = {"folder": folder, "card": asdict(card), "source": asdict(source) if source else None}

    def words() -> None:
        print(f"{folder}\n{to_json(card)}", end="")
        if source:
            print(f"Imported from\n{to_json(source)}", end="")

    shared.say(record, json, words)


def verify(
    where: Where,
    /,
    *,
    file: Annotated[Path | None, Parameter(help="The file that they were imported from.")] = None,
    json: Json = False,
) -> None:
    """Read weights again and compare every number with the digests on their cards, and a file with its own.

    Example: selfsame weights verify ffhqrebalanced512-128 --file ffhqrebalanced512-128.pkl
    """
    from selfsame.core import store
    from selfsame.jobs import import_weights

    folder = store.find(where)
    with shared.progress(json) as progress:
        checked = import_weights.verify(folder, file, progress)
    record = {"folder": folder, "networks": checked.networks, "source": checked.verified}

    def words() -> None:
        for place, digest in checked.networks.items():
            print(f"{'whole' if place == '.' else place:<14} {digest[:12]}  as it was written")
        if checked.verified:
            print(f"The file it came from: {checked.verified}.")

    shared.say(record, json, words)


def where(
    name: Annotated[str | None, Parameter(help="The name of weights; else the store itself.")] = None,
    /,
    *,
    json: Json = False,
) -> None:
    """The folder of weights by their name, or the folder of all imported weights.

    Example: selfsame weights where
    """
    from selfsame.core import store
    from selfsame.core.errors import BadInput

    folder = store.home() if name is None else store.find(name)
    if name is not None and not folder.is_dir():
        raise BadInput(f"There are no weights called {name}.", "`selfsame weights list` shows the names.")
    shared.say({"folder": folder}, json, lambda: print(folder))


def export(
    where: Where,
    /,
    out: Path,
    *,
    layout: Annotated[
        str | None,
        Parameter(help="nvidia, rosinality, psp, sam, mytm, peft, merged, plain or dex; else the kind's first."),
    ] = None,
    prior: Annotated[
        str | None,
        Parameter(
            help="For merged: the prior of the person's model, where this machine has none of its digest by a name."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write weights in a published layout, so that other code can read them; an import of that file gives the same.

    The layout merged is ours: a person's model and its prior in one, a folder that can be used wherever a prior is.

    Example: selfsame weights export starter-2d generator.pt --layout rosinality
    """
    from selfsame.core import store
    from selfsame.jobs import export_weights

    made = export_weights.export(store.find(where), out, layout, prior)
    record = {"file": out, "layout": made.layout, "tensors": made.tensors, "files": made.files}
    shared.say(
        record, json, lambda: print(f"{made.tensors} tensors in {made.layout}'s layout: {out}\n{made.note}".strip())
    )


def _size(folder: Path) -> int:
    from selfsame.core.weights import WEIGHTS_FILE

    return (folder / WEIGHTS_FILE).stat().st_size


def _record(made: "Imported") -> dict[str, object]:
    from dataclasses import asdict

    return {"name": made.name, "folder": made.folder, "again": made.again, "use": _use(made), **asdict(made.source)}


def _use(made: "Imported") -> str:
    return made.known.use.format(name=made.place)


def _words(made: "Imported") -> None:
    source = made.source
    print(f"{'There already' if made.again else 'Imported'}: {made.known.what}.")
    print(f"  from     {source.file}, {source.bytes / 2**20:,.1f} MiB, sha256 {source.digest[:12]}")
    print(f"  source   {source.verified}")
    print(f"  to       {made.folder}")
    for place, digest in source.of.items():
        print(f"  network  {'itself' if place == '.' else place}, digest {digest[:12]}")
    for note in source.notes:
        print(f"  note     {note}")
    print(f"  licence  {source.licence}")
    print(f"  use      {_use(made)}")
