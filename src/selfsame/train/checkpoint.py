"""The whole state of a run in one safetensors file, written atomically: no pickle, nothing half written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn
from torch.optim import Optimizer

from selfsame.core.config import write_atomic
from selfsame.core.errors import BadInput

Part = nn.Module | Optimizer | Mapping[str, Tensor]
"""What a run changes: a network, an optimizer, or named tensors that are changed in place."""

State = Mapping[str, Part]


def save(path: Path, state: State, facts: Mapping[str, Any]) -> None:
    """Write every tensor of `state`, and in the header the optimizers' numbers and `facts` (JSON)."""
    tensors: dict[str, Tensor] = {}
    groups: dict[str, Any] = {}
    for name, part in state.items():
        if isinstance(part, Optimizer):
            groups[name] = part.state_dict()["param_groups"]
        tensors |= {f"{name}/{key}": _copy(tensor) for key, tensor in named(part).items()}
    header = {"facts": dict(facts), "groups": groups, "parts": sorted(state)}
    write_atomic(path, to_safetensors(tensors, {"header": json.dumps(header)}))  # several keys come in random order


def restore(path: Path, state: State) -> dict[str, Any]:
    """Put a checkpoint back into `state`, in place, and return its facts.

    Raises BadInput where the file is damaged or holds other tensors than `state`.
    """
    tensors, header = _read(path)
    if header["parts"] != sorted(state):
        raise _of_another_run(path, "state")
    for name, part in state.items():
        own = {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")}
        if isinstance(part, Optimizer):
            _load_optimizer(part, _join(own, header["groups"][name]), path, name)
        else:
            _copy_into(named(part), own, path, name)
    facts: dict[str, Any] = header["facts"]
    return facts


def named(part: Part) -> Mapping[str, Tensor]:
    """The tensors of a part by name, those of an optimizer as `index/exp_avg`, `index/step` and so on."""
    if isinstance(part, Optimizer):
        moments = part.state_dict()["state"]
        return {f"{index}/{key}": value for index, one in moments.items() for key, value in one.items()}
    return part.state_dict() if isinstance(part, nn.Module) else part


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


@torch.no_grad()
def _copy_into(targets: Mapping[str, Tensor], saved: Mapping[str, Tensor], path: Path, name: str) -> None:
    shapes = {key: tensor.shape for key, tensor in targets.items()}
    if shapes != {key: tensor.shape for key, tensor in saved.items()}:
        raise _of_another_run(path, name)
    for key, target in targets.items():
        target.copy_(saved[key])


def _load_optimizer(optimizer: Optimizer, state: dict[str, Any], path: Path, name: str) -> None:
    try:
        optimizer.load_state_dict(state)
    except ValueError as error:
        raise _of_another_run(path, name) from error


def _join(moments: Mapping[str, Tensor], groups: list[dict[str, Any]]) -> dict[str, Any]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = value
    return {"state": state, "param_groups": groups}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, Any] = json.loads(file.metadata()["header"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is damaged.", "Delete it to start the run anew.") from error
    return tensors, header


def _of_another_run(path: Path, name: str) -> BadInput:
    return BadInput(f"{path} holds another {name} than this run.", "Start it in a new folder.")
