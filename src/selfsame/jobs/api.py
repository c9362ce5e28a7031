"""The main job in one call, for Python."""

from pathlib import Path

from selfsame.faces.album import Album
from selfsame.jobs import fit, jury
from selfsame.jobs.fit import FitConfig
from selfsame.jobs.progress import Progress, silent
from selfsame.tasks.model import PersonalModel
from selfsame.tasks.personal import Judge
from selfsame.tasks.prior import Prior
from selfsame.train.devices import ALONE, Devices


def personalize(
    prior: Prior,
    album: Album,
    *,
    config: FitConfig = fit.PRESETS["quick"],
    steps: int | None = None,
    judge: Judge | None = None,
    folder: Path | str | None = None,
    devices: Devices = ALONE,
    half: bool = False,
    progress: Progress = silent,
) -> PersonalModel:
    """Fit a personal model on an album, as `selfsame fit` does; the same call again resumes or returns it.

    The model lives in `folder`, by default people/<name>/models/main. `steps` replaces the steps of inversion and
    training, `judge` the starter judge; `devices` says how it is computed (`train.devices.here`), `half` stores the
    model in 16 bits. Raises BadInput where the album has too few photos.
    """
    where = Path(folder) if folder else album.path / "models" / "main"
    config, judge = fit.with_steps(config, steps), judge or jury.load()
    return fit.fit(album, prior, judge, where, config, progress, devices=devices, half=half).model
