import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segmentation.losses import IGNORE, cross_entropy, dice, distillation, match_size, segmentation_loss


def _case(seed: int = 0, classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 6, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (2, 6, 5), generator=generator)


def test_cross_entropy_is_the_mean_over_labelled_pixels() -> None:
    logits, target = _case()
    assert cross_entropy(logits, target) == pytest.approx(functional.cross_entropy(logits, target).item())
    target[0, :3] = IGNORE
    expected = functional.cross_entropy(logits, target, ignore_index=IGNORE).item()
    assert cross_entropy(logits, target) == pytest.approx(expected)


def test_losses_without_a_label_are_zero_and_have_a_gradient() -> None:
    logits, target = _case()
    logits.requires_grad_()
    target[:] = IGNORE
    loss = segmentation_loss(logits, target)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_dice_of_certain_predictions() -> None:
    _, target = _case()
    right = functional.one_hot(target, 3).movedim(-1, 1).double() * 100
    assert dice(right, target) == pytest.approx(0, abs=1e-6)
    wrong = functional.one_hot((target + 1) % 3, 3).movedim(-1, 1).double() * 100
    assert dice(wrong, target) > 0.9


def test_dice_leaves_out_classes_that_the_truth_lacks() -> None:
    logits, target = _case(classes=2)
    wider = torch.cat([logits, torch.full_like(logits[:, :1], -50.0)], 1)
    assert dice(wider, target) == pytest.approx(dice(logits, target).item(), abs=1e-6)


def test_dice_does_not_see_unlabelled_pixels() -> None:
    logits, target = _case()
    target[1] = IGNORE
    assert dice(logits, target) == pytest.approx(dice(logits[:1], target[:1]).item())


def test_gradients_agree_with_finite_differences() -> None:
    logits, target = _case()
    target[0, 0] = IGNORE
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: segmentation_loss(x, target), (logits,))
    teacher = _case(1)[0]
    assert torch.autograd.gradcheck(lambda x: distillation(x, teacher, temperature=3.0), (logits,))


def test_distillation_is_zero_only_for_equal_distributions() -> None:
    student, _ = _case()
    assert distillation(student, student + 7) == pytest.approx(0, abs=1e-12)
    assert distillation(student, student.flip(1)) > 0.1


def test_distillation_is_torchs_divergence_times_the_squared_temperature() -> None:
    student, teacher = _case(0)[0], _case(1)[0]
    divergence = functional.kl_div(
        (student / 4).log_softmax(1), (teacher / 4).log_softmax(1), log_target=True, reduction="none"
    )
    expected = divergence.sum(1).mean().item() * 16
    assert distillation(student, teacher, temperature=4.0) == pytest.approx(expected)


def test_distillation_matches_sizes_and_spares_the_teacher() -> None:
    student = _case()[0].requires_grad_()
    teacher = torch.randn(2, 3, 13, 11, dtype=torch.float64, requires_grad=True)
    distillation(student, teacher).backward()
    assert student.grad is not None
    assert student.grad.shape == student.shape
    assert teacher.grad is None
    resized = match_size(teacher, (6, 5)).detach()
    assert distillation(student, teacher).item() == pytest.approx(distillation(student, resized).item())
