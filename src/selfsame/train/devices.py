"""Where a training runs: one process or several, which device, what precision; several come in through accelerate.

Every process takes its rows of the same global batch and the gradients are averaged, so that two processes do what one
does with the whole batch. Start several with `torchrun --nproc-per-node N -m selfsame ...` (with `accelerate launch
--cpu --num_processes N` there is only one).
"""

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from selfsame.core import rng
from selfsame.core.errors import WrongUse

if TYPE_CHECKING:
    from accelerate import Accelerator

Precision = Literal["no", "bf16", "fp16"]
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Devices:
    """This process among `count`, its device, and accelerate's hand where there is more to do than plain torch does."""

    rank: int = 0
    count: int = 1
    device: torch.device = CPU
    precision: Precision = "no"
    accelerator: "Accelerator | None" = None

    @property
    def first(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0

    def rows(self, generator: torch.Generator) -> rng.Rows:
        """A source of this process's rows of what is drawn for the global batch."""
        return rng.Rows(generator, self.rank, self.count)

    def share(self, batch: Tensor) -> Tensor:
        """This process's rows of a global batch: every `count`-th, as groups of the discriminator are spread."""
        return batch[self.rank :: self.count]

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which networks compute in this run's precision."""
        if self.precision == "no":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16 if self.precision == "bf16" else torch.float16)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes, equal in each of them."""
        if self.accelerator is None or self.count == 1:
            return values
        found = self.accelerator.reduce(values.detach().clone(), reduction="mean")
        assert isinstance(found, Tensor)
        return found

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Give every process the mean gradients; which parameters have one is the same in all of them."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        parts = self.mean(torch.cat([g.flatten() for g in gradients])).split([g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def check_batch(self, batch: int) -> None:
        """Raise WrongUse unless a batch parts evenly among the processes, four pictures (one group) at a time."""
        if batch % self.count or (self.count > 1 and batch % (4 * self.count)):
            raise WrongUse(
                f"A batch of {batch} cannot be shared among {self.count} processes.",
                f"Give a multiple of {4 * self.count}: the discriminator compares pictures in groups of four.",
            )


ALONE = Devices()


def here(precision: Precision = "no") -> Devices:
    """The devices of this process: an accelerator if there is one, several processes where torchrun started them.

    Plain torch does for one process; accelerate is imported for several. Raises WrongUse for fp16 without a GPU.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if precision == "fp16" and device.type == "cpu":
        raise WrongUse("fp16 needs a GPU.", "Give --precision bf16 or no.")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Devices(device=device, precision=precision)
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    # The others wait while the first decodes the images and looks at samples, longer than the usual ten minutes.
    patient = InitProcessGroupKwargs(timeout=timedelta(hours=12))
    made = Accelerator(mixed_precision=precision, cpu=device.type == "cpu", kwargs_handlers=[patient])
    return Devices(made.process_index, made.num_processes, made.device, precision, made)
