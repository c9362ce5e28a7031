"""What a detector's probability means, in sentences: the verdict, what it was judged on, and the model's limits."""

from collections.abc import Sequence
from typing import Literal

from selfsame.tasks.detector import CHOSEN, Model

Verdict = Literal["generated", "real", "not sure"]
UNSURE = 0.2  # of the way from the threshold to certainty, on either side: there is no verdict there
WORLD = ("world",)  # the sources of a model that has seen synthetic people only
KNOWN = "It was trained on this very clip, or chosen on it: its verdict here says nothing."
LISTED = 8  # moments that are told one by one
MEASURED = 2  # figures of a card that are told: the first say most


def band(threshold: float) -> tuple[float, float]:
    """Between which probabilities there is no verdict."""
    return threshold * (1 - UNSURE), threshold + UNSURE * (1 - threshold)


def verdict(probability: float, threshold: float) -> Verdict:
    """Generated or real, or not sure within the band about the threshold."""
    low, high = band(threshold)
    if low <= probability <= high:
        return "not sure"
    return "generated" if probability > high else "real"


def percent(probability: float) -> str:
    """A probability in words; nothing is certain."""
    if not 0.01 <= probability <= 0.99:
        return "over 99 %" if probability > 0.5 else "under 1 %"
    return f"{100 * probability:.0f} %"


def sentence(name: str, probability: float, threshold: float) -> str:
    """The verdict on a clip with this name."""
    found, (low, high) = verdict(probability, threshold), band(threshold)
    if found == "not sure":
        return (
            f"Not sure about {name}: the probability that it is generated is {percent(probability)}, and between "
            f"{100 * low:.3g} % and {100 * high:.3g} % this model gives no verdict."
        )
    side = f"above {100 * high:.3g} %" if found == "generated" else f"below {100 * low:.3g} %"
    return (
        f"{name} is judged {found}: the probability that it is generated is {percent(probability)} "
        f"(this model says {found} {side})."
    )


def basis(units: int, frames: int, unseen_s: Sequence[float]) -> str:
    """How many units of so many frames were judged, and where no face was seen."""
    words = f"{units} frames were judged." if frames == 1 else f"{units} runs of {frames} frames were judged."
    if unseen_s:
        told = ", ".join(f"{second:.1f} s" for second in unseen_s[:LISTED])
        more = f" and {len(unseen_s) - LISTED} more" if len(unseen_s) > LISTED else ""
        words += f" No face was seen at {told}{more}: what happens there was not judged."
    return words


def limits(model: Model, digest: str) -> tuple[str, ...]:
    """What the model's card says it cannot know of a clip with this sha256, the gravest first."""
    parts = model.parts
    known = digest in parts.trained_on or digest in parts.chosen_on
    first = [KNOWN, _people(parts.sources)] if known else [_people(parts.sources)]
    learned = (
        f"It learned from {len(parts.trained_on)} clips: real ones, and fakes by {_listed(parts.generators)}. What "
        "other generators make it has never seen; it may well call that real."
    )
    told = "".join(f" {m.name}: {m.mean:.3f} ({m.low:.3f} to {m.high:.3f})." for m in model.card.measured[:MEASURED])
    good = (
        "That is too good, since it was chosen there: expect less of clips like those, and far less of others."
        if any(m.name == CHOSEN for m in model.card.measured)
        else "That is of clips that nothing had seen, but of their kind: expect far less of others."
    )
    chosen = (
        f"Its checkpoint, its probabilities and its threshold were chosen on {len(parts.chosen_on)} clips.{told} {good}"
    )
    usual = (
        "Its probabilities suppose that generated clips are as frequent as real ones. Where they are rare, most alarms "
        "are false."
    )
    sight = (
        f"{parts.training.detector} looks at the face and what is near it, {_at_once(model)}. Sound, text and where "
        "the clip comes from do not count. Cuts, filters and compression can mislead it."
    )
    return *first, learned, chosen, usual, sight


def _people(sources: Sequence[str]) -> str:
    if tuple(sources) == WORLD:
        return (
            "It has seen no real person: all that it learned from are synthetic people whom selfsame rendered. Of real "
            "people, cameras and published generators it knows nothing; its verdict on a clip of a real person means "
            "little."
        )
    if not sources:
        return "Its card does not say where its clips are from."
    return f"What it learned from is from {_listed(sources)}; of other people and cameras it knows nothing."


def _at_once(model: Model) -> str:
    frames = model.net.sight.frames
    return "one frame at a time: it does not see motion" if frames == 1 else f"{frames} frames at a time"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
