"""Which old photos to keep for replay: published rules and ours, pure functions in one table.

Facts in the continual paper's code [sections 5.5 to 5.7]: a buffer is renewed from the pool of the newest session's
photos and what it held before; what has left it never comes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, product
from math import comb

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from selfsame.core import rng
from selfsame.core.errors import WrongUse
from selfsame.replay import hull

CANDIDATES = 5000  # sets of which ER-Hull keeps the best
TRIES = 20  # times as many draws, at most, to find that many different ones


@dataclass(frozen=True, eq=False)
class Pool:
    """N photos that a buffer may keep: their codes, their sessions, and how they arrived.

    `spread` is each photo's mean distance to all others of its session when that arrived (`spread`), `seen` how many
    photos had arrived before the newest session, which is `sessions.max()`; the others are what the buffer held.
    """

    codes: Float[Tensor, "n d"]
    sessions: Int[Tensor, "n"]
    spread: Float[Tensor, "n"]
    seen: int

    def __len__(self) -> int:
        return len(self.sessions)


Selector = Callable[[Pool, int, int], Int[Tensor, "k"]]
"""A pool, the size B of the buffer and a seed to the kept items, ascending."""


def spread(codes: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
    """The mean distance of each photo of a session to the others; 0 for a single one [mean_distances.json]."""
    apart = torch.cdist(codes.double(), codes.double())
    return apart.sum(1) / max(1, len(codes) - 1)


def keep(pool: Pool, size: int, method: str, seed: int) -> Int[Tensor, "k"]:
    """What a rule of SELECTORS or TRIED keeps of a pool: `size` items or, if there are fewer, all; bounds ignore it."""
    rule = TRIED.get(method) or checked(method)
    if size < 0:
        raise WrongUse(f"A buffer cannot hold {size} photos.", "Give 0 or more.")
    if rule not in (everything, nothing):
        rule = nothing if size == 0 else everything if size >= len(pool) else rule
    return rule(pool, size, seed).sort().values


def checked(method: str) -> Selector:
    """The rule of SELECTORS with this name; raises WrongUse where there is none."""
    if method not in SELECTORS:
        raise WrongUse(f"There is no selection called {method}.", f"Choose one of {', '.join(SELECTORS)}.")
    return SELECTORS[method]


def random(pool: Pool, size: int, seed: int) -> Int[Tensor, "k"]:
    """ER-Rand: as many different sessions as possible, otherwise at random [section 5.5]."""
    return draw(pool.sessions, size, 1, rng.generator(seed, "ER-Rand"))[0]


def draw(sessions: Int[Tensor, "n"], size: int, count: int, g: torch.Generator) -> Int[Tensor, "c k"]:
    """`count` independent draws of ER-Rand: rounds through the sessions in random order, a random item of each."""
    kinds, session = sessions.unique(return_inverse=True)
    item = torch.rand(count, len(sessions), generator=g)
    turn = torch.rand(count, len(kinds), generator=g)[:, session]
    place = torch.empty(count, len(sessions))  # of an item among its session's, by chance
    for kind in range(len(kinds)):
        of = torch.nonzero(session == kind).flatten()
        place[:, of] = item[:, of].argsort(1).argsort(1).float()
    return (place + turn).argsort(1)[:, :size]  # whole rounds first, inside a round the session's turn


def er_hull(pool: Pool, size: int, seed: int) -> Int[Tensor, "k"]:
    """ER-Hull: of many sets that ER-Rand could draw the one whose hull lies nearest to the rest [section 5.6]."""
    sets = candidates(pool.sessions, size, rng.generator(seed, "ER-Hull"))
    return sets[hull_score(pool, sets).argmin()]


def candidates(sessions: Int[Tensor, "n"], size: int, g: torch.Generator) -> Int[Tensor, "c k"]:
    """The sets that ER-Hull compares [section 5.6].

    With no more room than sessions, CANDIDATES draws of ER-Rand. With more, every set with equal shares of the sessions
    (one more or less), or where these are too many CANDIDATES different draws.
    """
    kinds, counts = sessions.unique(return_counts=True)
    if size <= len(kinds):
        return draw(sessions, size, CANDIDATES, g)
    share, more = divmod(size, len(kinds))
    items = [torch.nonzero(sessions == kind).flatten().tolist() for kind in kinds.tolist()]
    shares = [
        tuple(share + (kind in given) for kind in range(len(kinds))) for given in combinations(range(len(kinds)), more)
    ]
    total = sum(int(np.prod([comb(int(n), k) for n, k in zip(counts, ks, strict=True)], dtype=object)) for ks in shares)
    if 0 < total <= CANDIDATES:
        sets = [
            sum(chosen, ())
            for ks in shares
            for chosen in product(*(combinations(of, k) for of, k in zip(items, ks, strict=True)))
        ]
        return torch.tensor(sets)
    found: dict[tuple[int, ...], None] = {}
    for _ in range(TRIES):
        found |= dict.fromkeys(map(tuple, draw(sessions, size, CANDIDATES, g).sort(1).values.tolist()))
        if len(found) >= CANDIDATES:
            break
    return torch.tensor(list(found)[:CANDIDATES])


def hull_score(pool: Pool, sets: Int[Tensor, "c k"]) -> Float[Tensor, "c"]:
    """Mean distance of what is left out to the hull of what is kept, averaged by session [section 5.6].

    Of a session that is kept whole counts how far its items lie from each other.
    """
    apart = hull.distances(pool.codes, sets)
    kept = torch.zeros(apart.shape, dtype=torch.bool).scatter_(1, sets, True)
    rows = []
    for kind in pool.sessions.unique():
        of = pool.sessions == kind
        left = (~kept & of).sum(1)
        mean = apart[:, of].sum(1) / left.clamp_min(1)
        rows.append(torch.where(left > 0, mean, pool.spread[of].double().mean()))
    return torch.stack(rows).mean(0)


def kmeans(pool: Pool, size: int, seed: int) -> Int[Tensor, "k"]:
    """KMeans-B: the item nearest to the middle of each of B clusters; sessions are not looked at [section 5.7]."""
    from sklearn.cluster import KMeans

    x = pool.codes.double().numpy()
    centres = KMeans(size, random_state=seed % 2**32, n_init="auto").fit(x).cluster_centers_
    apart = torch.cdist(torch.from_numpy(centres), torch.from_numpy(x))
    chosen: list[int] = []
    for row in apart:
        row[chosen] = torch.inf
        chosen.append(int(row.argmin()))
    return torch.tensor(chosen)


def gdumb(pool: Pool, size: int, seed: int) -> Int[Tensor, "k"]:
    """GDumb-B: new items in random order take the place of a random one of the session that has most [section 5.7].

    Of sessions that have equally many the oldest gives way; so with fewer places than sessions the last ones are held.
    """
    g = rng.generator(seed, "GDumb")
    newest = pool.sessions == pool.sessions.max()
    arrived = torch.nonzero(newest).flatten()
    kept = torch.nonzero(~newest).flatten().tolist()
    while len(kept) > size:  # there was more room before: the sessions that have most give way
        kept.pop(_of_largest(pool.sessions[kept], g))
    for item in arrived[torch.randperm(len(arrived), generator=g)].tolist():
        if len(kept) < size:
            kept.append(item)
            continue
        held = pool.sessions[torch.tensor(kept)]
        if int((held == pool.sessions[item]).sum()) + 1 > int(held.unique(return_counts=True)[1].max()):
            continue
        kept[_of_largest(held, g)] = item
    return torch.tensor(kept)


def _of_largest(held: Int[Tensor, "n"], g: torch.Generator) -> int:
    """The place of a random item of the session that has most."""
    kinds, counts = held.unique(return_counts=True)
    largest = torch.nonzero(held == kinds[counts.argmax()]).flatten()
    return int(largest[torch.randint(len(largest), (1,), generator=g)])


def reservoir(pool: Pool, size: int, seed: int) -> Int[Tensor, "k"]:
    """Reservoir sampling: each photo that ever arrived is kept with equal chance [Vitter 1985, algorithm R]."""
    g = rng.generator(seed, "reservoir")
    newest = pool.sessions == pool.sessions.max()
    kept = torch.nonzero(~newest).flatten().tolist()
    if len(kept) > size:  # there was more room before
        kept = [kept[i] for i in torch.randperm(len(kept), generator=g)[:size].tolist()]
    for number, item in enumerate(torch.nonzero(newest).flatten().tolist(), pool.seen):
        place = number if len(kept) < size else int(torch.randint(number + 1, (1,), generator=g))
        if len(kept) < size:
            kept.append(item)
        elif place < size:
            kept[place] = item
    return torch.tensor(kept)


def herding(pool: Pool, size: int, seed: int) -> Int[Tensor, "k"]:
    """Rounds through the sessions, newest first, each giving the item that keeps the mean of its kept codes nearest to
    the mean of all it has in the pool [iCaRL, Rebuffi et al. 2017, by session].
    """
    kept: list[int] = []
    while len(kept) < size:
        for kind in pool.sessions.unique().flip(0).tolist():
            of = torch.nonzero(pool.sessions == kind).flatten()
            mine = [i for i in kept if int(pool.sessions[i]) == kind]
            free = torch.tensor([i for i in of.tolist() if i not in mine], dtype=torch.long)
            if len(free) and len(kept) < size:
                so_far = pool.codes[mine].sum(0) if mine else 0.0
                mean = (so_far + pool.codes[free]) / (len(mine) + 1)
                kept.append(int(free[(mean - pool.codes[of].mean(0)).norm(dim=1).argmin()]))
    return torch.tensor(kept)


def volume(pool: Pool, size: int, seed: int) -> Int[Tensor, "k"]:
    """Grow a large hull: rounds through the sessions, each time the item farthest from the hull of those kept so far.

    The project page of ER-Hull speaks of the hull's volume; its code does not look at it.
    """
    kept = [int((pool.codes - pool.codes.mean(0)).norm(dim=1).argmax())]
    while len(kept) < size:
        counts = {kind: sum(int(pool.sessions[i]) == kind for i in kept) for kind in pool.sessions.unique().tolist()}
        free = [i for i in range(len(pool)) if i not in kept]
        least = min(counts[int(pool.sessions[i])] for i in free)
        allowed = torch.tensor([i for i in free if counts[int(pool.sessions[i])] == least])
        apart = hull.distances(pool.codes, torch.tensor([kept]))[0]
        kept.append(int(allowed[apart[allowed].argmax()]))
    return torch.tensor(kept)


def everything(pool: Pool, size: int, seed: int) -> Int[Tensor, "k"]:
    """All photos, whatever the size: what no buffer can beat."""
    return torch.arange(len(pool))


def nothing(pool: Pool, size: int, seed: int) -> Int[Tensor, "k"]:
    """No photo: plain fine-tuning, session after session."""
    return torch.empty(0, dtype=torch.long)


SELECTORS: dict[str, Selector] = {
    "random": random,
    "hull": er_hull,
    "kmeans": kmeans,
    "gdumb": gdumb,
    "reservoir": reservoir,
    "all": everything,
    "none": nothing,
}
TRIED: dict[str, Selector] = {"herding": herding, "volume": volume}
"""Rules of our own, for `reproduce continual` alone: its table shows neither better than random."""
