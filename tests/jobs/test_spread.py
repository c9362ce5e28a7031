"""Work shared between processes and machines: each item once, none lost where workers and machines die."""

import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest

from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput, SelfsameError, WrongUse
from selfsame.jobs.spread import SETTINGS, STORE_BYTES, spread

Work = Callable[[int], None]
CELLS = 12
CELL_SECONDS = 0.7
QUICK_TO_NOTICE = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 300,
    "health_check_failure_threshold": 3,
}

# Work is made of closures: these travel by value, while workers cannot import tests.


def noting(folder: Path, threads: str = "OMP_NUM_THREADS") -> Work:
    """Leaves a line an item: which process did it, and with how many threads."""

    def work(item: int) -> None:
        handle = os.open(folder / str(item), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{os.getpid()} {os.environ.get(threads)}\n".encode())
        os.close(handle)

    return work


def failing(at: int) -> Work:
    def work(item: int) -> None:
        if item == at:
            raise BadInput(f"Photo {item} is dark.", "Take another.")

    return work


def dying(at: int) -> Work:
    def work(item: int) -> None:
        if item == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return work


def lines(folder: Path) -> dict[int, list[str]]:
    return {int(path.name): path.read_text().splitlines() for path in folder.iterdir()}


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    yield pytest.importorskip("ray")


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_do_each_item_once_and_tell(jobs: int, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    spread(noting(tmp_path), range(7), jobs, progress=lambda *step: told.append(step), what="people")
    assert told == [("people", done, 7) for done in range(8)]
    found = lines(tmp_path)
    assert sorted(found) == list(range(7)) and all(len(notes) == 1 for notes in found.values())
    here = {note.split()[0] == str(os.getpid()) for [note] in found.values()}
    assert here == {jobs == 1}
    if jobs > 1:
        assert {note.split()[1] for [note] in found.values()} == {"1"}


def test_nothing_to_do_is_done() -> None:
    told: list[tuple[str, int, int]] = []
    spread(failing(0), [], 2, progress=lambda *step: told.append(step))
    assert told == [("cells", 0, 0)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_work_is_raised_as_it_is(jobs: int) -> None:
    with pytest.raises(BadInput) as caught:
        spread(failing(2), range(5), jobs)
    assert type(caught.value) is BadInput and caught.value.mend == "Take another."


def test_a_killed_process_is_a_sentence() -> None:
    with pytest.raises(SelfsameError, match="fewer jobs"):
        spread(dying(1), range(4), 2)


@pytest.mark.parametrize("address", ["nowhere", "ray://", "ray://host", "host:", ":6379", "host:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(WrongUse, match="no address"):
        spread(failing(0), [1], 1, cluster=address)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_does_not_answer_is_refused_at_once(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(BadInput, match="No Ray cluster answers"):
        spread(failing(0), [1], 1, cluster=f"{scheme}127.0.0.1:{port}")


def test_without_ray_the_sentence_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"selfsame\[cluster\]"):
        spread(failing(0), [1], 1, cluster="local")


def test_a_local_cluster_does_each_item_once_and_ends(ray: ModuleType, tmp_path: Path) -> None:
    told: list[int] = []
    spread(noting(tmp_path), range(5), 2, cluster="local", progress=lambda _, done, total: told.append(done))
    assert told == list(range(6))
    found = lines(tmp_path)
    assert sorted(found) == list(range(5)) and all(len(notes) == 1 for notes in found.values())
    assert {note.split()[1] for [note] in found.values()} == {"1"}
    assert not ray.is_initialized()


@pytest.fixture
def two_machines(ray: ModuleType) -> Iterator[tuple[Any, Any]]:
    """A Ray cluster of two nodes with a CPU each, and the node that is not the head."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "_system_config": QUICK_TO_NOTICE})
    try:
        yield cluster, cluster.add_node(**node)
    finally:
        ray.shutdown()
        cluster.shutdown()


def cells(folder: Path) -> Work:
    """Cells as an evaluation's; the first worker that takes cell 3 dies of it. Beside them `log`: what happened."""

    def work(item: int) -> None:
        import ray

        def log(what: str) -> None:
            handle = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, f"{what} {item} {ray.get_runtime_context().get_node_id()}\n".encode())
            os.close(handle)

        cell = folder / f"{item}.cell"
        if cell.exists():
            return
        log("began")
        if item == 3 and not (folder / "killed").exists():
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(CELL_SECONDS)
        write_atomic(cell, f"cell {item}")
        log("wrote")

    return work


def happened(folder: Path) -> list[tuple[str, int, str]]:
    log = folder / "log"
    return [(a, int(b), c) for a, b, c in map(str.split, log.read_text().splitlines())] if log.exists() else []


def under_way(events: list[tuple[str, int, str]], node: str) -> set[int]:
    began, wrote = ({item for what, item, where in events if what == w and where == node} for w in ("began", "wrote"))
    return began - wrote


def test_killed_workers_and_lost_machines_lose_no_cell(
    ray: ModuleType, two_machines: tuple[Any, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, second = two_machines
    lost: set[int] = set()

    def lose_a_machine() -> None:
        """Once a worker was killed, and in the middle of a cell."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            time.sleep(0.02)
            events = happened(tmp_path)
            if (tmp_path / "killed").exists() and (current := under_way(events, second.node_id) - {3}):
                cluster.remove_node(second, allow_graceful=False)
                lost.update(current)
                return

    told: list[int] = []
    losing = Thread(target=lose_a_machine)
    losing.start()
    capsys.readouterr()
    spread(cells(tmp_path), range(CELLS), 1, cluster=cluster.address, progress=lambda _, done, total: told.append(done))
    losing.join()
    assert not capsys.readouterr().out, "standard output is for the command's answer"
    assert told == list(range(CELLS + 1))
    assert lost, "no machine was lost in the middle of a cell"
    assert {path.name for path in tmp_path.glob("*.cell")} == {f"{i}.cell" for i in range(CELLS)}
    assert all(path.read_text() == f"cell {path.stem}" for path in tmp_path.glob("*.cell"))
    began, wrote = (Counter(item for what, item, _ in happened(tmp_path) if what == w) for w in ("began", "wrote"))
    assert began[3] >= 2, "the killed worker's cell was not taken up again"
    assert all(began[item] == 1 for item in range(CELLS) if item not in lost | {3})
    # A worker of a lost machine may live long enough to end its cell, beside the one that does it again.
    assert all(wrote[item] == 1 for item in range(CELLS) if item not in lost)
    assert all(1 <= wrote[item] <= 2 for item in lost)


def test_an_error_on_a_cluster_is_raised_as_it_is(ray: ModuleType) -> None:
    with pytest.raises(BadInput) as caught:
        spread(failing(2), range(5), 1, cluster="local")
    assert type(caught.value) is BadInput and caught.value.mend == "Take another."
    assert not ray.is_initialized()
