"""`selfsame detect`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsame.commands import shared
from selfsame.commands.shared import Json


def detect(
    video: Annotated[Path, Parameter(help="The video to judge.")],
    *,
    model: Annotated[
        Path | None,
        Parameter(help="Folder of a trained detector; else the starter set's, which knows synthetic people alone."),
    ] = None,
    weights: Annotated[Path | None, Parameter(help="For a probe: the pretrained weights that it stands on.")] = None,
    out: Annotated[Path | None, Parameter(help="Folder for the page; else named after the video.")] = None,
    json: Json = False,
) -> None:
    """Say whether a talking-head video looks generated or real, how probable that is, and what limits the verdict.

    Writes a page with the probability over time and heat maps of the most suspicious moments.

    Example: selfsame detect clip.mp4 --model bench/models/cnn-small
    """
    from selfsame.jobs import detect_video, detect_words

    loaded = detect_video.load(model, weights)
    with shared.progress(json) as progress:
        made = detect_video.judge(video, loaded, out or Path(f"{video.stem}-detect"), progress=progress)

    def words() -> None:
        print(made.sentence, made.basis, *(f"- {limit}" for limit in made.limits), sep="\n")
        print(f"The page: {made.page.resolve()}")

    threshold = loaded.parts.calibration.threshold
    moments = [{"second": s, "probability": p} for s, p in zip(made.times_s.tolist(), made.units.tolist(), strict=True)]
    record = {
        "verdict": made.verdict, "probability": made.probability, "threshold": threshold,
        "no_verdict": detect_words.band(threshold), "sentence": made.sentence, "moments": moments,
        "unseen_s": made.unseen_s, "limits": made.limits, "model": loaded.card.digest, "page": made.page,
    }  # fmt: skip
    shared.say(record, json, words)
