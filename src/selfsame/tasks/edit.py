"""Edits of a person's codes along a direction, inside their hull or beyond it [MyStyle, section 4.3; My3DGen].

A direction d of W is carried into the span of the anchors A, gamma = (A A^T)^-1 A d, so that an edit is a change of the
hull's weights, alpha' = alpha + theta gamma: the person is mixed from their own photos and from nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from selfsame.core.errors import WrongUse
from selfsame.replay.hull import nearest

Policy = Literal["continue", "stop", "project", "free"]
"""What happens where a weight falls below -beta.

"continue" goes on, "stop" stays at the last edit that did not, "project" takes the nearest point of the dilated hull.
"free" has nothing to do with the hull: it moves the code along the direction itself.
"""

RIDGE = 1e-9  # relative: where anchors depend on each other, the smallest weights


@dataclass(frozen=True)
class EditConfig:
    """How far an edit goes either way and in how many steps (odd: one of them is none).

    `unit` "w" are lengths in W, as published, "spread" standard deviations of the prior's codes along the direction,
    which mean about as much in every direction and every prior.
    """

    magnitude: float
    steps: int
    unit: Literal["w", "spread"] = "w"

    @property
    def thetas(self) -> list[float]:
        """The edits from one side to the other, 0 in the middle."""
        half = self.steps // 2
        return [self.magnitude * i / half for i in range(-half, half + 1)]


QUICK = EditConfig(magnitude=3.0, steps=7, unit="spread")
PRESETS = {
    "quick": QUICK,
    "paper-3d": EditConfig(magnitude=10.0, steps=15),  # My3DGen
    "paper-2d": EditConfig(magnitude=2.0, steps=11),  # MyStyle
}


@dataclass(frozen=True, eq=False)
class Edited:
    """Codes (T, L, w_dim) of T edits, their weights in the hull (None for free edits), and how far each really went.

    `theta` differs from what was asked for where the policy stopped. `kept` is the share of the direction's length
    that lies in the span of the anchors: the rest of it no mixture of the person's photos can show.
    """

    w_plus: Float[Tensor, "t l w"]
    theta: Float[Tensor, "t"]
    alpha: Float[Tensor, "t n"] | None
    kept: float


def edit(
    w_plus: Float[Tensor, "1 l w"],
    direction: Float[Tensor, "w"],
    anchors: Float[Tensor, "n l w"],
    thetas: Sequence[float],
    policy: Policy = "continue",
    beta: float = 0.03,
) -> Edited:
    """A code moved by each theta along a direction; theta 0 leaves it as it is, whatever the policy.

    What the hull cannot show of the code (its distance from the anchors' span) is carried along unchanged. A code that
    lies outside of the dilated hull already may not go farther under "stop", and is moved by as much as its nearest
    point of the hull moves under "project". Raises WrongUse for a beta below 0.
    """
    if beta < 0:
        raise WrongUse(f"A hull cannot be dilated by {beta}.", "Give a beta of 0 or more.")
    asked = torch.tensor(list(thetas), dtype=torch.float64)
    layers = w_plus.shape[1]
    if policy == "free":
        moved = asked.to(w_plus.dtype)[:, None, None] * direction
        return Edited(w_plus + moved, asked.float(), None, 1.0)
    points = anchors.flatten(1).double()
    along = direction.double().repeat(layers)
    alpha, gamma = weights_of(w_plus.flatten(1), anchors)[0], weights_of(along[None], anchors)[0]
    theta = asked.clamp(*allowed(alpha, gamma, beta)) if policy == "stop" else asked
    changed = alpha + theta[:, None] * gamma
    if policy == "project":
        nearest_ones = projected(torch.cat([alpha[None], changed]), anchors, beta)
        changed = alpha + nearest_ones[1:] - nearest_ones[:1]
    step = ((changed - alpha) @ points).unflatten(1, (layers, -1))
    kept = float((gamma @ points).norm() / along.norm())
    return Edited(w_plus + step.to(w_plus.dtype), theta.float(), changed.float(), kept)


def weights_of(codes: Float[Tensor, "b d"], anchors: Float[Tensor, "n l w"]) -> Float[Tensor, "b n"]:
    """The weights with which a sum of anchors comes nearest to each flattened code, in float64; they need not sum to 1.

    (A A^T)^-1 A w [MyStyle]; where anchors depend on each other, as more of them than dimensions must, the smallest.
    """
    points = anchors.flatten(1).double()
    products = points @ points.T
    ridge = RIDGE * products.diagonal().mean() * torch.eye(len(points), dtype=torch.float64)
    found: Tensor = torch.linalg.solve(products + ridge, points @ codes.double().T).T
    return found


def allowed(alpha: Float[Tensor, "n"], gamma: Float[Tensor, "n"], beta: float) -> tuple[float, float]:
    """The first and last theta, about 0, for which no weight of alpha + theta gamma is below -beta.

    A weight that is below already may not fall further.
    """
    room = alpha + beta
    room = torch.where(room > 0, room, 0.0)
    falling, rising = gamma < 0, gamma > 0
    last = (room / -gamma)[falling].min() if falling.any() else torch.inf
    first = -(room / gamma)[rising].min() if rising.any() else -torch.inf
    return float(first), float(last)


def projected(alpha: Float[Tensor, "b n"], anchors: Float[Tensor, "n l w"], beta: float) -> Float[Tensor, "b n"]:
    """The weights of the points of the dilated hull (sum 1, none below -beta) nearest to those of `alpha`, in float64.

    With a = (1 + N beta) c - beta the weights c lie on the simplex: the nearest point of an ordinary hull.
    """
    points = anchors.flatten(1).double()
    count = len(points)
    size = 1 + count * beta
    hull = size * (points - points.mean(0))
    target = alpha.double() @ points + beta * points.sum(0) - size * points.mean(0)
    products, cross = hull @ hull.T, target @ hull.T
    shift = products.diagonal().mean().clamp_min(1e-300)
    inner = (products + shift).expand(len(alpha), -1, -1)
    return size * nearest(inner, cross + shift) - beta
