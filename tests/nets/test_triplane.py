"""The tri-plane generator's promises, on a toy."""

from dataclasses import replace

import pytest
import torch

from selfsame.core.camera import Camera, from_angles, rays
from selfsame.core.errors import BadInput, WrongUse
from selfsame.core.rng import generator
from selfsame.nets.stylegan2 import Discriminator, DiscriminatorConfig, StyleGAN2, StyleGAN2Config, batch_deviation
from selfsame.nets.triplane import STARTER_3D, TriPlane, TriPlaneConfig, pixel_centres

TOY = replace(
    STARTER_3D, channel_base=128, channel_max=8, plane_px=16, plane_channels=4, w_dim=8, z_dim=8, feature_channels=4,
    decoder_hidden=8, neural_px=8, image_px=16, superres_channels=(4, 4), depth_samples=6, importance_samples=6,
    mapping_layers=1, backdrop_px=2,
)  # fmt: skip
CAMERAS = from_angles(torch.tensor([0.2, -0.3]), torch.tensor([0.1, 0.0]))


def toy(config: TriPlaneConfig = TOY) -> tuple[TriPlane, torch.Tensor]:
    model = TriPlane(config)
    return model, model.map(torch.randn(2, config.z_dim), CAMERAS).detach()


def test_forward_changes_nothing_and_repeats_itself() -> None:
    model, w_plus = toy()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    first, second = model(w_plus, CAMERAS), model(w_plus, CAMERAS)
    assert torch.equal(first.image, second.image)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert first.image.shape == (2, 3, 16, 16)
    assert first.raw.shape == (2, 3, 8, 8)
    assert first.depth.shape == first.alpha.shape == (2, 1, 8, 8)


def test_a_batch_equals_its_images_one_by_one() -> None:
    model, w_plus = toy()
    together = model(w_plus, CAMERAS).image
    alone = torch.cat([model(w_plus[i : i + 1], CAMERAS[i]).image for i in (0, 1)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_randomness_only_from_generators() -> None:
    model, w_plus = toy()
    with torch.no_grad():
        for layer in model.modules():
            if hasattr(layer, "noise_strength"):
                layer.noise_strength.fill_(0.5)

    def image(seed: int) -> torch.Tensor:
        depth, noise = generator(seed, "depth"), generator(seed, "noise")
        return model(w_plus, CAMERAS, generator=depth, noise=noise).image

    torch.testing.assert_close(image(1), image(1))
    assert not torch.allclose(image(1), image(2))
    assert not torch.allclose(model(w_plus, CAMERAS, noise="none").image, model(w_plus, CAMERAS).image)


@pytest.mark.parametrize("chunk", [1, 17, 1000])
def test_chunks_of_rays_change_nothing(chunk: int) -> None:
    model, w_plus = toy()
    whole = model(w_plus, CAMERAS, generator=generator(0, "depth"), ray_chunk=64)
    parts = model(w_plus, CAMERAS, generator=generator(0, "depth"), ray_chunk=chunk)
    torch.testing.assert_close(whole.image, parts.image)
    parameters = list(model.parameters())
    for a, b in zip(
        torch.autograd.grad(whole.image.square().mean(), parameters, allow_unused=True),
        torch.autograd.grad(parts.image.square().mean(), parameters, allow_unused=True),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_random_rays_are_pixels_of_the_picture() -> None:
    model, w_plus = toy()
    picture = model(w_plus, CAMERAS)
    chosen = torch.tensor([3, 60, 20])
    origins, directions = rays(CAMERAS, 8)
    uv = pixel_centres(8, w_plus.device).expand(2, -1, -1)
    seen = model.render_rays(
        model.planes(w_plus), w_plus[:, -1], origins[:, chosen], directions[:, chosen], uv[:, chosen]
    )
    torch.testing.assert_close(seen.features[..., :3], picture.raw.flatten(2)[:, :, chosen].transpose(1, 2))
    torch.testing.assert_close(seen.depth, picture.depth.flatten(2)[:, :, chosen].transpose(1, 2))


def test_the_backdrop_fills_what_the_volume_lets_through() -> None:
    model, w_plus = toy()
    with torch.no_grad():
        model.decoder.net[2].bias[0] = -100.0  # an empty volume
    clear = model(w_plus, CAMERAS)
    expected = torch.sigmoid(model.backdrop(w_plus[:, -1])).reshape(2, 3, 2, 2) * 2 - 1
    expected = torch.nn.functional.interpolate(expected, size=(8, 8), mode="bilinear", align_corners=False)
    torch.testing.assert_close(clear.raw, expected, rtol=1e-4, atol=1e-5)
    black, _ = toy(replace(TOY, backdrop_px=0))
    with torch.no_grad():
        black.decoder.net[2].bias[0] = -100.0
    torch.testing.assert_close(black(w_plus, CAMERAS).raw, torch.full((2, 3, 8, 8), -1.0), rtol=0, atol=1e-5)


def test_everything_that_draws_gets_a_gradient() -> None:
    model, _ = toy()
    model(model.map(torch.randn(2, 8)), CAMERAS).image.square().mean().backward()
    silent = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent == {f"superresolution.block{b}.conv{c}.noise_strength" for b in (0, 1) for c in (0, 1)}


def test_cameras_get_gradients() -> None:
    model, w_plus = toy()
    pose = CAMERAS.cam2world.clone().requires_grad_()
    model(w_plus, Camera(pose, CAMERAS.intrinsics)).image.square().mean().backward()
    assert pose.grad is not None
    assert pose.grad[:, :3].abs().sum() > 0


def test_truncation_and_the_running_mean() -> None:
    model, _ = toy()
    z = torch.randn(2, 8)
    mapping = model.backbone.mapping
    mapping.update_w_avg(torch.ones(4, 8), decay=0.5)
    assert (mapping.w_avg == 0.5).all()
    full, half = model.map(z), model.map(z, psi=0.5, cutoff=3)
    torch.testing.assert_close(half[:, :3], (full[:, :3] + 0.5) / 2)
    assert torch.equal(half[:, 3:], full[:, 3:])
    torch.testing.assert_close(model.map(z, psi=0.0), torch.full_like(full, 0.5))


def test_wrong_use_and_foreign_weights_are_refused() -> None:
    with pytest.raises(WrongUse):
        TriPlane(replace(TOY, image_px=64))
    with pytest.raises(WrongUse):
        TriPlane(replace(TOY, c_dim=25)).map(torch.randn(1, 8))
    model, _ = toy()
    key = "backbone.synthesis.b4.resample_filter"
    published = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64
    model.load_state_dict(model.state_dict() | {key: published})
    with pytest.raises(BadInput):
        model.load_state_dict(model.state_dict() | {key: published.flip(0) + 1})


def test_starter_size() -> None:
    numbers = sum(p.numel() for p in TriPlane(STARTER_3D).parameters())
    assert numbers * 2 < 12 * 2**20  # half precision, the file's limit


def test_stylegan2_trains_with_r1() -> None:
    """The discriminator's gradient penalty needs second derivatives through in-place activations."""
    generator_ = StyleGAN2(
        StyleGAN2Config(image_px=16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=128, channel_max=8)
    )
    critic = Discriminator(DiscriminatorConfig(16, channel_base=128, channel_max=8))
    image = generator_(generator_.map(torch.randn(4, 8)))
    image.retain_grad()
    (slope,) = torch.autograd.grad(critic(image).sum(), image, create_graph=True)
    slope.square().sum().backward()
    assert all(p.grad is not None for n, p in critic.named_parameters() if n.endswith("weight"))
    assert image.grad is not None


def test_batch_deviation_by_hand() -> None:
    x = torch.tensor([1.0, 3.0, 5.0, 5.0]).reshape(4, 1, 1, 1)
    torch.testing.assert_close(batch_deviation(x, group=2).flatten(), torch.tensor([2.0, 1.0, 2.0, 1.0]))
    assert batch_deviation(torch.randn(5, 2, 4, 4)).shape == (5, 1, 4, 4)
