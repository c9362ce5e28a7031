"""TALL: marks by frame, a block masked alike in all frames, and the published checkpoint's names."""

import re

import pytest
import timm
import torch
from torch import nn

from selfsame.core.errors import BadInput
from selfsame.detectors import checkpoint, detector, table, tall


def test_a_block_is_masked_alike_in_all_frames_and_elsewhere_in_each_clip() -> None:
    clips = torch.rand(64, 4, 3, 56, 56) + 0.1
    made = tall.masked(clips, torch.Generator().manual_seed(0))
    hidden = made == 0
    assert (hidden == hidden[:, :1, :1]).all() and torch.equal(made[~hidden], clips[~hidden])
    areas = hidden[:, 0, 0].sum((1, 2))
    assert areas.max() == 8 * 8 and areas.min() >= 4 * 4 and areas.unique().numel() > 3
    assert (hidden[1:, 0, 0] != hidden[:-1, 0, 0]).any((1, 2)).all()


def test_each_frame_is_marked_by_a_vector_of_its_own() -> None:
    body = table.build("tall-small").body
    seen: list[torch.Tensor] = []
    body.swin.layers.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))  # type: ignore[union-attr]
    body.swin.patch_embed = Blank()  # type: ignore[union-attr]
    body.forward_features(torch.zeros(1, 3, 224, 224))  # type: ignore[operator]
    for frame, (row, column) in enumerate(((0, 0), (0, 14), (14, 0), (14, 14))):
        part = seen[0][0, row : row + 14, column : column + 14]
        assert torch.equal(part, body.marks[frame].expand_as(part))  # type: ignore[index]


class Blank(nn.Module):
    """Tokens of nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 28, 28, 48)


@pytest.fixture(scope="module")
def released() -> dict[str, torch.Tensor]:
    """Every tensor of the repository's TALL_SWIN by its name there, by the rules of its module tree."""
    with torch.device("meta"):
        swin = timm.create_model("swin_base_patch4_window7_224", num_classes=2, window_size=14)
    made = {}
    for name, like in swin.state_dict().items():
        stage = re.match(r"layers\.(\d)\.downsample", name)
        there = f"layers.{int(stage[1]) - 1}{name[8:]}" if stage else name.replace("head.fc.", "head.")
        made[there] = torch.empty(like.shape, device="meta")
    made["frame_pos_embed"] = torch.empty(1, 4, 128, device="meta")
    made["layers.0.blocks.1.attn_mask"] = torch.empty(16, 196, 196, device="meta")
    made["layers.0.blocks.0.attn.relative_position_index"] = torch.empty(196, 196, device="meta")
    return made


def test_the_published_checkpoint_fills_our_network(released: dict[str, torch.Tensor]) -> None:
    with torch.device("meta"):
        own = table.build("tall-swin-b").state_dict()
    renamed = tall.published(released)
    assert {name: x.shape for name, x in renamed.items()} == {name: x.shape for name, x in own.items()}


def test_two_classes_become_the_logit_of_fake() -> None:
    scores = torch.randn(5, 2)
    weight, bias = torch.randn(2, 7), torch.randn(2)
    x = torch.randn(5, 7)
    logit = x @ checkpoint.one_logit(weight).T + checkpoint.one_logit(bias)
    torch.testing.assert_close(logit[:, 0].sigmoid(), (x @ weight.T + bias).softmax(1)[:, 1])
    torch.testing.assert_close(checkpoint.one_logit(bias, fake=0), -checkpoint.one_logit(bias))
    with pytest.raises(BadInput, match="not of two classes"):
        checkpoint.one_logit(scores)


def test_windows_of_another_size_get_resized_biases() -> None:
    table_of = torch.arange(169.0)[:, None] // 13  # rises with the row
    larger = detector._resized_table(table_of, 27 * 27)
    assert larger.shape == (729, 1)
    rows = larger.reshape(27, 27)
    torch.testing.assert_close(rows, rows[:, :1].expand_as(rows))
    assert (rows[1:, 0] >= rows[:-1, 0]).all() and rows.min() == 0 and rows.max() == 12
    assert detector._resized_table(table_of, 169) is table_of
