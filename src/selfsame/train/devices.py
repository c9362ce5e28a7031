"""How a training runs: one process or several, which device, what precision, how it saves memory.

None of it changes what is computed, but for digits. Every process takes its rows of the same global batch and the
gradients are averaged, so that two processes do what one does with the whole batch; several come in through accelerate.
Start several with `torchrun --nproc-per-node N -m selfsame ...` (with `accelerate launch
--cpu --num_processes N` there is only one).
"""

import copy
import dataclasses
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import torch
from torch import Tensor, nn

from selfsame.core import rng
from selfsame.core.errors import WrongUse

if TYPE_CHECKING:
    from accelerate import Accelerator

Precision = Literal["no", "bf16", "fp16"]
CPU = torch.device("cpu")
T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """Row `first` and every `of`-th on of a global batch: what is computed at once."""

    first: int = 0
    of: int = 1

    def take(self, batch: Tensor) -> Tensor:
        """These rows of a global batch, spread as the groups of the discriminator are."""
        return batch[self.first :: self.of]

    def rows(self, generator: torch.Generator) -> rng.Rows:
        """A source of these rows of what is drawn for the global batch."""
        return rng.Rows(generator, self.first, self.of)


@dataclass(frozen=True, eq=False)
class Devices:
    """This process among `count`, its device, and accelerate's hand where there is more to do than plain torch does.

    Personal models take their batch in `accumulate` parts, one after the other, and with `recompute` a synthesis
    block's activations are computed again in the backward pass instead of being kept.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = CPU
    precision: Precision = "no"
    accelerator: "Accelerator | None" = None
    accumulate: int = 1
    recompute: bool = False

    @property
    def first(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0

    @property
    def flags(self) -> str:
        """The options of the command that differ from the usual, each with a blank before it."""
        precision = f" --precision {self.precision}" if self.precision != "no" else ""
        accumulate = f" --accumulate {self.accumulate}" if self.accumulate > 1 else ""
        return precision + accumulate + (" --recompute" if self.recompute else "")

    def rows(self, generator: torch.Generator) -> rng.Rows:
        """A source of this process's rows of what is drawn for the global batch."""
        return Share(self.rank, self.count).rows(generator)

    def share(self, batch: Tensor) -> Tensor:
        """This process's rows of a global batch."""
        return Share(self.rank, self.count).take(batch)

    def shares(self) -> list[Share]:
        """The parts of a global batch that this process computes, one after the other."""
        every = self.count * self.accumulate
        return [Share(first, every) for first in range(self.rank, every, self.count)]

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

    def check_parts(self, batch: int) -> None:
        """Raise WrongUse unless a batch parts evenly among the processes and their turns."""
        parts = self.count * self.accumulate
        if batch % parts:
            processes = f"{self.count} processes times " if self.count > 1 else ""
            raise WrongUse(
                f"A batch of {batch} photos cannot be taken in {processes}{self.accumulate} equal parts.",
                f"Give --batch a multiple of {parts}, or another --accumulate.",
            )


ALONE = Devices()


def moved(thing: T, device: torch.device) -> T:
    """A tensor, a network, a tuple or a record of such, on a device; what lies there already is not copied."""
    found: Any = thing
    if isinstance(thing, Tensor):
        found = thing.to(device)
    elif isinstance(thing, nn.Module):
        there = all(t.device == device for t in (*thing.parameters(), *thing.buffers()))
        found = thing if there else copy.deepcopy(thing).to(device)
    elif isinstance(thing, tuple):
        found = tuple(moved(part, device) for part in thing)
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
        found = dataclasses.replace(thing, **{name: moved(value, device) for name, value in fields.items()})
    return cast(T, found)


def here(precision: Precision = "no", *, accumulate: int = 1, recompute: bool = False) -> Devices:
    """The devices of this process: an accelerator if there is one, several processes where torchrun started them.

    Plain torch does for one process; accelerate is imported for several. Raises WrongUse for fp16 without a GPU.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if precision == "fp16" and device.type == "cpu":
        raise WrongUse("fp16 needs a GPU.", "Give --precision bf16 or no.")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Devices(device=device, precision=precision, accumulate=accumulate, recompute=recompute)
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    # The others wait while the first decodes the images and looks at samples, longer than the usual ten minutes.
    patient = InitProcessGroupKwargs(timeout=timedelta(hours=12))
    made = Accelerator(mixed_precision=precision, cpu=device.type == "cpu", kwargs_handlers=[patient])
    return Devices(made.process_index, made.num_processes, made.device, precision, made, accumulate, recompute)
