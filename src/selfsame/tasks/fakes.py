"""The makers of fakes by name: six for training and test, two that only a test may hold."""

from collections.abc import Callable
from dataclasses import dataclass

from selfsame.core.errors import WrongUse
from selfsame.tasks import fake_networks, fake_pictures
from selfsame.tasks.fake_kit import Frames, Shot
from selfsame.tasks.fake_networks import Networks


@dataclass(frozen=True)
class Generator:
    """How a fake of `portrait` moved by `driver` is made, in one sentence and as a function.

    Where it is not `driven`, the portrait's own clip is edited and the driver is not looked at.
    """

    about: str
    make: Callable[[Shot, Shot, Networks], Frames]
    driven: bool = True


def _alone(make: Callable[[Shot, Shot], Frames]) -> Callable[[Shot, Shot, Networks], Frames]:
    """A maker that needs no network."""
    return lambda portrait, driver, nets: make(portrait, driver)


MAIN: dict[str, Generator] = {
    "latent": Generator("A still's latent code moved as the driver's, decoded frame by frame.", fake_networks.latent),
    "rerender": Generator("A still lifted to 3D, rendered as the driver moves.", fake_networks.rerender),
    "warp": Generator("A still bent after the driver's landmarks, backdrop and all.", _alone(fake_pictures.warp)),
    "mouth": Generator("The person's own clip with the driver's mouth blended in.", _alone(fake_pictures.mouth)),
    "swap": Generator("The driver's clip with the person's face blended in.", _alone(fake_pictures.swap)),
    "interpolate": Generator(
        "The person's own clip with three of four frames invented by optical flow.",
        _alone(fake_pictures.interpolate), driven=False,
    ),
}  # fmt: skip
EMERGING: dict[str, Generator] = {
    "photo": Generator("A still that sways as one picture while its mouth opens.", _alone(fake_pictures.photo)),
    "reage": Generator("The person's own clip, aged and decoded frame by frame.", fake_networks.reage, driven=False),
}
GENERATORS = MAIN | EMERGING


def generator(name: str) -> Generator:
    """The maker with this name; raises WrongUse where there is none."""
    if name not in GENERATORS:
        raise WrongUse(f"There is no generator {name}.", f"Choose among {', '.join(GENERATORS)}.")
    return GENERATORS[name]
