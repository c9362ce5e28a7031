"""Work done ahead of its reader by a few threads, in order and with little waiting in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(items: Iterable[Item], work: Callable[[Item], Made], threads: int) -> Iterator[tuple[Item, Made]]:
    """Each item with what `work` makes of it, in order; at most twice `threads` items are under way or done and unread.

    What `work` raises is raised where its item is read; a reader that stops lets what is under way end.
    """
    waiting: deque[tuple[Item, Future[Made]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) >= 2 * threads:
                    first, made = waiting.popleft()
                    yield first, made.result()
            while waiting:
                first, made = waiting.popleft()
                yield first, made.result()
        finally:
            for _, made in waiting:
                made.cancel()
