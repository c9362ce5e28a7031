"""No file makes the reader run anything, fills the memory or takes forever: each is refused in one sentence."""

import json
import os
import pickletools
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hostile_files import BOMBS, CANARY, FOOLS, RUNS, SLEEPERS, persistent
from pickle_parts import legacy, list_of, network, pickled, text

from selfsame.convert import archive, kinds
from selfsame.convert.networks import Converted
from selfsame.core.errors import BadInput
from selfsame.nets.stylegan2 import StyleGAN2, StyleGAN2Config

TESTS = Path(__file__).parents[1]
MOST_BYTES, MOST_SECONDS = 2**30, 15  # the hungriest takes 0.2 GiB, the slowest 1.5 s on one core of ours
SMALL = StyleGAN2Config(8, 4, 4, 2, 32, 4)


def use(path: Path) -> Converted:
    """Everything that the program does to a foreign file."""
    value = archive.open_file(path)
    return kinds.KINDS[kinds.recognise(value)].convert(value, value)


def refusal(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(BadInput) as caught:
        use(path)
    return str(caught.value)


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where hostile code would leave its name."""
    monkeypatch.setenv(CANARY, str(tmp_path / "canary"))
    return tmp_path / "canary"


@pytest.mark.parametrize("what", RUNS)
def test_what_would_run_is_refused_by_name_and_does_not(what: str, tmp_path: Path, canary: Path) -> None:
    build, says = RUNS[what]
    assert says in refusal(tmp_path / "file.pt", build(what))
    assert not canary.exists()


LOAD_ALL = """
import pickle, sys, torch
from pathlib import Path
for path in sorted(Path(sys.argv[1]).glob("*.pt")):
    for load in (pickle.load, lambda file: torch.load(file, weights_only=False)):
        try:
            load(path.open("rb"))
        except Exception:
            pass
"""


def test_the_same_files_do_run_in_python_itself(tmp_path: Path, canary: Path) -> None:
    for i, (what, (build, _)) in enumerate(RUNS.items()):
        (tmp_path / f"{i}.pt").write_bytes(build(what))
    for module, source in {
        "torch_utils/persistence.py": "def _reconstruct_persistent_obj(meta): exec(meta['module_src'], {})",
        "training/evil.py": "Run = eval",
    }.items():
        path = tmp_path / module
        path.parent.mkdir()
        path.write_text(source)
    subprocess.run([sys.executable, "-c", LOAD_ALL, str(tmp_path)], cwd=tmp_path, check=True, capture_output=True)
    assert set(RUNS) - set(canary.read_text().splitlines()) == set()


@pytest.mark.parametrize("dotted", SLEEPERS)
def test_names_that_have_done_harm_elsewhere_are_named(dotted: str, tmp_path: Path) -> None:
    data, says = SLEEPERS[dotted]
    assert says in refusal(tmp_path / "file.pt", data)


@pytest.mark.parametrize("what", FOOLS)
def test_a_file_that_lies_is_refused_in_one_short_line(what: str, tmp_path: Path) -> None:
    data, says = FOOLS[what]
    message = refusal(tmp_path / "file.pt", data)
    assert re.search(says, message)
    assert message.isprintable() and len(message) < 600


def test_a_network_that_brings_source_text_is_converted_and_the_text_is_not_run(tmp_path: Path, canary: Path) -> None:
    net = StyleGAN2(SMALL)
    state, numbers = network(net)
    (tmp_path / "file.pkl").write_bytes(legacy(persistent(state, "run", "Generator"), list_of(text("0")), numbers))
    found = use(tmp_path / "file.pkl").parts["prior"]
    assert found.config == SMALL
    assert all(torch.equal(found.tensors[name], t) for name, t in net.state_dict().items())
    assert not canary.exists()


def test_a_file_cut_at_any_opcode_is_damaged(tmp_path: Path) -> None:
    whole = pickled(persistent(network(StyleGAN2(SMALL))[0], "run"))
    places = [at for _, _, at in pickletools.genops(whole) if at]
    for at in {*places[:300], *places[::97]}:
        assert "damaged or cut short" in refusal(tmp_path / "file.pkl", whole[:at])


READ_BOMBS = """
import json, resource, sys, time
from pathlib import Path
import torch
from hostile_files import BOMBS
from selfsame.convert import archive, kinds
from selfsame.core.errors import BadInput

def peak():  # not ru_maxrss, which a process inherits from the one that started it
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

def said(path):
    try:
        value = archive.open_file(path)
        kinds.KINDS[kinds.recognise(value)].convert(value, value)
    except BadInput as error:
        return str(error)

path, before = Path(sys.argv[1]), peak()
for what in BOMBS:
    path.write_bytes(BOMBS[what]())
    resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
    begin = time.process_time()
    print(json.dumps([what, said(path), time.process_time() - begin, peak() - before]), flush=True)
"""


def test_bombs_neither_fill_the_memory_nor_take_long(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", READ_BOMBS, str(tmp_path / "bomb.pt")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    read = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(read) == len(BOMBS), done.stderr
    assert [what for what, said, _, _ in read if not said] == []
    assert max(grown for _, _, _, grown in read) < MOST_BYTES
    assert max(seconds for _, _, seconds, _ in read) < MOST_SECONDS
