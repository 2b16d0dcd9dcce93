"""`frozen` makes what `attrs.frozen` makes; only the way in which an instance is filled differs."""

from __future__ import annotations

import copy
import pickle
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.frozen import frozen

T = TypeVar("T")


@frozen
class Few:
    a: int
    b: str = "b"


@frozen
class Many:
    a: int
    b: int = 2
    c: str = "c"
    d: tuple[int, ...] = ()
    e: list[int] = attrs.field(factory=list[int])
    f: int | None = attrs.field(default=None, converter=attrs.converters.optional(int))


@attrs.frozen
class AsAttrsMakesIt:
    a: int
    b: int = 2
    c: str = "c"
    d: tuple[int, ...] = ()
    e: list[int] = attrs.field(factory=list[int])
    f: int | None = attrs.field(default=None, converter=attrs.converters.optional(int))


@frozen
class Checked:
    a: int = attrs.field(validator=attrs.validators.gt(0))
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0

    def __attrs_post_init__(self) -> None:
        if self.b < 0:
            raise ValueError("b")


@frozen
class Writing:
    a: int
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0

    def __attrs_post_init__(self) -> None:
        self.a = 1  # type: ignore[misc]  # that is refused


@frozen
class Derived(Checked):
    f: int = 0
    g: int = 0
    h: int = 0
    i: int = 0
    j: int = 0


class Undecorated(Many):
    @property
    def double(self) -> int:
        return 2 * self.a


@frozen
class Of(Generic[T]):
    a: T
    b: T
    c: T
    d: T
    e: T


class Shape(ABC):
    @abstractmethod
    def area(self) -> int: ...


@frozen
class Square(Shape):
    a: int
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0

    def area(self) -> int:
        return self.a * self.a


MADE = [
    Few(1),
    Many(1),
    Checked(1),
    Derived(1, f=2),
    Undecorated(1),
    Of(1, 2, 3, 4, 5),
    Square(3),
]


@pytest.mark.parametrize("made", MADE, ids=lambda each: type(each).__name__)
def test_no_instance_can_be_written(made: Any) -> None:  # noqa: ANN401 - any class
    with pytest.raises(FrozenInstanceError):
        made.a = 7
    with pytest.raises(FrozenInstanceError):
        del made.a
    assert made.a in {1, 3}


@pytest.mark.parametrize(
    ("made", "cls"),
    list(zip(MADE, [Few, Many, Checked, Derived, Undecorated, Of, Square], strict=True)),
)
def test_an_instance_is_of_its_very_class(made: object, cls: type[Any]) -> None:
    assert type(made) is cls
    assert made.__class__ is cls


@pytest.mark.parametrize("made", MADE, ids=lambda each: type(each).__name__)
def test_copies_are_equal_and_as_frozen(made: Any) -> None:  # noqa: ANN401 - any class
    pickled = pickle.loads(pickle.dumps(made))  # noqa: S301 - it was made here
    for again in (copy.copy(made), copy.deepcopy(made), pickled):
        assert again == made
        assert type(again) is type(made)
        with pytest.raises(FrozenInstanceError):
            again.a = 7


def test_nothing_can_be_written_after_it_is_filled_not_even_by_itself() -> None:
    with pytest.raises(FrozenInstanceError):
        Writing(1)


def test_validators_and_later_checks_refuse_as_with_attrs() -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        Checked(0)
    with pytest.raises(ValueError, match="b"):
        Checked(1, b=-1)
    with pytest.raises(ValueError, match="b"):
        Derived(1, b=-1)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        Many()  # type: ignore[call-arg]  # that is refused


def test_each_instance_has_defaults_of_its_own() -> None:
    assert Many(1).e == []
    assert Many(1).e is not Many(1).e


def test_subclasses_have_their_own_fields_and_methods() -> None:
    assert Undecorated(4).double == 8
    assert Derived(1, j=5).j == 5
    assert Square(3).area() == 9
    with pytest.raises(TypeError, match="abstract"):
        Shape()  # type: ignore[abstract]  # that is refused


numbers = st.integers(-3, 3)


@given(a=numbers, b=numbers, c=st.text(max_size=3), d=st.tuples(numbers), f=st.none() | numbers)
def test_it_looks_compares_and_hashes_as_what_attrs_makes(
    a: int, b: int, c: str, d: tuple[int, ...], f: int | None
) -> None:
    ours, theirs = Many(a, b, c, d, f=f), AsAttrsMakesIt(a, b, c, d, f=f)
    assert attrs.astuple(ours) == attrs.astuple(theirs)
    assert repr(ours) == repr(theirs).replace("AsAttrsMakesIt", "Many")
    assert ours == Many(a, b, c, d, f=f)
    assert ours != Many(a + 1, b, c, d, f=f)
    assert attrs.evolve(ours, a=9).a == 9
    same, other = Of(a, b, c, d, f), Of(a, b, c, d, f)
    assert hash(same) == hash(other)
    assert len({same, other}) == 1
    match ours:
        case Many(first, second):
            assert (first, second) == (a, b)
        case _:
            pytest.fail("it does not match")


def test_the_parts_of_a_class_are_those_that_attrs_makes() -> None:
    assert [each.name for each in attrs.fields(Many)] == [
        each.name for each in attrs.fields(AsAttrsMakesIt)
    ]
    assert Many.__match_args__ == AsAttrsMakesIt.__match_args__
    assert Many.__init__.__annotations__ == AsAttrsMakesIt.__init__.__annotations__
    with pytest.raises(TypeError, match="unhashable"):
        hash(Many(1))
