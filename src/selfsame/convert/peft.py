"""Low-rank weights under the names of PEFT: `adapter_model.safetensors` with `adapter_config.json` beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from selfsame.convert.networks import Converted, Part, named
from selfsame.core.config import from_json
from selfsame.core.errors import BadInput
from selfsame.core.weights import Card
from selfsame.nets.lora import LowRankConfig

TENSORS_FILE, CONFIG_FILE = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."
ENDS = {".weight.a": ".lora_A.weight", ".weight.b": ".lora_B.weight"}


def published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Factors as PEFT names them; what trained beside them (biases, noise strengths, the constant) keeps its name."""
    return {PREFIX + _swap(name, ENDS): tensor.contiguous() for name, tensor in tensors.items()}


def adapter(value: Any) -> Converted:
    """The way back; what the weights belong to stands on the card in adapter_config.json."""
    back = {theirs: ours for ours, theirs in ENDS.items()}
    tensors = {_swap(name.removeprefix(PREFIX), back): tensor for name, tensor in named(value).items()}
    return Converted({"low-rank": Part(None, tensors, {})})


def _swap(name: str, ends: Mapping[str, str]) -> str:
    for end, other in ends.items():
        if name.endswith(end):
            return name.removesuffix(end) + other
    return name


def config(tensors: Mapping[str, Tensor], low_rank: LowRankConfig, prior_digest: str, card: str) -> str:
    """The text of adapter_config.json, with our card inside."""
    layers = sorted({n.removeprefix(PREFIX).split(".lora_")[0] for n in tensors if ".lora_" in n})
    record: dict[str, Any] = {
        "peft_type": "LORA", "r": low_rank.rank, "lora_alpha": low_rank.alpha, "lora_dropout": 0.0, "bias": "all",
        "target_modules": layers, "base_model_name_or_path": prior_digest, "inference_mode": True,
        "selfsame": json.loads(card),
    }  # fmt: skip
    return json.dumps(record, indent=2) + "\n"


def card_beside(file: Path) -> Card:
    """The card in the adapter_config.json beside a file; raises BadInput where there is none of ours."""
    path = file.parent / CONFIG_FILE
    try:
        return from_json(Card, json.dumps(json.loads(path.read_text())["selfsame"]), f"The card in {path}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(
            f"{path} does not tell what these low-rank weights belong to.",
            "Only an adapter that selfsame exported can be imported.",
        ) from error
