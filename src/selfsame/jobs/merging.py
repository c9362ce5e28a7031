"""A person's model and its prior in one: an ordinary prior, which everything that takes a prior takes."""

from pathlib import Path

from selfsame.core import store, weights
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets import lora
from selfsame.tasks import model, prior
from selfsame.tasks.personal import PersonalConfig


def merge(folder: Path, out: Path, where: str | None = None) -> int:
    """Write the prior that equals the personal model in `folder`, in full precision; returns how many tensors it has.

    `where` is the prior that the model was made on, where this machine has none of its digest by a name. The card
    carries the person's terms and, as its data, the digest of the person's weights. Raises BadInput where the prior is
    not here or another.
    """
    tensors, card = weights.load(folder)
    where = where or store.name_of(card.prior_digest or "")
    if where is None:
        raise BadInput(f"The prior of {folder} has no name on this machine.", "Give its folder with --prior.")
    base, under = weights.load(prior.folder_of(where))
    store.check_prior(card, under.digest)
    low_rank = weights.config_of(card, PersonalConfig).low_rank if card.kind == model.KIND else None
    whole = lora.merge(base, tensors, low_rank or lora.MY3DGEN)  # without factors, of a model tuned in full: no matter
    command = f"selfsame weights export {folder} {out} --layout merged"
    weights.save(
        out, whole,
        Card(under.kind, under.config, card.seed, card.licence, card.prior_digest, card.digest, command=command),
    )  # fmt: skip
    return len(whole)
