"""MyTimeMachine as a thing to use: SAM, and where there is one the adapter of how one person ages."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from selfsame.nets.age_adapter import AgeAdapter
from selfsame.tasks.reage import Sam


@dataclass(frozen=True, eq=False)
class TimeMachine:
    """SAM and a person's adapter; without one it is the global prior."""

    sam: Sam
    adapter: AgeAdapter | None

    def invert(self, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b l w"]:
        """The codes of photos as they are."""
        return self.sam.invert(images)

    def encode(self, images: Float[Tensor, "b 3 s s"], years: Float[Tensor, "b"]) -> Float[Tensor, "b l w"]:
        """The codes of photos at these ages."""
        w_plus = self.sam.encode(images, years)
        if self.adapter is None:
            return w_plus
        moved: Tensor = self.adapter(w_plus, years)
        return moved

    def decode(self, w_plus: Float[Tensor, "b l w"]) -> Float[Tensor, "b 3 p p"]:
        """The pictures of codes."""
        images: Tensor = self.sam.decoder(w_plus)
        return images
