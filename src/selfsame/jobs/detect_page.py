"""The page of a judged video: its sentence, the timeline of probabilities, heat maps, and the model's limits."""

import html
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core import image
from selfsame.faces import draw
from selfsame.jobs import detect_words, report
from selfsame.jobs.report import Section

FOOT = "Made with selfsame, on this machine: nothing of the video left it."


def write(
    path: Path, title: str, lead: str, limits: Sequence[str], timeline: Float[Tensor, "1 3 h w"],
    shown: Float[Tensor, "1 3 hh ww"], words: str,
) -> Path:  # fmt: skip
    """Write the page."""
    lines = "".join(f"<li>{html.escape(limit)}</li>" for limit in limits)
    over_time = "The probability of each frame or run that was judged. The verdict is their mean against the threshold."
    sections = [
        Section("Over time", over_time, report.picture(timeline, "probability over time")),
        Section("Where it looks", words, report.picture(shown, "frames and heat maps")),
        Section("What this verdict cannot know", "", f"<ul>{lines}</ul>"),
    ]
    return report.write(path, title, lead, sections, FOOT)


def timeline(
    units: Float[np.ndarray, "u"], times_s: Float[np.ndarray, "u"], unseen_s: Sequence[float], threshold: float,
    seconds: float,
) -> Float[Tensor, "1 3 h w"]:  # fmt: skip
    """The probability of each unit over the clip's seconds, the threshold, the band without a verdict, the mean."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2), dpi=110, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
    axes.axhspan(*detect_words.band(threshold), color="0.93", label="no verdict")
    axes.axhline(threshold, color="0.4", linewidth=1, linestyle="--", label=f"threshold, {100 * threshold:.3g} %")
    axes.axhline(
        float(units.mean()),
        color="tab:blue",
        linewidth=1.5,
        label=f"the clip, {detect_words.percent(float(units.mean()))}",
    )
    # In the order of time, which the runs of a short clip are not; the line breaks where no face was seen.
    at, told = np.append(times_s, unseen_s), np.append(units, np.full(len(unseen_s), np.nan))
    order = np.argsort(at, kind="stable")
    axes.plot(at[order], told[order], "o-", color="tab:orange", markersize=4, linewidth=0.8, label="moments")
    if unseen_s:
        axes.plot(unseen_s, np.zeros(len(unseen_s)), "x", color="tab:red", clip_on=False, label="no face seen")
    axes.set(xlabel="seconds", ylabel="probability that it is generated", xlim=(0, seconds), ylim=(0, 1))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    data = io.BytesIO()
    canvas.print_png(data)
    return image.load(data)


def heat_sheet(tiles: Float[Tensor, "m 3 s s"], words: Sequence[str]) -> Float[Tensor, "1 3 h w"]:
    """Frames with their words above, evidence for fake below them, evidence for real at the bottom."""
    rows = tiles.unflatten(0, (-1, 3)).transpose(0, 1)
    frames = torch.cat([draw.captioned(x[None], w, x.shape[-1]) for x, w in zip(rows[0], words, strict=True)])
    return image.grid(torch.cat([frames, rows[1], rows[2]]), columns=len(words))
