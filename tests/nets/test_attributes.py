"""The judge of attributes: what it tells, and that it comes back from its file."""

from pathlib import Path

import torch

from selfsame.core.weights import Card
from selfsame.nets import attributes
from selfsame.nets.attributes import AttributesConfig, AttributesJudge, AttributesResNet
from selfsame.nets.iresnet import IResNetConfig

SMALL = AttributesConfig(IResNetConfig(stem=4, stages=((4, 1), (8, 1)), squeeze=2, size_px=16, embedding=8))


def test_it_reads_its_trunk_linearly_and_tells_glasses_as_a_probability() -> None:
    torch.manual_seed(0)
    judge = AttributesJudge(AttributesResNet(SMALL))
    faces = torch.rand(3, 3, 40, 40) * 2 - 1
    told = judge(faces)
    assert tuple(told) == attributes.NAMES
    _, embedding = judge.network.trunk(judge.network.prepare(faces))
    raw = embedding * 8**0.5 @ judge.network.reads.weight.T + judge.network.reads.bias
    for index, (name, values) in enumerate(told.items()):
        expected = 1 / (1 + (-raw[:, index]).exp()) if name == "glasses" else raw[:, index]
        torch.testing.assert_close(values, expected)


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = AttributesResNet(SMALL)
    attributes.save(tmp_path, net, Card("", {}, 0, "For tests."))
    faces = torch.rand(2, 3, 16, 16)
    for name, values in attributes.load(tmp_path)(faces).items():
        torch.testing.assert_close(values, AttributesJudge(net)(faces)[name])
