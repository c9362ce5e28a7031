"""Pictures of the evaluation of memory: the full T x T matrices as heat maps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfsame.core.config import writing
from selfsame.jobs.continual_cells import METRICS, Score, matrix
from selfsame.jobs.continual_systems import SystemName
from selfsame.jobs.continual_table import TITLES, ways

SHOWN = {"psnr": "reconstruction: PSNR (dB)", "identity": "reconstruction: identity", "fid": "synthesis: FID"}


def heat_maps(scores: Sequence[Score], metric: str, path: Path) -> Path:
    """Mean R[t, k] over people and seeds for every way to keep photos, a row a system, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    systems = [system for system in TITLES if any(s.cell.system == system for s in scores)]
    rows = {system: _matrices([s for s in scores if s.cell.system == system], metric) for system in systems}
    columns = max(len(row) for row in rows.values())
    figure, axes = pyplot.subplots(
        len(rows), columns, figsize=(1.75 * columns + 0.8, 2.1 * len(rows) + 0.3), squeeze=False, layout="constrained"
    )
    for line, (system, row) in zip(axes, rows.items(), strict=True):
        _draw_row(figure, line, system, row, metric)
    with writing(path):
        figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return path


def _matrices(scores: Sequence[Score], metric: str) -> dict[str, np.ndarray]:
    found = {}
    for method, size in ways(scores):
        made = [matrix(s, metric) for s in scores if (s.cell.method, s.cell.size) == (method, size)]
        if len(made[0]) > 1:
            found[f"{method}, {size}" if size else method] = np.mean(made, 0)
    return found


def _draw_row(figure: Any, axes: np.ndarray, system: SystemName, row: dict[str, np.ndarray], metric: str) -> None:
    low = min(np.nanmin(m) for m in row.values())
    high = max(np.nanmax(m) for m in row.values())
    colours = "viridis" if METRICS[metric] == "high" else "viridis_r"  # bright is good, whatever the metric
    shown = None
    for place, (name, values) in zip(axes, row.items(), strict=False):
        shown = place.imshow(values, vmin=low, vmax=high, cmap=colours)
        place.set_title(f"{system}, {name}", fontsize=8)
        place.set_xlabel("photos of session", fontsize=7)
        place.set_ylabel("model after session", fontsize=7)
        place.tick_params(labelsize=6)
    for place in axes[len(row) :]:
        place.axis("off")
    bar = figure.colorbar(shown, ax=list(axes), shrink=0.7)
    bar.set_label(metric, fontsize=8)
    bar.ax.tick_params(labelsize=6)
