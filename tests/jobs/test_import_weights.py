"""Imports as a user makes them: what is recognised, what is refused in which words, and that nothing is half done."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from encoder_toys import TINY, tiny_encoder, tiny_image_prior
from published_files import RESAMPLE, module, save_whole, snapshot, with_filters
from safetensors.torch import save_file
from torch import Tensor, nn

from selfsame.convert import kinds, rosinality, sources
from selfsame.core import store, weights
from selfsame.core.errors import BadInput, WrongUse
from selfsame.jobs import import_weights
from selfsame.jobs.import_personal import Extra
from selfsame.jobs.import_weights import import_file, verify
from selfsame.nets import lpips
from selfsame.nets.lora import MY3DGEN, LowRankConfig, add_low_rank, trainable
from selfsame.nets.lpips import Lpips, LpipsConfig
from selfsame.nets.planes import AXES
from selfsame.nets.stylegan2 import Discriminator, DiscriminatorConfig, StyleGAN2, StyleGAN2Config
from selfsame.nets.triplane import EG3D_FFHQ512, TriPlane, TriPlaneConfig
from selfsame.tasks import encoders, model, model2d
from selfsame.tasks.prior import Prior, load_prior, random_codes, save_prior
from selfsame.tasks.prior2d import load_prior2d

FLAT = StyleGAN2Config(image_px=16, z_dim=8, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16)
SOLID = TriPlaneConfig(
    z_dim=8, c_dim=25, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16, plane_px=16, plane_channels=4,
    feature_channels=4, decoder_hidden=8, neural_px=16, image_px=32, superres_channels=(8, 8), ray_start=2.0,
    depth_samples=8, importance_samples=4,
)  # fmt: skip
RENDERING = {
    "clamp_mode": "softplus", "superresolution_module": "training.superresolution.SuperresolutionHybrid2X",
    "depth_resolution": 8, "depth_resolution_importance": 4, "ray_start": 2.0, "ray_end": 3.3, "box_warp": 1,
    "c_gen_conditioning_zero": False, "superresolution_noise_mode": "none", "avg_camera_pivot": [0, 0, 0.2],
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "weights"))
    return tmp_path / "weights"


def flat() -> dict[str, Tensor]:
    return {name: t.clone() for name, t in StyleGAN2(FLAT).state_dict().items()}


def solid() -> dict[str, Tensor]:
    return {name: t.clone() for name, t in TriPlane(SOLID).state_dict().items()}


def ffhq(folder: Path, tensors: dict[str, Tensor] | None = None) -> Path:
    return snapshot(folder / "ffhq.pkl", G_ema=module("Generator", with_filters(tensors or flat())))


def same(folder: Path, tensors: dict[str, Tensor]) -> bool:
    found, _ = weights.load(folder)
    return found.keys() == tensors.keys() and all(torch.equal(found[name], t) for name, t in tensors.items())


def test_an_import_lands_in_the_store_with_card_and_source(tmp_path: Path, home: Path) -> None:
    tensors = flat()
    made = import_file(ffhq(tmp_path, tensors))
    assert made.folder == home / "ffhq"
    assert same(made.folder, tensors)
    card = weights.card_of(made.folder)
    assert (card.kind, card.data_digest) == ("stylegan2-prior", made.source.digest)
    assert "NVIDIA" in card.licence
    assert card.command == "selfsame weights import ffhq.pkl --as stylegan2"
    assert made.source.verified == sources.UNVERIFIED
    assert made.source.of == {".": card.digest}
    assert {p.name for p in made.folder.iterdir()} == {"weights.safetensors", "card.json", "source.json"}
    assert load_prior2d("ffhq").net.config == FLAT  # by its name, wherever a prior is asked for
    assert store.name_of(card.digest) == "ffhq"


def test_the_same_import_again_finds_what_is_there(tmp_path: Path) -> None:
    file = ffhq(tmp_path)
    first = import_file(file)
    again = import_file(file)
    assert again.again
    assert again.source == first.source
    other = snapshot(tmp_path / "other.pkl", G_ema=module("Generator", flat()))
    with pytest.raises(BadInput, match=r"holds something else already\. Give another --name"):
        import_file(other, name="ffhq")
    assert import_file(other, name="second").folder != first.folder


def test_a_name_can_be_typed_and_is_no_starters(tmp_path: Path, home: Path) -> None:
    odd = tmp_path / ".my best (final) model.v2.pt"
    torch.save({"G_ema": flat()}, odd)
    made = import_file(odd)
    assert made.name == made.place == "my-best-final-model.v2"
    assert "my-best-final-model.v2" in store.names()
    with pytest.raises(WrongUse, match="a name of the starter set"):
        import_file(odd, name="starter-3d")
    assert import_file(odd, out=tmp_path / "elsewhere").place == str(tmp_path / "elsewhere")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_snapshots_of_every_protocol(protocol: int, tmp_path: Path) -> None:
    tensors = flat()
    file = snapshot(tmp_path / "net.pkl", protocol, G=module("Generator", flat()), G_ema=module("Generator", tensors))
    assert same(import_file(file).folder, tensors)  # the average, not the last step


def test_pti_saves_the_whole_generator(tmp_path: Path) -> None:
    tensors = flat()
    file = save_whole(tmp_path / "model_ada_photo.pt", module("Generator", tensors))
    assert same(import_file(file).folder, tensors)


@pytest.mark.parametrize("legacy", [False, True])
def test_state_dicts_in_torch_files_new_and_old(legacy: bool, tmp_path: Path) -> None:
    tensors = flat()
    torch.save({"G_ema": with_filters(tensors)}, tmp_path / "g.pt", _use_new_zipfile_serialization=not legacy)
    assert same(import_file(tmp_path / "g.pt").folder, tensors)
    save_file(tensors, tmp_path / "plain.safetensors")
    assert same(import_file(tmp_path / "plain.safetensors").folder, tensors)


def test_eg3d_with_the_numbers_of_its_rendering(tmp_path: Path) -> None:
    tensors = solid()
    net = module("TriPlaneGenerator", with_filters(tensors), {"rendering_kwargs": RENDERING},
                 {"neural_rendering_resolution": 8})  # fmt: skip
    made = import_file(snapshot(tmp_path / "eg3d.pkl", G_ema=net))
    assert same(made.folder, tensors)
    assert load_prior("eg3d").net.config == SOLID
    assert made.source.settings["rendering_kwargs"]["avg_camera_pivot"] == [0, 0, 0.2]
    assert made.source.notes == ("It was trained to render 8 px before super-resolution; the default here is 16.",)


def test_a_bare_state_dict_of_eg3d_says_what_it_does_not_tell(tmp_path: Path) -> None:
    torch.save(solid(), tmp_path / "eg3d.pt")
    made = import_file(tmp_path / "eg3d.pt")
    assert "does not tell how rays are sampled" in made.source.notes[0]
    assert load_prior("eg3d").net.config == replace(
        SOLID, ray_start=EG3D_FFHQ512.ray_start, depth_samples=48, importance_samples=48
    )


@pytest.mark.parametrize(
    ("name", "value"), [("white_back", True), ("ray_start", "auto"), ("c_gen_conditioning_zero", True),
                        ("superresolution_noise_mode", "random"), ("clamp_mode", "relu")],
)  # fmt: skip
def test_an_eg3d_that_renders_otherwise_is_refused(name: str, value: object, tmp_path: Path) -> None:
    net = module("TriPlaneGenerator", solid(), {"rendering_kwargs": RENDERING | {name: value}})
    with pytest.raises(BadInput, match=f"made with {name} = .*, which is not supported"):
        import_file(snapshot(tmp_path / "eg3d.pkl", G_ema=net))


QUIRK = [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1], [0, 1, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]]
ALL_THREE = [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]]


@pytest.mark.parametrize(("axes", "order"), [(QUIRK, "eg3d"), (ALL_THREE, "orthogonal"), ([QUIRK[1]] * 3, None)])
def test_the_planes_lie_as_the_files_renderer_lays_them(axes: list, order: str | None, tmp_path: Path) -> None:
    net = module("TriPlaneGenerator", solid(), {"rendering_kwargs": RENDERING})
    matrices = torch.tensor(axes, dtype=torch.float32)
    net.meta["state"]["_modules"]["renderer"] = module("ImportanceRenderer", {}, attributes={"plane_axes": matrices})
    file = snapshot(tmp_path / "eg3d.pkl", G_ema=net)
    if order is None:
        with pytest.raises(BadInput, match="planes along axes that are not supported"):
            import_file(file)
        return
    import_file(file)
    config = load_prior("eg3d").net.config
    assert config.plane_order == order
    points = torch.rand(5, 3)
    for matrix, (u, v) in zip(matrices, AXES[config.plane_order], strict=True):
        assert torch.equal((points @ torch.linalg.inv(matrix))[:, :2], points[:, [u, v]])  # as the published code


def test_rosinality_without_a_mean_code_measures_one(tmp_path: Path) -> None:
    tensors = flat()
    torch.save({"g_ema": rosinality.published(tensors, FLAT), "args": None}, tmp_path / "r.pt")
    made = import_file(tmp_path / "r.pt")
    assert "10,000 random ones" in made.source.notes[0]
    net = load_prior2d("r").net
    w = random_codes(net, 4000, torch.Generator().manual_seed(5))[:, 0]
    assert (net.mapping.w_avg - w.mean(0)).abs().max() < 0.1 * w.std()


def test_psp_brings_its_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prior = tiny_image_prior()
    encoder = tiny_encoder()
    decoder = rosinality.published(prior.net.state_dict(), prior.net.config)
    state = {f"encoder.{n}": t for n, t in encoder.state_dict().items() if "num_batches" not in n}
    state |= {f"decoder.{n}": t for n, t in decoder.items()}
    mean = torch.randn(8, 16)
    torch.save({"state_dict": state, "latent_avg": mean, "opts": {"lr": 1e-4}}, tmp_path / "psp.pt")
    monkeypatch.setattr("selfsame.convert.aging.PSP", TINY)  # of another depth than the published
    made = import_file(tmp_path / "psp.pt")
    own = load_prior2d("psp/prior")
    assert torch.equal(own.net.mapping.w_avg, mean[0])
    found = encoders.load(made.folder, own.digest)
    assert torch.equal(found.w_mean, mean)
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(found.encoder(images), encoder.eval()(images))
    with pytest.raises(BadInput, match=r"made on psp/prior \(\w+\), not on the prior b+\. Load it with psp/prior"):
        encoders.load(made.folder, "b" * 64)


def test_e4e_has_psps_tensors_and_is_not_psp(tmp_path: Path) -> None:
    state = {"encoder.input_layer.0.weight": torch.ones(2, 2)}
    opts = {"encoder_type": "Encoder4Editing"}
    torch.save({"state_dict": state, "latent_avg": torch.ones(18, 512), "opts": opts}, tmp_path / "e4e.pt")
    with pytest.raises(BadInput, match="is a Encoder4Editing, not pSp's GradualStyleEncoder"):
        import_file(tmp_path / "e4e.pt")


@pytest.mark.parametrize(
    "made_with", [{"mapping_kwargs": {"lr_multiplier": 0.1}}, {"synthesis_kwargs": {"activation": "relu"}}]
)
def test_settings_that_no_tensor_shows_are_refused(made_with: dict[str, object], tmp_path: Path) -> None:
    file = snapshot(tmp_path / "g.pkl", G_ema=module("Generator", flat(), made_with))
    with pytest.raises(BadInput, match=r"This network was made with (lr_multiplier|activation) = .*, which is not"):
        import_file(file)


def test_a_discriminator_says_how_many_images_it_compared(tmp_path: Path) -> None:
    tensors = dict(Discriminator(DiscriminatorConfig(16, 256, 16)).state_dict())
    for group, notes in ((4, 0), (8, 1)):
        net = module("Discriminator", tensors, {"epilogue_kwargs": {"mbstd_group_size": group}})
        made = import_file(snapshot(tmp_path / f"{group}.pkl", D=net, G_ema=module("Generator", flat())),
                           "stylegan2-discriminator")  # fmt: skip
        assert len(made.source.notes) == notes


def lpips_files(folder: Path, backbone: str, heads: str | None = None) -> tuple[Path, Path, Lpips]:
    net = Lpips(LpipsConfig(backbone))  # type: ignore[arg-type]
    for head in net.heads:
        head.data.uniform_(0, 1)
    features = {n.replace("backbone.", "features."): t for n, t in net.state_dict().items() if n.startswith("backbone")}
    torch.save(features | {"classifier.1.weight": torch.ones(2, 2)}, folder / "net.pth")
    widths = lpips.CHANNELS[heads or backbone]  # type: ignore[index]
    own = {f"lin{i}.model.1.weight": net.heads[i].reshape(1, -1, 1, 1) for i in range(5)}
    if heads:
        own = {f"lin{i}.model.1.weight": torch.ones(1, width, 1, 1) for i, width in enumerate(widths)}
    torch.save(own, folder / "heads.pth", _use_new_zipfile_serialization=False)
    return folder / "net.pth", folder / "heads.pth", net


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_lpips_of_two_files(backbone: str, tmp_path: Path) -> None:
    net_file, heads, net = lpips_files(tmp_path, backbone)
    made = import_file(net_file, extra=Extra(heads=heads), name="judge")
    found = lpips.load(made.folder)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    for one, other in zip(found(images), net(images), strict=True):
        assert torch.equal(one, other)


def test_lpips_wants_its_heads_and_the_right_ones(tmp_path: Path) -> None:
    net_file, heads, _ = lpips_files(tmp_path, "alex", heads="vgg")
    with pytest.raises(WrongUse, match=r"five heads too\. Give --heads"):
        import_file(net_file)
    with pytest.raises(BadInput, match=r"heads do not fit.*alex\.pth"):
        import_file(net_file, extra=Extra(heads=heads))
    with pytest.raises(BadInput, match="These are the heads of LPIPS"):
        import_file(heads)


def test_known_digests_are_torchvisions_own() -> None:
    published = (
        torchvision.models.AlexNet_Weights.IMAGENET1K_V1.url,
        torchvision.models.VGG16_Weights.IMAGENET1K_V1.url,
    )
    assert {url.rsplit("/", 1)[1] for url in published} == set(sources.KNOWN)
    for name, begin in sources.KNOWN.items():
        assert name == f"{name.rsplit('-', 1)[0]}-{begin}.pth"
        assert sources.verified(name, begin + "0" * 56).startswith("verified")
        assert "does not begin" in sources.verified(name, "0" * 64)


def test_my3dgen_on_another_prior_is_refused(tmp_path: Path) -> None:
    tensors = solid()
    net = TriPlane(SOLID)
    net.load_state_dict(tensors)
    card = save_prior(net, tmp_path / "prior", weights.Card("triplane-prior", {}, 0, ""))
    assert card.digest
    with pytest.raises(WrongUse, match="needs the prior it was tuned from"):
        import_file(my3dgen_file(tmp_path, tensors))


def my3dgen_file(folder: Path, tensors: dict[str, Tensor], low_rank: LowRankConfig = MY3DGEN) -> Path:
    """A snapshot whose layers are wrapped but for the names of the wrappers, which parity tests in full."""
    net = TriPlane(SOLID)
    net.load_state_dict(tensors)
    low = add_low_rank(net, low_rank, torch.Generator().manual_seed(0))
    factors = {
        name.replace(".weight.a", ".lora_A").replace(".weight.b", ".lora_B"): t.detach() + 0.5
        for name, t in trainable(low).items()
        if name.endswith((".weight.a", ".weight.b"))
    }
    network = module("TriPlaneGenerator", tensors | factors, {"rendering_kwargs": RENDERING}, {"lora_alpha": 2})
    return snapshot(folder / "network-snapshot-000500.pkl", G_ema=network)


def codes_of(folder: Path, num_ws: int, count: int = 3, suffix: str = "_latent.npy") -> Path:
    folder.mkdir()
    label = [float(i) for i in range(25)]
    for i in range(count):
        code = np.full((1, num_ws, 16), i, np.float32)
        if suffix == ".pt":
            torch.save(torch.from_numpy(code), folder / f"photo {i}.pt")
        else:
            np.save(folder / f"photo {i}{suffix}", code)
    (folder / "dataset.json").write_text(json.dumps({"labels": [[f"photo {i}.png", label] for i in range(count)]}))
    return folder


@pytest.mark.parametrize("low_rank", [LowRankConfig(1, 2.0), LowRankConfig(2, 2.0, "loralib")])
def test_my3dgen_becomes_a_model_of_the_person(low_rank: LowRankConfig, tmp_path: Path) -> None:
    tensors = solid()
    torch.save({"G_ema": tensors}, tmp_path / "eg3d.pt")
    prior = load_prior(import_file(tmp_path / "eg3d.pt").folder)
    tuned = {n: t + 1 if n.endswith((".bias", ".const")) and "mapping" not in n and "decoder" not in n else t
             for n, t in tensors.items()}  # fmt: skip
    extra = Extra(prior="eg3d", anchors=codes_of(tmp_path / "dataset", prior.net.num_ws))
    file = my3dgen_file(tmp_path, tuned, low_rank)
    made = import_file(file, out=tmp_path / "people" / "ada" / "models" / "main", extra=extra)
    person = model.load(made.folder, prior)
    assert len(person.anchors) == 3
    assert torch.equal(person.anchors[2], torch.full((prior.net.num_ws, 16), 2.0))
    found, card = weights.load(made.folder)
    assert card.prior_digest == prior.digest
    assert card.licence.startswith("The photographed person's") and "NVIDIA" in card.licence
    assert card.config["low_rank"] == vars(low_rank)
    layer = "backbone.synthesis.b8.conv0"
    assert torch.equal(found[f"{layer}.bias"], tensors[f"{layer}.bias"] + 1)
    assert torch.equal(found[f"{layer}.weight.b"], torch.full_like(found[f"{layer}.weight.b"], 0.5))

    other = tuned | {f"{layer}.weight": tensors[f"{layer}.weight"] + 1}
    with pytest.raises(BadInput, match=r"tuned from another prior: its backbone\.synthesis\.b8\.conv0\.weight differs"):
        import_file(my3dgen_file(tmp_path, other), name="other", extra=extra)
    (tmp_path / "dataset" / "dataset.json").unlink()
    with pytest.raises(BadInput, match=r"dataset\.json does not tell the cameras of all photos"):
        import_file(my3dgen_file(tmp_path, tuned), name="other", extra=extra)


@pytest.mark.parametrize("whole", [False, True])
def test_mystyle_becomes_a_model_of_the_person(whole: bool, tmp_path: Path) -> None:
    tensors = flat()
    torch.save({"G_ema": tensors}, tmp_path / "ffhq.pt")
    prior = load_prior2d(import_file(tmp_path / "ffhq.pt").folder)
    tuned = {n: t + 1 if n.startswith("synthesis") and "noise_const" not in n else t for n, t in tensors.items()}
    own = {n.removeprefix("synthesis."): t for n, t in tuned.items() if n.startswith("synthesis.")}
    network = module("Generator", tuned) if whole else module("SynthesisNetwork", own)
    file = save_whole(tmp_path / "mystyle_model.pt", network)
    extra = Extra(prior="ffhq", anchors=codes_of(tmp_path / "anchors", prior.net.num_ws, suffix=".pt"))
    made = import_file(file, "mystyle" if whole else None, extra=extra)
    person = model2d.load(made.folder, prior.net, prior.digest)
    assert torch.equal(person.net.synthesis.b8.conv0.weight, tensors["synthesis.b8.conv0.weight"] + 1)
    assert torch.equal(person.net.mapping.fc0.weight, tensors["mapping.fc0.weight"])
    assert len(person.anchors) == 3
    with pytest.raises(BadInput, match="holds no codes"):
        import_file(file, "mystyle", "other", extra=replace(extra, anchors=tmp_path / "nowhere"))


def test_my_time_machine_wants_the_ages(tmp_path: Path) -> None:
    state = {"blender.fc_0.0.weight": torch.ones(2, 2)}
    torch.save({"state_dict": state, "latent_avg": torch.ones(18, 512)}, tmp_path / "iteration_10000.pt")
    with pytest.raises(WrongUse, match=r"does not tell the ages.*Give --ages"):
        import_file(tmp_path / "iteration_10000.pt")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("synthesis.b16.conv0.bias"), r"lacks synthesis\.b16\.conv0\.bias of a StyleGAN2"),
        (lambda t: [t.pop(f"synthesis.b16.conv0.{n}") for n in ("bias", "weight", "noise_strength")],
         r"lacks synthesis\.b16\.conv0\.weight, synthesis\.b16\.conv0\.noise_strength and 1 more tensors"),
        (lambda t: t.update({"synthesis.b16.odd": torch.ones(1)}), r"has synthesis\.b16\.odd, which a StyleGAN2"),
        (lambda t: t.update({"synthesis.b8.conv1.bias": torch.ones(7)}), r"b8\.conv1\.bias is 7 in this file and 16"),
        (lambda t: [t.pop(n) for n in list(t) if ".b8." in n], r"blocks \[4, 16\] of this file are not those"),
        (lambda t: t.update({"synthesis.b8.conv1.resample_filter": RESAMPLE * 2}), r"is not the filter \[1, 3, 3, 1\]"),
        (lambda t: t.update({"mapping.embed.weight": torch.ones(16, 3)}), "conditioned on labels"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fill_the_network(change: object, words: str, tmp_path: Path, home: Path) -> None:
    tensors = flat()
    change(tensors)  # type: ignore[operator]
    torch.save({"G_ema": tensors}, tmp_path / "g.pt")
    with pytest.raises(BadInput, match=words) as caught:
        import_file(tmp_path / "g.pt")
    assert "\n" not in str(caught.value)
    assert not home.exists() or not list(home.iterdir())


def test_files_that_are_something_else(tmp_path: Path) -> None:
    def refused(name: str, words: str, kind: str | None = None) -> None:
        with pytest.raises((BadInput, WrongUse), match=words):
            import_file(tmp_path / name, kind)

    refused("nowhere.pt", "does not exist")
    (tmp_path / "empty.pt").write_bytes(b"")
    refused("empty.pt", "it is empty")
    (tmp_path / "text.pt").write_text("hello, this is no checkpoint at all")
    refused("text.pt", "not a checkpoint of PyTorch")
    torch.save({"weight": torch.ones(2)}, tmp_path / "unknown.pt")
    refused("unknown.pt", "none of the published networks known here. Known kinds: eg3d")
    torch.save(torch.ones(2), tmp_path / "tensor.pt")
    refused("tensor.pt", "holds no network")
    torch.save(nn.Linear(2, 2), tmp_path / "linear.pt")
    refused("linear.pt", "holds a Linear, which is none of the published networks")
    refused(ffhq(tmp_path).name, "is a StyleGAN2 of NVIDIA's.*not SAM", "sam")
    refused("ffhq.pkl", "There is no kind sammy", "sammy")
    whole = (tmp_path / "ffhq.pkl").read_bytes()
    (tmp_path / "cut.pkl").write_bytes(whole[: len(whole) // 2])
    refused("cut.pkl", "damaged or cut short")
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "script.pt")
    refused("script.pt", "TorchScript archive, which holds code")


@pytest.mark.parametrize("all_three", [False, True])
def test_tensorflows_pickles_are_named(all_three: bool, tmp_path: Path) -> None:
    net = b"cdnnlib.tflib.network\nNetwork\n)\x81}b"
    code = b"\x80\x03" + (net * 3 + b"\x87" if all_three else b"}X\x05\x00\x00\x00G_ema" + net + b"s") + b"."
    (tmp_path / "stylegan2-ffhq-config-f.pkl").write_bytes(code)
    with pytest.raises(BadInput, match=r"TensorFlow pickle of StyleGAN2\. Take NVIDIA's PyTorch file"):
        import_file(tmp_path / "stylegan2-ffhq-config-f.pkl")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), RuntimeError])
def test_an_interrupted_import_leaves_nothing(
    error: BaseException | type[BaseException], tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ffhq(tmp_path)

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(weights, "save_file", fail)
        with pytest.raises((KeyboardInterrupt, BadInput, RuntimeError)):
            import_file(file)
    assert list(home.iterdir()) == []
    left = home / ".ffhq.importing"  # as a killed process would leave it
    left.mkdir()
    (left / "weights.safetensors").write_bytes(b"half")
    assert store.names() == ["starter-3d", "starter-2d", "starter-sam"]
    assert import_file(file).folder == home / "ffhq"
    assert [p.name for p in home.iterdir()] == ["ffhq"]


def test_verify_reads_every_number_again(tmp_path: Path) -> None:
    file = ffhq(tmp_path)
    made = import_file(file)
    assert verify(made.folder, file).networks == made.source.of
    with pytest.raises(BadInput, match="is not the file that"):
        verify(made.folder, snapshot(tmp_path / "other.pkl", G_ema=module("Generator", flat())))
    card = weights.card_of(made.folder)
    weights.save(made.folder, flat(), card)  # whole, but other numbers
    with pytest.raises(BadInput, match="holds other weights than were imported"):
        verify(made.folder)
    path = made.folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\1\0")
    with pytest.raises(BadInput, match="is damaged"):
        verify(made.folder)
    with pytest.raises(BadInput, match="There are no weights in"):
        verify(tmp_path / "nowhere")


def test_settings_of_a_file_are_plain_and_bounded(tmp_path: Path) -> None:
    opts = {"lr": 1e-4, "lambda": float("inf"), "deep": {"a": {"b": {"c": {"d": 1}}}}, "many": list(range(5000)),
            "long": "x" * 10_000, "net": torch.ones(2), 3: (1, 2)}  # fmt: skip
    torch.save({"G_ema": flat(), "opts": opts}, tmp_path / "g.pt")
    found = import_file(tmp_path / "g.pt").source.settings
    assert (found["lr"], found["lambda"]) == (1e-4, "inf")
    assert len(json.dumps(found)) < 10_000


def test_every_kind_says_what_it_is_for() -> None:
    assert set(import_weights.SINGLE) | {"psp", "sam", "mytm", "my3dgen", "mystyle", "peft"} == set(kinds.KINDS)
    assert all(kind.what and kind.use.format(name="x") and kind.licence for kind in kinds.KINDS.values())


def test_a_prior_of_another_shape_is_not_a_persons(tmp_path: Path) -> None:
    torch.save({"G_ema": flat()}, tmp_path / "ffhq.pt")
    import_file(tmp_path / "ffhq.pt")
    extra = Extra(prior="ffhq", anchors=codes_of(tmp_path / "dataset", 14))
    with pytest.raises(BadInput, match="holds no code of 6 x 16 numbers"):
        import_file(my3dgen_file(tmp_path, solid()), extra=extra)
    assert isinstance(load_prior("starter-3d"), Prior)
