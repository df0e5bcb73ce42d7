import pytest

from latency.predictors.registry import predictor_class, predictor_names


@pytest.mark.parametrize("name", predictor_names())
def test_every_name_is_that_of_its_class(name: str) -> None:
    assert predictor_class(name).name == name
    assert predictor_class(name)().name == name, "made without arguments, to be restored"


def test_another_name() -> None:
    with pytest.raises(KeyError):
        predictor_class("crystal_ball")
