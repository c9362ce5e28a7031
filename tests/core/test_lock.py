"""One writer at a time, with real processes that end well, badly, and not at all."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from selfsame.core import lock
from selfsame.core.errors import BadInput
from selfsame.core.lock import LOCK_FILE, holding

HOLD = """
import sys, time
from pathlib import Path
from selfsame.core.lock import holding
with holding(Path(sys.argv[1]), "adding photos to ada"):
    print("held", flush=True)
    time.sleep(60)
"""
COUNT = """
import sys
from pathlib import Path
from selfsame.core.lock import holding
folder = Path(sys.argv[1])
for _ in range(40):
    with holding(folder, "counting", wait=True):
        file = folder / "count"
        number = int(file.read_text())
        file.write_text("")  # what another reads who does not wait
        file.write_text(str(number + 1))
"""


def started(code: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)


def holder(folder: Path) -> "subprocess.Popen[str]":
    process = started(HOLD, folder)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_has_it_until_the_first_is_killed(tmp_path: Path) -> None:
    first = holder(tmp_path)
    try:
        with (
            pytest.raises(BadInput, match=rf"^Another run is adding photos to ada \(process {first.pid}\)\. Wait for"),
            holding(tmp_path, "fitting"),
        ):
            pytest.fail("two hold it")
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    with holding(tmp_path, "fitting"):  # the words of the dead are still in the file
        assert f'"process": {os.getpid()}' in (tmp_path / LOCK_FILE).read_text()
    assert (tmp_path / LOCK_FILE).read_text() == ""


def test_who_waits_goes_on_when_the_first_is_killed(tmp_path: Path) -> None:
    first = holder(tmp_path)
    timer = threading.Timer(0.3, first.kill)
    timer.start()
    begun = time.monotonic()
    with holding(tmp_path, "fitting", wait=True):
        assert time.monotonic() - begun > 0.2
    timer.join()
    first.wait()


def test_processes_that_wait_lose_no_count(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    processes = [started(COUNT, tmp_path) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "120"


def test_threads_exclude_each_other_and_one_thread_may_hold_it_twice(tmp_path: Path) -> None:
    answers: list[str] = []

    def other() -> None:
        try:
            with holding(tmp_path, "fitting"):
                answers.append("held")
        except BadInput as error:
            answers.append(error.what)

    def ask() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    with holding(tmp_path, "updating ada"):
        with holding(tmp_path, "adding photos to ada"):
            ask()
        ask()  # the inner block has not let go
    ask()
    said = f"Another run is updating ada (process {os.getpid()})."
    assert answers == [said, said, "held"]


def test_a_failure_inside_lets_go(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), holding(tmp_path, "failing"):
        raise RuntimeError
    first = holder(tmp_path)
    first.kill()
    first.wait()


@pytest.mark.parametrize("made_again", [True, False])
def test_a_lock_on_a_removed_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_again: bool) -> None:
    """Who opened the file before it was removed must not believe to hold what a newer file guards."""
    others: list[subprocess.Popen[str]] = []
    honest = lock._try

    def late(handle: int) -> bool:
        if not others:
            (tmp_path / LOCK_FILE).unlink()
            others.append(holder(tmp_path) if made_again else started("", tmp_path))
        return honest(handle)

    monkeypatch.setattr(lock, "_try", late)
    if made_again:
        with pytest.raises(BadInput, match="adding photos"), holding(tmp_path, "two"):
            pytest.fail("held beside another")
    else:
        with holding(tmp_path, "two"):
            assert "two" in (tmp_path / LOCK_FILE).read_text()
    others[0].kill()
    others[0].wait()


def test_who_waits_for_a_folder_that_goes_away_is_told(tmp_path: Path) -> None:
    folder, gone = tmp_path / "ada", tmp_path / "gone"
    folder.mkdir()
    first = holder(folder)
    timer = threading.Timer(0.2, lambda: folder.rename(gone))
    timer.start()
    with pytest.raises(BadInput, match="is not there"), holding(folder, "adding", wait=True):
        pytest.fail("held what is gone")
    timer.join()
    first.kill()
    first.wait()
    assert not folder.exists()


def test_words_of_another_make_are_no_harm(tmp_path: Path) -> None:
    first = holder(tmp_path)
    (tmp_path / LOCK_FILE).write_bytes(b"\xff{")
    with pytest.raises(BadInput, match=f"Another run is at work in {tmp_path}"), holding(tmp_path, "x"):
        pytest.fail("two hold it")
    first.kill()
    first.wait()


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "ada" / LOCK_FILE).symlink_to(tmp_path / "precious")
    with pytest.raises(BadInput, match="cannot be written"), holding(tmp_path / "ada", "x"):
        pytest.fail("held a link")
    assert (tmp_path / "precious").read_text() == "mine"
