"""What every detector keeps, asked of a small one: gradients, memory, order, maps, a file. For tests of one family."""

from dataclasses import replace

import torch
from torch import Tensor

from selfsame.core.errors import BadInput
from selfsame.detectors import explain, table
from selfsame.detectors.detector import Detector
from selfsame.tasks import detector


def shown(name: str, count: int = 3, px: int | None = None) -> tuple[Detector, Tensor]:
    """A detector in evaluation mode and clips of noise; `px` makes what it looks at another size, which is quicker."""
    torch.manual_seed(0)
    net = table.build(name).eval()
    net.sight = replace(net.sight, px=px or net.sight.px)
    return net, torch.rand(count, net.sight.pictures, 3, net.sight.px, net.sight.px) * 2 - 1


def check_gradients(name: str) -> None:
    """Every weight that is trained is moved by the lesson's loss."""
    net, clips = shown(name)
    loss = net.train().lesson.loss(net, clips, torch.tensor([0.0, 1.0, 1.0]), torch.Generator())
    assert loss.shape == () and loss.isfinite()
    loss.backward()
    still = [key for key, p in net.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert not still


def check_memory(name: str, steps: int, lr: float, px: int) -> None:
    """Eight clips of noise with random labels are learned by heart."""
    net, clips = shown(name, 8, px)
    fake, adam = torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1]), torch.optim.AdamW(net.parameters(), lr)
    for _ in range(steps):
        loss = net.train().lesson.loss(net, clips, fake, torch.Generator())
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        assert torch.equal((net(clips) > 0).float(), fake)


def check_order(name: str) -> None:
    """A score hangs on its own clip alone, and comes from the features."""
    net, clips = shown(name)
    with torch.no_grad():
        together, alone = net(clips), torch.cat([net(one[None]) for one in clips])
        assert torch.equal(net.head(net.features(clips)).squeeze(-1), together)
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(net(clips.flip(0)), together.flip(0), atol=1e-5, rtol=1e-5)


def check_file(name: str, other: str) -> None:
    """What it learned makes another one of its kind the same, and none of another kind."""
    net, clips = shown(name, 2)
    torch.manual_seed(1)
    again = table.build(name).eval()
    with torch.no_grad():
        assert not torch.equal(again(clips), net(clips))
        detector.restore(again, net.learned())
        assert torch.equal(again(clips), net(clips))
    try:
        detector.restore(table.build(other), net.learned())
    except BadInput:
        return
    raise AssertionError(f"{other} took the weights of {name}")


def check_maps(name: str, cells: int) -> None:
    """Grad-CAM has a map of each frame, and leaves nothing behind."""
    net, clips = shown(name, 2)
    maps = explain.grad_cam(net, clips, "both")
    assert maps.shape == (2, net.sight.frames, cells, cells)
    assert maps.isfinite().all() and maps.any() and maps[:, 0].any() and maps[:, -1].any()
    torch.testing.assert_close(explain.grad_cam(net, clips[1:], "both"), maps[1:], atol=1e-5, rtol=1e-3)
    assert all(p.grad is None for p in net.parameters()) and not net.training
