"""One HTML file that opens without a network: pictures, videos and curves inside it, figures with their intervals."""

import base64
import html
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsame.core import image, video
from selfsame.core.config import write_atomic
from selfsame.core.results import Measured

FEWEST_COLUMNS = 4
TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True)
class Section:
    """A heading, a sentence of what is seen, and HTML made by `picture`, `film`, `figures` or `rows`."""

    title: str
    words: str
    body: str


def write(path: Path, title: str, lead: str, sections: Sequence[Section], foot: str) -> Path:
    """Fill the template and write the page atomically."""
    import jinja2

    template = jinja2.Template(TEMPLATE.read_text(), autoescape=True)
    write_atomic(path, template.render(title=title, lead=lead, sections=sections, foot=foot))
    return path


def picture(images: Float[Tensor, "1 3 h w"], words: str, wide: bool = True) -> str:
    """An image inside the page; `words` are read to those who do not see it."""
    data = io.BytesIO()
    image.to_pil(images).save(data, "PNG", optimize=True)
    text = base64.b64encode(data.getvalue()).decode()
    width = "wide" if wide else "small"
    return f'<img class="{width}" alt="{html.escape(words)}" src="data:image/png;base64,{text}">'


def film(images: Float[Tensor, "t 3 h w"], words: str, fps: int = 24, enlarge: int = 2) -> str:
    """A looping video inside the page."""
    frames = F.interpolate(images, scale_factor=enlarge, mode="bicubic").clamp(-1, 1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"
        video.write(file, frames, fps)
        text = base64.b64encode(file.read_bytes()).decode()
    return (
        f'<video autoplay loop muted playsinline controls aria-label="{html.escape(words)}" '
        f'src="data:video/mp4;base64,{text}"></video>'
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: its head as text, its cells as HTML."""
    names = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    lines = ("".join(f"<td>{value}</td>" for value in row) for row in rows)
    return f"<table><tr>{names}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def figures(measured: Sequence[Measured]) -> str:
    """A table of means with 95 % intervals and sample sizes."""
    rows = [
        (html.escape(m.name), f"{m.mean:.3f}", m.interval, str(m.n), "higher" if m.better == "high" else "lower")
        for m in measured
    ]
    return table(("figure", "mean", "95 % interval", "n", "better is"), rows)


def labelled(rows: Mapping[str, Float[Tensor, "n 3 s s"]]) -> str:
    """One strip of pictures a label, above each other; few pictures leave room at the right."""
    lines = []
    for label, row in rows.items():
        strip = picture(image.grid(row, columns=max(len(row), FEWEST_COLUMNS)), label)
        lines.append(f"<figure>{strip}<figcaption>{html.escape(label)}</figcaption></figure>")
    return "".join(lines)


def curves(history: Mapping[str, Sequence[float]], what: str = "loss", scale: Literal["log", "linear"] = "log") -> str:
    """Losses (or `what` else) against step, one line each, as inline SVG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3), layout="constrained")
    steps = history["step"]
    for name, values in history.items():
        if name != "step":
            kept = [(s, v) for s, v in zip(steps, values, strict=True) if v == v]
            axes.plot(*zip(*kept, strict=True), label=name, linewidth=1.2)
    axes.set(xlabel="step", ylabel=what, yscale=scale)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)
    data = io.StringIO()
    figure.savefig(data, format="svg")
    pyplot.close(figure)
    return data.getvalue()[data.getvalue().index("<svg") :]


def depth_colours(
    depth: Float[Tensor, "b 1 p p"], alpha: Float[Tensor, "b 1 p p"], size_px: int
) -> Float[Tensor, "b 3 s s"]:
    """Depth as colour, near is bright, nothing is white; one scale for the whole batch."""
    import matplotlib

    solid = alpha > 0.5
    seen = depth[solid] if solid.any() else depth.flatten()
    near, far = seen.quantile(0.01), seen.quantile(0.99)
    share = ((far - depth) / (far - near).clamp_min(1e-6)).clamp(0, 1)[:, 0].cpu().numpy()
    colours = torch.from_numpy(matplotlib.colormaps["viridis"](share)[..., :3]).float().permute(0, 3, 1, 2) * 2 - 1
    shown = colours * alpha.cpu() + (1 - alpha.cpu())
    return F.interpolate(shown, (size_px, size_px), mode="bilinear", align_corners=False)
