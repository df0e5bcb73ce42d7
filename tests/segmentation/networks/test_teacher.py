from __future__ import annotations

import torch

from segmentation.networks.network import Network
from segmentation.networks.teacher import TOTAL_STRIDE, teacher_plan


def test_the_teacher_has_about_two_point_three_million_parameters() -> None:
    for classes in (2, 19):
        assert 2_200_000 < teacher_plan(classes).parameters() < 2_400_000


def test_logits_have_the_size_of_the_input() -> None:
    network = Network(teacher_plan(5)).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 2 * TOTAL_STRIDE, 3 * TOTAL_STRIDE)).shape == (1, 5, 64, 96)


def test_the_teacher_learns() -> None:
    torch.manual_seed(0)
    network = Network(teacher_plan())
    images = torch.randn(4, 3, 32, 32)
    masks = (torch.nn.functional.avg_pool2d(images, 9, 1, 4)[:, 0] > 0).long()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(network(images), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
