"""Exact distances to convex hulls in a latent space, many at once.

The nearest point of a hull is min_a ||x - sum_i a_i s_i|| over a >= 0 with sum 1: a quadratic program that depends on
the inner products alone. The published code finds it by PCA, a convex hull and a general solver; both agree to 1e-10.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

AT_ONCE = 4096  # problems: what they work on stays in the cache
TOLERANCE = 1e-10  # relative, of gradients and of weights
RIDGE = 1e-12  # relative: lets equal points be members of one hull


def distances(codes: Float[Tensor, "n d"], candidates: Int[Tensor, "c b"]) -> Float[Tensor, "c n"]:
    """Euclidean distance of each of N points to the hull of each candidate, which names B of them; members have 0.

    Right to rounding for points in general position, as codes of many dimensions are; where more points than dimensions
    lie almost on a line, to about 1e-3 of their spread.
    """
    products = gram(codes)
    count = len(candidates)
    outside = torch.ones(count, len(codes), dtype=torch.bool).scatter_(1, candidates, False)
    candidate, point = torch.nonzero(outside, as_tuple=True)
    squared = torch.zeros(count, len(codes), dtype=torch.float64)
    for part in torch.arange(len(point)).split(AT_ONCE):
        members, x = candidates[candidate[part]], point[part]
        inner = products[members[:, :, None], members[:, None, :]]
        squared[candidate[part], x] = squared_distances(inner, products[members, x[:, None]], products[x, x])
    return squared.clamp_min(0).sqrt()


def gram(codes: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    """Inner products of the points about their mean, in float64, with one constant added to all.

    The constant cancels wherever weights sum to one, and makes the products of points in general position regular.
    """
    x = codes.double() - codes.double().mean(0)
    products = x @ x.T
    return products + products.diagonal().mean().clamp_min(1e-300)


def squared_distances(
    inner: Float[Tensor, "p b b"], cross: Float[Tensor, "p b"], own: Float[Tensor, "p"]
) -> Float[Tensor, "p"]:
    """Squared distances of P points to P hulls, by the inner products of the hull's B points (`inner`), of them with
    the point (`cross`) and of the point with itself.
    """
    solved = nearest(inner, cross)
    return own + torch.einsum("pi,pi->p", solved, torch.einsum("pij,pj->pi", inner, solved) - 2 * cross)


def nearest(inner: Float[Tensor, "p b b"], cross: Float[Tensor, "p b"]) -> Float[Tensor, "p b"]:
    """The weights, none below 0 and in sum 1, of the points of P hulls that are nearest to P points, in float64.

    By the inner products of each hull's B points and of them with the point; both may have one constant added.

    A primal active-set method [Lawson and Hanson 1974; Wolfe 1976], all problems in step: begin at the nearest vertex,
    let in the vertex that the gradient wants most, and leave out those whose weight would turn negative. The inverse of
    the products of the members let in is kept and changed by one row at a time.
    """
    solved = torch.empty_like(cross)
    which = torch.arange(len(cross))
    inner = inner + RIDGE * torch.diag_embed(inner.diagonal(dim1=1, dim2=2))
    first = (inner.diagonal(dim1=1, dim2=2) - 2 * cross).argmin(1)
    p = torch.arange(len(cross))
    weights = torch.zeros_like(cross)
    weights[p, first] = 1
    inverse = torch.zeros_like(inner)
    inverse[p, first, first] = 1 / inner[p, first, first]
    active = weights > 0
    for _ in range(6 * cross.shape[1] + 20):
        wanted = _stationary(inverse, cross, active)
        negative = active & (wanted <= 0)
        blocked = negative.any(1)
        weights, leaving = _towards(weights, wanted, negative, blocked)
        gradient = torch.einsum("pij,pj->pi", inner, weights) - cross
        level = (gradient * weights).sum(1)
        lowest, entering = gradient.masked_fill(active, torch.inf).min(1)
        scale = inner.diagonal(dim1=1, dim2=2).amax(1)
        done = ~blocked & (lowest >= level - TOLERANCE * scale)
        if done.any():
            solved[which[done]] = weights[done]
            keep = ~done
            if not keep.any():
                break
            which, weights, active, blocked = which[keep], weights[keep], active[keep], blocked[keep]
            inverse, inner, cross = inverse[keep], inner[keep], cross[keep]
            leaving, entering = leaving[keep], entering[keep]
        changing = torch.where(blocked, leaving, entering)
        inverse = _changed(inverse, inner, changing, blocked)
        active = active.scatter(1, changing[:, None], ~blocked[:, None])
    else:
        solved[which] = weights
    return solved


def _stationary(
    inverse: Float[Tensor, "p b b"], cross: Float[Tensor, "p b"], active: Bool[Tensor, "p b"]
) -> Float[Tensor, "p b"]:
    """The best weights of the active members that sum to one, be they negative or not."""
    free = torch.einsum("pij,pj->pi", inverse, cross)
    shift = inverse.sum(2)
    total = shift.sum(1)
    wanted: Tensor = free + ((1 - free.sum(1)) / total)[:, None] * shift
    return wanted.masked_fill(~active, 0.0)


def _towards(
    weights: Float[Tensor, "p b"],
    wanted: Float[Tensor, "p b"],
    negative: Bool[Tensor, "p b"],
    blocked: Bool[Tensor, "p"],
) -> tuple[Float[Tensor, "p b"], Int[Tensor, "p"]]:
    """As far from `weights` to `wanted` as all stay above zero, and which member is then at zero."""
    room = torch.where(negative, weights / (weights - wanted).clamp_min(1e-300), torch.inf)
    share, leaving = room.min(1)
    share = torch.where(blocked, share.clamp(0, 1), 1.0)
    moved = weights + share[:, None] * (wanted - weights)
    at_zero = torch.zeros_like(negative).scatter(1, leaving[:, None], blocked[:, None])
    return moved.clamp_min(0).masked_fill(at_zero, 0.0), leaving


def _changed(
    inverse: Float[Tensor, "p b b"], inner: Float[Tensor, "p b b"], which: Int[Tensor, "p"], out: Bool[Tensor, "p"]
) -> Float[Tensor, "p b b"]:
    """The inverse after one member left (`out`) or came in, a change of rank one."""
    p = torch.arange(len(which))
    column = inner[p, :, which]
    projected = torch.einsum("pij,pj->pi", inverse, column)
    entering = projected.clone()
    entering[p, which] = -1
    rest = (column[p, which] - (projected * column).sum(1)).clamp_min(1e-300)
    direction = torch.where(out[:, None], inverse[p, :, which], entering)
    share = torch.where(out, -1 / inverse[p, which, which].clamp_min(1e-300), 1 / rest)
    changed = inverse + share[:, None, None] * direction[:, :, None] * direction[:, None, :]
    gone = torch.zeros_like(column, dtype=torch.bool).scatter(1, which[:, None], out[:, None])
    return changed.masked_fill(gone[:, :, None] | gone[:, None, :], 0.0)
