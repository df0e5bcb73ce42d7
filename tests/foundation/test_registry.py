from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from foundation import registry as module
from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from foundation.registry import Registry


class Animal:
    pass


class Dog(Animal):
    class Options(PluginOptions):
        legs: int = 4
        name: str = "Rex"


class Cat(Animal):
    pass


class Horse(Animal):
    class Options(PluginOptions):
        bare = "name"
        name: str = ""
        legs: int = 4


class Sheep(Animal):
    class Options(PluginOptions):
        wool: int


class Stone:
    pass


HERE = __name__
ANIMALS: Registry[Animal] = Registry("animal", "tests.animals", f"{HERE}:Animal", {"dog": f"{HERE}:Dog"})


@pytest.fixture
def with_entry_points(monkeypatch: pytest.MonkeyPatch) -> Registry[Animal]:
    found = [EntryPoint(name, f"{HERE}:{value}", "tests.animals") for name, value in
             [("stone", "Stone"), ("cat", "Cat"), ("dog", "Cat"), ("gone", "Missing"), ("sheep", "Sheep")]]  # fmt: skip
    monkeypatch.setattr(module, "entry_points", lambda group: found if group == "tests.animals" else [])
    return Registry("animal", "tests.animals", f"{HERE}:Animal", ANIMALS.builtin)


def test_built_in_names_come_first_and_cannot_be_taken(with_entry_points: Registry[Animal]) -> None:
    assert with_entry_points.names == ("dog", "cat", "gone", "sheep", "stone")
    assert with_entry_points.get("dog") is Dog
    assert with_entry_points.get("cat") is Cat


def test_options_are_validated_by_the_model_of_the_class() -> None:
    assert ANIMALS.parse("dog") == (Dog, {})
    assert ANIMALS.parse("dog:legs=3,name=Max") == (Dog, {"legs": 3, "name": "Max"})
    assert ANIMALS.parse("dog:name=a=b") == (Dog, {"name": "a=b"}), "only the first equals sign divides"


def test_one_option_may_stand_first_without_its_key() -> None:
    animals: Registry[Animal] = Registry("animal", "tests.animals", f"{HERE}:Animal", {"horse": f"{HERE}:Horse"})
    assert animals.parse("horse:Max,legs=3") == animals.parse("horse:name=Max,legs=3") == (
        Horse, {"name": "Max", "legs": 3},
    )  # fmt: skip
    assert animals.parse("horse") == animals.parse("horse:") == (Horse, {})
    with pytest.raises(UserError, match="got 'Max'; expected KEY=VALUE"):
        animals.parse("horse:legs=3,Max")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("horse", "'horse'; expected one of dog"),
        ("dog:legs=many", "legs: Input should be a valid integer"),
        ("dog:wings=2", "wings: Extra inputs are not permitted; expected options of dog: legs, name"),
        ("dog:wings=2", "write for example dog:legs=4$"),
        ("dog:legs", "^animal 'dog:legs': got 'legs'; expected KEY=VALUE"),
        ("dog:=3", "KEY=VALUE"),
    ],
)
def test_what_is_wrong_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ANIMALS.parse(text)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stone", "is no Animal"),
        ("gone", "Missing"),
        ("cat:a=1", "a: Extra.* options of cat: none; write for example cat$"),
        ("sheep", "sheep:wool=VALUE$"),
    ],
)
def test_broken_plug_ins_are_named(with_entry_points: Registry[Animal], name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        with_entry_points.parse(name)
