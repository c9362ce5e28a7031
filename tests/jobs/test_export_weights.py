"""What is exported in a published layout and imported again is the same, bit for bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from encoder_toys import sam_card, tiny_encoder, tiny_image_prior, tiny_inversion
from helpers import tiny_prior
from safetensors.torch import load_file

from selfsame.core import store, weights
from selfsame.core.camera import facing
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.weights import Card
from selfsame.jobs import history
from selfsame.jobs.export_weights import export
from selfsame.jobs.import_personal import Extra
from selfsame.jobs.import_weights import import_file
from selfsame.nets.age_adapter import AdapterConfig, AgeAdapter
from selfsame.nets.lora import LowRankConfig
from selfsame.nets.stylegan2 import Discriminator, DiscriminatorConfig, StyleGAN2
from selfsame.tasks import anchors, model, personal, prior2d, reage, time_machine
from selfsame.tasks.personal import QUICK
from selfsame.tasks.prior import load_prior
from selfsame.tasks.reage import Sam
from selfsame.tasks.time_machine import Personal


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "weights"))
    return tmp_path / "weights"


def same(one: Path, other: Path) -> bool:
    (a, first), (b, second) = weights.load(one), weights.load(other)
    equal = a.keys() == b.keys() and all(torch.equal(a[n], b[n]) and a[n].dtype == b[n].dtype for n in a)
    return equal and (first.digest, first.kind, first.config) == (second.digest, second.kind, second.config)


@pytest.mark.parametrize(("name", "layout"), [("starter-3d", "nvidia"), ("starter-2d", "nvidia"),
                                              ("starter-2d", "rosinality"), ("starter-sam", "sam")])  # fmt: skip
def test_the_starter_set_goes_out_and_comes_back(name: str, layout: str, tmp_path: Path) -> None:
    folder = store.find(name)
    assert export(folder, tmp_path / "out.pt", layout).layout == layout
    made = import_file(tmp_path / "out.pt")
    assert same(made.folder, folder)
    assert made.source.licence == "Apache-2.0"
    assert "selfsame exported it" in made.source.verified
    if name == "starter-sam":
        assert same(made.folder / "inversion", folder / "inversion")
        assert same(made.folder / "prior", store.find("starter-2d"))


def test_the_published_classes_find_every_tensor_they_ask_for(tmp_path: Path) -> None:
    """NVIDIA's layers keep the blur as buffers: without these, its own load_state_dict would complain."""
    export(store.find("starter-3d"), tmp_path / "g.pt")
    found = torch.load(tmp_path / "g.pt", weights_only=True)["G_ema"]
    filters = {name for name in found if name.endswith("resample_filter")}
    for part in ("backbone.synthesis.b4", "backbone.synthesis.b4.conv1", "backbone.synthesis.b8.conv0",
                 "superresolution.block0", "superresolution.block1.conv1", "superresolution"):  # fmt: skip
        assert f"{part}.resample_filter" in filters
    assert "backbone.synthesis.b4.torgb.resample_filter" not in filters
    assert torch.equal(found["superresolution.resample_filter"].sum(), torch.tensor(1.0))
    with pytest.raises(BadInput, match=r"g\.pt is there already"):
        export(store.find("starter-3d"), tmp_path / "g.pt")


def test_rosinalitys_generator_finds_every_tensor_it_asks_for(tmp_path: Path) -> None:
    export(store.find("starter-2d"), tmp_path / "r.pt", "rosinality")
    found = torch.load(tmp_path / "r.pt", weights_only=True)
    names = found["g_ema"].keys()
    assert found["g_ema"]["conv1.conv.weight"].dim() == 5
    assert found["g_ema"]["noises.noise_0"].shape == (1, 1, 4, 4)
    assert {"convs.0.conv.blur.kernel", "to_rgbs.0.upsample.kernel", "to_rgb1.bias", "style.1.weight"} <= names
    assert "convs.1.conv.blur.kernel" not in names  # only a convolution that doubles the size blurs
    assert found["latent_avg"].shape == (256,)


def test_a_discriminator(tmp_path: Path) -> None:
    net = Discriminator(DiscriminatorConfig(16, 256, 16))
    weights.save_net(tmp_path / "d", net, Card("stylegan2-discriminator", {}, 0, "mine"))
    export(tmp_path / "d", tmp_path / "d.pt")
    assert "b16.fromrgb.resample_filter" in torch.load(tmp_path / "d.pt", weights_only=True)["D"]
    assert same(import_file(tmp_path / "d.pt").folder, tmp_path / "d")


@pytest.mark.parametrize("with_person", [False, True])
def test_sam_and_a_persons_adapter(with_person: bool, tmp_path: Path) -> None:
    """SAM as it is imported: with its StyleGAN2 below it."""
    prior = tiny_image_prior()
    above = tmp_path / "mine" / "sam" if with_person else tmp_path / "mine"
    prior2d.save_prior2d(prior.net, above / "prior", prior2d.prior2d_card(prior.net.config, seed=0, licence="mine"))
    half, card = weights.load(above / "prior")
    net = StyleGAN2(prior.net.config)
    net.load_state_dict(half)
    inversion = tiny_inversion(prior)
    inversion = type(inversion)(inversion.encoder, inversion.w_mean, Card("inversion encoder",
        inversion.card.config, 0, "mine", prior_digest=card.digest))  # fmt: skip
    sam = reage.save(above, Sam(tiny_encoder(channels=4, seed=3), inversion, net, sam_card()))
    if with_person:
        adapter = AgeAdapter(AdapterConfig(8, 16, 4, 4, 4, 8))
        own = Card("", {}, 0, "mine", prior_digest=sam.card.digest)
        time_machine.save(tmp_path / "mine", Personal(adapter, (20, 60), own))
    layout = "mytm" if with_person else "sam"
    assert export(tmp_path / "mine", tmp_path / "out.pt").layout == layout
    made = import_file(tmp_path / "out.pt", extra=Extra(ages=(20, 60)))
    assert made.source.kind == layout
    for place in ("", "prior", "inversion") if not with_person else ("", "sam", "sam/prior", "sam/inversion"):
        assert same(made.folder / place, tmp_path / "mine" / place), place


def test_low_rank_weights_as_peft_names_them(tmp_path: Path) -> None:
    prior = load_prior("starter-3d")
    net = personal.prepare(prior.net, QUICK)
    with torch.no_grad():
        for tensor in personal.trained_tensors(net, QUICK).values():
            tensor += torch.randn_like(tensor)
    codes = torch.randn(2, prior.net.num_ws, 256)
    card = model.model_card(QUICK, prior, "d" * 64, "selfsame fit ada")
    saved = model.save(
        tmp_path / "ada",
        model.PersonalModel(net, codes, facing(torch.zeros(2), torch.zeros(2)), card),
        QUICK,
        ["a", "b"],
    )
    made = export(tmp_path / "ada", tmp_path / "adapter")
    assert made.layout == "peft"
    tensors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    name = "base_model.model.backbone.synthesis.b8.conv0"
    assert tensors[f"{name}.lora_A.weight"].shape[0] == 3  # rank 1 of a kernel of 3 is 3 rows [My3DGen]
    assert "backbone.synthesis.b8.conv0" in (tmp_path / "adapter" / "adapter_config.json").read_text()
    back = import_file(tmp_path / "adapter" / "adapter_model.safetensors", out=tmp_path / "back")
    assert same(back.folder, tmp_path / "ada")
    person = model.load(back.folder, prior)
    assert torch.equal(person.anchors, saved.anchors)
    assert anchors.ids_of(back.folder) == ["a", "b"]
    (tmp_path / "adapter" / "adapter_config.json").unlink()
    with pytest.raises(BadInput, match="does not tell what these low-rank weights belong to"):
        import_file(tmp_path / "adapter" / "adapter_model.safetensors", out=tmp_path / "third")


@pytest.mark.parametrize("low_rank", [LowRankConfig(), LowRankConfig(4, 4.0, "plain"), None], ids=str)
def test_a_merged_prior_shows_what_the_personal_model_shows(tmp_path: Path, low_rank: LowRankConfig | None) -> None:
    base = tiny_prior()
    weights.save_net(tmp_path / "base", base.net, replace(base.card, licence="Its maker's."))
    prior = load_prior(tmp_path / "base")
    config = replace(QUICK, low_rank=low_rank)
    net = personal.prepare(prior.net, config).requires_grad_(False)
    for tensor in personal.trained_tensors(net, config).values():
        tensor += 0.1 * torch.randn_like(tensor)
    card = model.model_card(config, prior, "d" * 64, "selfsame fit ada")
    made = model.PersonalModel(net, prior.draw(2, 0), facing(torch.zeros(2), torch.zeros(2)), card)
    saved = model.save(tmp_path / "ada", made, config, ["a", "b"])
    with pytest.raises(BadInput, match="has no name on this machine"):
        export(tmp_path / "ada", tmp_path / "merged", "merged")
    with pytest.raises(BadInput, match="was made on"):
        export(tmp_path / "ada", tmp_path / "merged", "merged", "starter-3d")
    assert not (tmp_path / "merged").exists()
    assert export(tmp_path / "ada", tmp_path / "merged", "merged", str(tmp_path / "base")).tensors == len(
        prior.net.state_dict()
    )
    merged = load_prior(tmp_path / "merged")
    views = facing(torch.tensor([0.2, -0.3]), torch.zeros(2))
    assert torch.equal(merged.net(made.anchors, views).image, made.render(made.anchors, views).image)
    assert (merged.card.data_digest, merged.card.prior_digest) == (saved.card.digest, prior.digest)
    assert merged.card.licence == saved.card.licence and "Its maker's." in merged.card.licence
    assert "consent" in merged.card.licence


def test_a_prior_for_a_layout_that_needs_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="layout nvidia needs no prior"):
        export(store.find("starter-3d"), tmp_path / "x.pt", made_on="starter-3d")


def test_what_is_exported_is_the_state_that_is_used(tmp_path: Path) -> None:
    prior = load_prior("starter-3d")
    digests = []
    for number, place in enumerate((".", "states/001")):
        net = personal.prepare(prior.net, replace(QUICK, seed=number)).requires_grad_(False)
        card = model.model_card(QUICK, prior, "d" * 64, "selfsame fit ada")
        made = model.PersonalModel(net, prior.draw(2, 0), facing(torch.zeros(2), torch.zeros(2)), card)
        digests.append(model.save(tmp_path / "ada" / place, made, QUICK, ["a", "b"]).card.digest)
    past = history.read(tmp_path / "ada")
    history.write(tmp_path / "ada", history.added(past, "states/001", ("b",), (), ()))
    export(tmp_path / "ada", tmp_path / "merged", "merged")
    assert load_prior(tmp_path / "merged").card.data_digest == digests[1] != digests[0]


def test_a_full_model_and_other_kinds_have_no_layout(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no published layout for a perceptual judge"):
        export(store.STARTER_FOLDER / "perceptual", tmp_path / "x.pt")
    with pytest.raises(WrongUse, match=r"has no layout peft\. Give --layout nvidia or rosinality"):
        export(store.find("starter-2d"), tmp_path / "x.pt", "peft")
    assert not (tmp_path / "x.pt").exists()


def test_judges_go_out_under_the_names_of_their_files(tmp_path: Path) -> None:
    export(store.STARTER_FOLDER / "judge", tmp_path / "j.pth")
    found = torch.load(tmp_path / "j.pth", weights_only=True)
    assert torch.equal(
        found["input_layer.0.weight"], weights.load(store.STARTER_FOLDER / "judge")[0]["input_layer.0.weight"]
    )
