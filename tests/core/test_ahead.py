"""Work ahead of its reader: in order, bounded, errors where they belong."""

import threading
import time
from collections.abc import Iterator

import pytest

from selfsame.core.ahead import ahead


def test_results_come_in_order_whatever_takes_longer() -> None:
    def work(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item * item

    assert list(ahead(range(20), work, 3)) == [(i, i * i) for i in range(20)]
    assert list(ahead([], work, 3)) == []


def test_little_is_read_before_it_is_asked_for() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            drawn.append(i)
            yield i

    made = ahead(items(), lambda i: i, 2)
    assert next(made) == (0, 0) and len(drawn) == 4
    assert next(made) == (1, 1) and len(drawn) == 5


def test_an_error_is_raised_where_its_item_is_read_and_what_came_before_is_whole() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    read = []
    with pytest.raises(ValueError, match="three"):
        for item, _ in ahead(range(50), work, 2):
            read.append(item)
    assert read == [0, 1, 2]


def test_two_items_are_under_way_at_once() -> None:
    both = threading.Barrier(2, timeout=5)
    assert [made for _, made in ahead(range(4), lambda _: both.wait() >= 0, 2)] == [True] * 4
