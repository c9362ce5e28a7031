"""The published networks, number for number: each case of tests/parity with weights by formula."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from selfsame.core.camera import Camera
from selfsame.core.rng import generator
from selfsame.nets import lora
from selfsame.nets.age import AgeJudge, DexVgg
from selfsame.nets.age_adapter import AgeAdapter
from selfsame.nets.encoder import PSP, SAM_AGE, EncoderConfig, GradualStyleEncoder
from selfsame.nets.iresnet import IResNet
from selfsame.nets.stylegan2 import (
    STYLEGAN2_256,
    STYLEGAN2_FFHQ1024,
    Discriminator,
    DiscriminatorConfig,
    StyleGAN2,
    StyleGAN2Config,
)
from selfsame.nets.triplane import EG3D_FFHQ512, TriPlane

FOLDER = Path(__file__).parents[1] / "parity"
TOLERANCE = 1e-3  # of the output's standard deviation

_spec = importlib.util.spec_from_file_location("parity_formula", FOLDER / "formula.py")
assert _spec is not None
assert _spec.loader is not None
formula = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(formula)


def read(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


def tensors(case: dict) -> dict[str, torch.Tensor]:
    salt = case["salt"]
    return {
        key: torch.from_numpy(formula.fill(f"{salt}:{key}", tuple(shape), mean, scale))
        for key, shape, mean, scale in case["tensors"]
    }


def filled(name: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(formula.fill(name, shape))


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def check(case: dict, name: str, value: torch.Tensor) -> None:
    output = next(o for o in case["outputs"] if o["name"] == name)
    assert value.numel() == np.prod(output["shape"])
    flat = value.detach().reshape(-1)
    assert (formula.sample(name, flat.numel()) == output["at"]).all()
    error = (flat[output["at"]] - torch.tensor(output["values"])).abs().max() / output["std"]
    assert error < TOLERANCE, f"{name}: {error:.2e} of the standard deviation"


def camera(numbers: list[float]) -> Camera:
    return Camera.unpack(torch.tensor([numbers]))


def load(model: nn.Module, case: dict) -> None:
    """The case's tensors into a model on the meta device, whose batch norms count no batches yet."""
    missing, unexpected = model.load_state_dict(tensors(case), strict=False, assign=True)
    assert not unexpected
    assert all(key.endswith("num_batches_tracked") for key in missing)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.num_batches_tracked = torch.tensor(0)


@pytest.fixture(scope="module")
def eg3d() -> TriPlane:
    with torch.device("meta"):  # spares drawing 30 million random numbers
        model = TriPlane(EG3D_FFHQ512)
    missing, unexpected = model.load_state_dict(tensors(read("eg3d_ffhq512")), assign=True)
    assert not missing
    assert not unexpected
    return model.eval()


@torch.no_grad()
def test_eg3d(eg3d: TriPlane) -> None:
    case = read("eg3d_ffhq512")
    inputs = case["inputs"]
    assert count(eg3d) == case["parameters"] == 30_662_136
    assert {part: count(getattr(eg3d, part)) for part in case["parameters_by_part"]} == case["parameters_by_part"]
    w_plus = eg3d.map(filled("eg3d:z", 1, 512), camera(inputs["conditioning_camera"]), psi=0.7, cutoff=14)
    check(case, "ws", w_plus)
    check(case, "planes", eg3d.planes(w_plus))
    view = camera(inputs["render_camera"])
    for mode, importance_samples in (("coarse", 0), ("fine", 48)):
        seen = eg3d(w_plus, view, importance_samples=importance_samples)
        check(case, f"{mode}_image_raw", seen.raw)
        check(case, f"{mode}_image_depth", seen.depth)
        check(case, f"{mode}_image", seen.image)


WRAPPERS = {"synthesis_block", "synthesis_layer", "to_rgb_layer", "superresolution_module"}


def own_name(published: str) -> str:
    """My3DGen's wrappers out of the key, its lora_A and lora_B to the factors of the weight."""
    parts = [
        part for part in published.replace("synthesis.synthesis.", "synthesis.").split(".") if part not in WRAPPERS
    ]
    return ".".join([*parts[:-1], "weight", parts[-1].removeprefix("lora_").lower()])


@torch.no_grad()
def test_my3dgen_low_rank(eg3d: TriPlane) -> None:
    case = read("my3dgen_lora_r1")
    model = lora.add_low_rank(eg3d, lora.MY3DGEN, generator(0, "low rank"))
    factors = {own_name(key): value for key, value in tensors(case).items()}
    assert sum(f.numel() for f in factors.values()) == lora.low_rank_count(model) == case["low_rank_numbers"]
    lora.load(model, lora.state(model) | factors)
    w_plus = model.map(filled("eg3d:z", 1, 512), camera(case["inputs"]["conditioning_camera"]), psi=0.7, cutoff=14)
    check(case, "lora_planes", model.planes(w_plus))
    seen = model(w_plus, camera(case["inputs"]["render_camera"]), importance_samples=0)
    check(case, "lora_image_raw", seen.raw)
    check(case, "lora_image_depth", seen.depth)
    check(case, "lora_image", seen.image)


@pytest.mark.parametrize(
    ("name", "config"), [("stylegan2_nvidia_256", STYLEGAN2_256), ("stylegan2_nvidia_1024", STYLEGAN2_FFHQ1024)]
)
@torch.no_grad()
def test_stylegan2(name: str, config: StyleGAN2Config) -> None:
    case = read(name)
    with torch.device("meta"):
        model = StyleGAN2(config)
    model.load_state_dict(tensors(case), assign=True)
    assert count(model) == case["parameters"]
    w_plus = model.map(filled(f"{case['salt']}:z", 2, 512), psi=0.7)
    check(case, "ws", w_plus)
    check(case, "image", model(w_plus))


@torch.no_grad()
def test_discriminator() -> None:
    case = read("stylegan2_discriminator_256")
    with torch.device("meta"):
        model = Discriminator(DiscriminatorConfig(256, channel_base=16384))
    model.load_state_dict(tensors(case), assign=True)
    output = case["outputs"][0]
    assert output["std"] < 1e-3 < abs(output["mean"])  # both logits nearly equal: hold each to 1e-5 of its size
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        logits = model(filled("stylegan2-d-256:x", 2, 3, 256, 256))
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(logits.reshape(-1)[output["at"]], torch.tensor(output["values"]), rtol=1e-5, atol=0)
    # Two equal logits make this strict: 1e-3 of their deviation is 30 units in the last place, and exact arithmetic
    # already differs from the recorded numbers by a third of that. Two threads of Zen 5 reach 9.9e-4, one 6.3e-4:
    # hence one thread above.
    check(case, "logits", logits)


@torch.no_grad()
def test_arcface_ir_se50() -> None:
    case = read("arcface_ir_se50")
    with torch.device("meta"):
        model = IResNet()
    load(model, case)
    _, embedding = model.eval()(torch.from_numpy(formula.fill("arcface:x", (2, 3, 112, 112), 0, 0.5)))
    check(case, "embedding", embedding)


@pytest.mark.parametrize(("name", "config"), [("psp_encoder", PSP), ("sam_age_encoder", SAM_AGE)])
@torch.no_grad()
def test_encoder(name: str, config: EncoderConfig) -> None:
    case = read(name)
    with torch.device("meta"):
        model = GradualStyleEncoder(config)
    load(model, case)
    x = formula.fill(f"{name}:x", (1, config.input_channels, 256, 256), 0, 0.5)
    check(case, "codes", model.eval()(torch.from_numpy(x)))


@torch.no_grad()
def test_mytm_adapter() -> None:
    case = read("mytm_adapter")
    with torch.device("meta"):
        model = AgeAdapter()
    model.load_state_dict(tensors(case), assign=True)
    assert count(model) == case["parameters"] == 11_187_888
    years = torch.tensor(case["inputs"]["target_age_years"], dtype=torch.float32)
    check(case, "w_aged", model(filled("mytm:w", 2, 18, 512), years))


@torch.no_grad()
def test_dex_age() -> None:
    case = read("dex_age_vgg")
    with torch.device("meta"):
        model = DexVgg()
    load(model, case)
    x = torch.from_numpy(formula.fill("dex:x", (1, 3, 224, 224), 0, 0.5))
    logits = model.eval()(x)
    check(case, "logits", logits)
    years = sum(year * p for year, p in enumerate(logits[0].softmax(0).tolist()))
    assert AgeJudge(model)(x).tolist() == pytest.approx([years], rel=1e-5)
