"""The published networks, number for number: each case of tests/parity in its published file, imported, and run."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from published_files import RESAMPLE, module, snapshot, with_filters
from torch import Tensor, nn

from selfsame.core import weights
from selfsame.core.camera import Camera
from selfsame.jobs.import_personal import Extra
from selfsame.jobs.import_weights import import_file
from selfsame.nets import age, judges, lora
from selfsame.nets.age import AgeJudge
from selfsame.nets.stylegan2 import (
    STYLEGAN2_256,
    STYLEGAN2_FFHQ1024,
    Discriminator,
    DiscriminatorConfig,
    StyleGAN2Config,
)
from selfsame.nets.triplane import EG3D_FFHQ512
from selfsame.tasks import model, time_machine
from selfsame.tasks.prior import Prior, load_prior
from selfsame.tasks.prior2d import load_prior2d
from selfsame.tasks.reage import load as load_sam

FOLDER = Path(__file__).parents[1] / "parity"
TOLERANCE = 1e-3  # of the output's standard deviation

_spec = importlib.util.spec_from_file_location("parity_formula", FOLDER / "formula.py")
assert _spec is not None
assert _spec.loader is not None
formula = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(formula)


def read(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


def tensors(case: dict) -> dict[str, Tensor]:
    salt = case["salt"]
    return {
        key: torch.from_numpy(formula.fill(f"{salt}:{key}", tuple(shape), mean, scale))
        for key, shape, mean, scale in case["tensors"]
    }


def filled(name: str, *shape: int, scale: float = 1.0) -> Tensor:
    return torch.from_numpy(formula.fill(name, shape, 0, scale))


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def check(case: dict, name: str, value: Tensor) -> None:
    output = next(o for o in case["outputs"] if o["name"] == name)
    assert value.numel() == np.prod(output["shape"])
    flat = value.detach().reshape(-1)
    assert (formula.sample(name, flat.numel()) == output["at"]).all()
    error = (flat[output["at"]] - torch.tensor(output["values"])).abs().max() / output["std"]
    assert error < TOLERANCE, f"{name}: {error:.2e} of the standard deviation"


def camera(numbers: list[float]) -> Camera:
    return Camera.unpack(torch.tensor([numbers]))


@pytest.fixture(scope="module")
def eg3d(tmp_path_factory: pytest.TempPathFactory) -> Prior:
    """EG3D as its snapshot brings it, under a name in a store of the test's own."""
    folder = tmp_path_factory.mktemp("eg3d")
    case = read("eg3d_ffhq512")
    network = module(
        "TriPlaneGenerator",
        with_filters(tensors(case)),
        {"z_dim": 512, "c_dim": 25, "rendering_kwargs": case["rendering"]},
        {"neural_rendering_resolution": 128},
    )
    file = snapshot(folder / "ffhqrebalanced512-128.pkl", G_ema=network)
    made = import_file(file, out=folder / "prior")
    assert made.source.kind == "eg3d"
    assert not made.source.notes
    assert made.source.settings["rendering_kwargs"]["box_warp"] == 1
    file.unlink()
    return load_prior(made.folder)


@torch.no_grad()
def test_eg3d(eg3d: Prior) -> None:
    case = read("eg3d_ffhq512")
    inputs, net = case["inputs"], eg3d.net
    assert net.config == EG3D_FFHQ512
    assert count(net) == case["parameters"] == 30_662_136
    assert {part: count(getattr(net, part)) for part in case["parameters_by_part"]} == case["parameters_by_part"]
    w_plus = net.map(filled("eg3d:z", 1, 512), camera(inputs["conditioning_camera"]), psi=0.7, cutoff=14)
    check(case, "ws", w_plus)
    check(case, "planes", net.planes(w_plus))
    view = camera(inputs["render_camera"])
    for mode, importance_samples in (("coarse", 0), ("fine", 48)):
        seen = net(w_plus, view, importance_samples=importance_samples)
        check(case, f"{mode}_image_raw", seen.raw)
        check(case, f"{mode}_image_depth", seen.depth)
        check(case, f"{mode}_image", seen.image)


def wrapped(name: str) -> str:
    """An EG3D tensor's name where My3DGen has wrapped its layer."""
    parts = name.split(".")
    if parts[0] == "decoder" or "mapping" in parts:
        return name
    if parts[0] == "backbone":
        parts = ["backbone", "synthesis", *parts[1:]]
    else:
        parts.insert(1, "superresolution_module")
    block = next(i for i, p in enumerate(parts) if p.startswith("b") and p[-1].isdigit())
    parts.insert(block + 1, "synthesis_block")
    if parts[block + 2] in ("conv0", "conv1", "torgb"):
        parts.insert(block + 3, "to_rgb_layer" if parts[block + 2] == "torgb" else "synthesis_layer")
    if parts[-2] == "affine":
        parts.insert(-1, "fully_connected_layer")
    return ".".join(parts)


@torch.no_grad()
def test_my3dgen_low_rank(eg3d: Prior, tmp_path: Path) -> None:
    case = read("my3dgen_lora_r1")
    base = {wrapped(name): tensor for name, tensor in tensors(read("eg3d_ffhq512")).items()}
    factors = tensors(case)
    network = module("TriPlaneGenerator", base | factors, attributes={"lora_alpha": 1, "r": 1})
    file = snapshot(tmp_path / "network-snapshot-000500.pkl", G_ema=network)
    codes = tmp_path / "dataset"
    codes.mkdir()
    label = eg3d_label = case["inputs"]["render_camera"]
    for i in range(2):
        np.save(codes / f"photo{i}_latent.npy", formula.fill(f"code{i}", (1, 14, 512)))
    (codes / "dataset.json").write_text(json.dumps({"labels": [[f"photo{i}.png", label] for i in range(2)]}))
    weights.save(tmp_path / "prior", eg3d.net.state_dict(), eg3d.card)
    made = import_file(file, out=tmp_path / "model", extra=Extra(prior=str(tmp_path / "prior"), anchors=codes))
    assert made.source.kind == "my3dgen"
    person = model.load(made.folder, eg3d)
    assert torch.equal(person.anchors[1], filled("code1", 14, 512))
    assert person.camera.pack()[0].tolist() == pytest.approx(eg3d_label)
    net = person.net
    assert sum(f.numel() for f in factors.values()) == lora.low_rank_count(net) == case["low_rank_numbers"] == 219_174
    w_plus = net.map(filled("eg3d:z", 1, 512), camera(case["inputs"]["conditioning_camera"]), psi=0.7, cutoff=14)
    check(case, "lora_planes", net.planes(w_plus))
    seen = net(w_plus, camera(case["inputs"]["render_camera"]), importance_samples=0)
    check(case, "lora_image_raw", seen.raw)
    check(case, "lora_image_depth", seen.depth)
    check(case, "lora_image", seen.image)


@pytest.mark.parametrize(
    ("name", "config", "protocol"),
    [("stylegan2_nvidia_256", STYLEGAN2_256, 3), ("stylegan2_nvidia_1024", STYLEGAN2_FFHQ1024, 4)],
)
@torch.no_grad()
def test_stylegan2(name: str, config: StyleGAN2Config, protocol: int, tmp_path: Path) -> None:
    case = read(name)
    file = snapshot(tmp_path / "ffhq.pkl", protocol, G_ema=module("Generator", with_filters(tensors(case))))
    made = import_file(file, out=tmp_path / "prior")
    assert made.source.kind == "stylegan2"
    net = load_prior2d(made.folder).net
    assert net.config == config
    assert count(net) == case["parameters"]
    w_plus = net.map(filled(f"{case['salt']}:z", 2, 512), psi=0.7)
    check(case, "ws", w_plus)
    check(case, "image", net(w_plus))


@torch.no_grad()
def test_stylegan2_of_rosinality(tmp_path: Path) -> None:
    case = read("stylegan2_rosinality_1024")
    found = tensors(case)
    kernels = {f"convs.{2 * i}.conv.blur.kernel": RESAMPLE * 4 for i in range(8)}
    mean = filled("latent_avg", 512)
    torch.save({"g_ema": found | kernels, "latent_avg": mean}, tmp_path / "stylegan2-ffhq-config-f.pt")
    made = import_file(tmp_path / "stylegan2-ffhq-config-f.pt", out=tmp_path / "prior")
    assert made.source.kind == "rosinality"
    net = load_prior2d(made.folder).net
    assert net.config == STYLEGAN2_FFHQ1024
    assert torch.equal(net.mapping.w_avg, mean)
    check(case, "mapping_of_z", net.map(filled("rosinality-1024:z", 1, 512))[:, 0])
    check(case, "image_of_wplus", net(filled("rosinality-1024:wplus", 1, 18, 512)))


@torch.no_grad()
def test_discriminator(tmp_path: Path) -> None:
    case = read("stylegan2_discriminator_256")
    file = snapshot(
        tmp_path / "ffhq256.pkl",
        G_ema=module("Generator", tensors(read("stylegan2_nvidia_256"))),
        D=module("Discriminator", tensors(case)),
    )
    made = import_file(file, "stylegan2-discriminator", out=tmp_path / "judge")
    net, _ = weights.load_net(made.folder, "stylegan2-discriminator", DiscriminatorConfig, Discriminator)
    assert net.config == DiscriminatorConfig(256, 16384)
    output = case["outputs"][0]
    assert output["std"] < 1e-3 < abs(output["mean"])  # both logits nearly equal: hold each to 1e-5 of its size
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        logits = net(filled("stylegan2-d-256:x", 2, 3, 256, 256))
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(logits.reshape(-1)[output["at"]], torch.tensor(output["values"]), rtol=1e-5, atol=0)
    # Two equal logits make this strict: 1e-3 of their deviation is 30 units in the last place, and exact arithmetic
    # already differs from the recorded numbers by a third of that. Two threads of Zen 5 reach 9.9e-4, one 6.3e-4:
    # hence one thread above.
    check(case, "logits", logits)


@torch.no_grad()
def test_arcface_ir_se50(tmp_path: Path) -> None:
    case = read("arcface_ir_se50")
    torch.save(tensors(case), tmp_path / "model_ir_se50.pth", _use_new_zipfile_serialization=False)
    made = import_file(tmp_path / "model_ir_se50.pth", out=tmp_path / "judge")
    assert made.source.kind == "arcface"
    judge = judges.load(made.folder)
    _, embedding = judge.network(filled("arcface:x", 2, 3, 112, 112, scale=0.5))
    check(case, "embedding", embedding)


@torch.no_grad()
def test_dex_age(tmp_path: Path) -> None:
    case = read("dex_age_vgg")
    named = {name.replace("fc8_101", "fc8-101"): tensor for name, tensor in tensors(case).items()}
    torch.save({"state_dict": named, "epoch": 7}, tmp_path / "dex_age_classifier.pth")
    made = import_file(tmp_path / "dex_age_classifier.pth", out=tmp_path / "judge")
    assert made.source.kind == "dex"
    judge = age.load(made.folder)
    x = filled("dex:x", 1, 3, 224, 224, scale=0.5)
    logits = judge.network(x)
    check(case, "logits", logits)
    years = sum(year * p for year, p in enumerate(logits[0].softmax(0).tolist()))
    assert AgeJudge(judge.network)(x).tolist() == pytest.approx([years], rel=1e-5)


@torch.no_grad()
def test_a_my_time_machine_checkpoint_brings_psp_sam_and_the_adapter(tmp_path: Path) -> None:
    """One file of 2.3 GB holds four of the cases, as the published code writes it."""
    cases = {
        "encoder": read("sam_age_encoder"), "pretrained_encoder": read("psp_encoder"),
        "decoder": read("stylegan2_rosinality_1024"), "blender": read("mytm_adapter"),
    }  # fmt: skip
    state = {f"{prefix}.{key}": t for prefix, case in cases.items() for key, t in tensors(case).items()}
    mean = filled("latent_avg", 512).expand(18, 512).contiguous()
    opts = {"start_from_encoded_w_plus": True, "adaptive_w_norm_lambda": 7, "exp_dir": "/home/somebody"}
    file = tmp_path / "iteration_10000.pt"
    torch.save({"state_dict": state, "latent_avg": mean, "opts": opts}, file)
    del state
    made = import_file(file, out=tmp_path / "model", extra=Extra(ages=(30, 70)))
    file.unlink()
    assert made.source.kind == "mytm"
    assert made.source.settings["adaptive_w_norm_lambda"] == 7
    prior = load_prior2d(made.folder / "sam" / "prior")
    check(cases["decoder"], "image_of_wplus", prior.net(filled("rosinality-1024:wplus", 1, 18, 512)))
    sam = load_sam(made.folder / "sam", prior)
    assert sam.alignment == "ffhq"
    assert torch.equal(sam.w_mean, mean)
    for case, encoder in ((cases["encoder"], sam.age_encoder), (cases["pretrained_encoder"], sam.inversion.encoder)):
        x = filled(f"{case['salt']}:x", 1, encoder.config.input_channels, 256, 256, scale=0.5)
        check(case, "codes", encoder(x))
    machine = time_machine.load(made.folder, sam)
    assert machine.personal is not None
    assert machine.personal.span == (30, 70)
    case = cases["blender"]
    assert count(machine.personal.adapter) == case["parameters"] == 11_187_888
    years = torch.tensor(case["inputs"]["target_age_years"], dtype=torch.float32)
    check(case, "w_aged", machine.personal.adapter(filled("mytm:w", 2, 18, 512), years))
