"""Work shared between processes of this machine by joblib, or between machines by Ray: one call, results in files."""

import os
import socket
import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from itertools import islice
from typing import Any, TypeVar

from selfsame.core.errors import BadInput, SelfsameError, WrongUse
from selfsame.jobs.progress import Progress, silent

Item = TypeVar("Item")

RETRIES = 5  # of an item whose process or machine died
IN_FLIGHT = 2  # tasks a CPU: one runs, the next is at hand when it ends
STORE_BYTES = 80 * 2**20  # Ray's least is 75 MiB, and nothing large goes through its store
KNOCK_SECONDS = 10
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}
# No statistics sent anywhere; and under `uv run` workers are ordinary Pythons: Ray would pack the folder one stands in,
# send it to every machine and call uv there.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


def spread(
    work: Callable[[Item], None],
    items: Sequence[Item],
    jobs: int,
    *,
    cluster: str | None = None,
    progress: Progress = silent,
    what: str = "cells",
) -> None:
    """Call `work` for every item, in no fixed order; `progress(what, done, total)` follows each that is done.

    Nothing comes back: `work` writes its results to files, whole or not at all (`write_atomic`), and leaves alone what
    has a file. So the same call again goes on after a stop, and an item may be done twice: when a machine dies between
    an item's end and its report, Ray gives the item to another.

    Without `cluster`, `jobs` processes of this machine share the items, one thread each; one job is this very process,
    with the threads that it has. `cluster` is the address of a Ray cluster (`host:6379`, `ray://host:10001`, `auto` for
    the one that this machine belongs to), or `local` for one of `jobs` CPUs that lives as long as the call. Each of its
    CPUs takes an item at a time, with one thread; an item whose process or machine dies is done by another. All its
    machines need the same selfsame and the same folder under the same absolute path, as on a shared disk. A connection
    to Ray that is open already is used and left open.

    An error of `work` is raised as it is, and what has not ended is stopped. Raises SelfsameError where processes keep
    dying, BadInput where Ray is missing or does not answer, WrongUse for an address that is none.
    """
    progress(what, 0, len(items))
    with closing(_by_joblib(work, items, jobs) if cluster is None else _by_ray(work, items, jobs, cluster)) as ended:
        for done, _ in enumerate(ended, 1):
            progress(what, done, len(items))


def _by_joblib(work: Callable[[Item], None], items: Sequence[Item], jobs: int) -> Generator[None, None, None]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import BrokenProcessPool

    calls = [delayed(work)(item) for item in items]
    # A worker that has grown makes way for a new one between two items; nothing is lost, and nobody need hear of it.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    try:
        with parallel_config(backend="loky", inner_max_num_threads=1):
            yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(calls)
    except BrokenProcessPool as error:
        raise _died() from error


def _by_ray(
    work: Callable[[Item], None], items: Sequence[Item], jobs: int, cluster: str
) -> Generator[None, None, None]:
    with _connected(cluster, jobs) as ray:
        alone = {"num_cpus": 1, "max_retries": RETRIES, "retry_exceptions": False}
        task = ray.remote(**alone, runtime_env={"env_vars": ONE_THREAD})(_do)
        waiting = iter(items)
        running: list[Any] = []
        try:
            while True:
                # Asked anew each time: clusters grow, and lose machines.
                room = IN_FLIGHT * max(int(ray.cluster_resources().get("CPU", 0)), 1) - len(running)
                running += [task.remote(work, item) for item in islice(waiting, max(room, 0))]
                if not running:
                    return
                ended, running = ray.wait(running)
                ray.get(ended)
                yield
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayError as error:
            raise _died() from error
        finally:
            for left in running:
                ray.cancel(left, force=True)


def _do(work: Callable[[Item], None], item: Item) -> None:
    work(item)


def _died() -> SelfsameError:
    return SelfsameError(
        "A process of the work died again and again, or with its fellows; perhaps memory ran out.",
        "Give the same command again, with fewer jobs: it goes on.",
    )


@contextmanager
def _connected(cluster: str, jobs: int) -> Iterator[Any]:
    """The module `ray` while it is connected."""
    if cluster not in ("local", "auto"):
        _knock(cluster)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)  # read when ray is imported
    try:
        import ray
    except ImportError as error:
        raise BadInput("Ray is not installed.", "Install it: pip install 'selfsame[cluster]'.") from error
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": "error"}
    # Ray tells of dead workers on standard output, which is for the one JSON object that other programs read.
    with redirect_stdout(sys.stderr):
        if cluster == "local":
            small = {"num_cpus": jobs, "object_store_memory": STORE_BYTES, "include_dashboard": False}
            ray.init(address="local", **small, **quiet)
        else:
            try:
                ray.init(address=cluster, **quiet)
            except (ConnectionError, RuntimeError) as error:
                raise _no_cluster(cluster, str(error).partition("\n")[0]) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _knock(cluster: str) -> None:
    """Refuse an address where nothing listens: Ray itself would try for minutes, and then end this process."""
    host, _, port = cluster.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise WrongUse(
            f"{cluster!r} is no address of a Ray cluster.", "Give host:6379, ray://host:10001, auto or local."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(cluster, str(error)) from error


def _no_cluster(cluster: str, why: str) -> BadInput:
    return BadInput(
        f"No Ray cluster answers at {cluster} ({why.rstrip('.')}).",
        "Start one with `ray start --head`, or leave --cluster out.",
    )
