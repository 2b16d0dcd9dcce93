"""What a kind may declare, and which texts, days and instants a record may hold."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import attrs
import pytest
from attrs import field, frozen

from subscriptions.errors import ValidationError
from subscriptions.records import (
    METADATA_KEYS_MAX,
    METADATA_LENGTH_MAX,
    Column,
    ColumnType,
    Kind,
    Metadata,
    Ref,
    aware,
    evolve,
    plain_date,
    plain_text,
)
from subscriptions.testing.builders import a_customer
from subscriptions.testing.examples import examples


@frozen
class Note:
    id: str
    tenant: str
    version: int
    text: str


TEXT: Column[Note] = Column("text", ColumnType.TEXT, lambda note: note.text)


class NoOffset(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta | None:
        return None

    def dst(self, _: datetime | None) -> timedelta | None:
        return None

    def tzname(self, _: datetime | None) -> str | None:
        return None


def test_a_kind_finds_its_columns_by_name() -> None:
    kind = Kind("note", Note, columns=(TEXT,), unique=(("text",),))
    assert kind.by_name == {"text": TEXT}
    assert kind.by_name["text"].get(Note("n", "t", 1, "hello")) == "hello"
    assert repr(kind) == "Kind('note')"


def test_a_unique_key_names_declared_columns() -> None:
    with pytest.raises(ValidationError) as caught:
        Kind("note", Note, columns=(TEXT,), unique=(("text", "title"),))
    assert (caught.value.field, caught.value.value) == ("note.unique", "title")


def test_a_kind_is_itself_and_no_other() -> None:
    one, other = Kind("note", Note), Kind("note", Note)
    assert one == one  # noqa: PLR0124 - that is the law
    assert one != other
    assert Ref(one, "n") == Ref(one, "n")
    assert len({one, other}) == 2


def test_metadata_is_a_mapping_that_keeps_its_order() -> None:
    metadata = Metadata({"b": "2", "a": "1"})
    assert list(metadata.items()) == [("b", "2"), ("a", "1")]
    assert (len(metadata), metadata["a"], metadata.get("c")) == (2, "1", None)
    assert repr(metadata) == "Metadata({'b': '2', 'a': '1'})"
    assert len(Metadata()) == len(Metadata(None)) == 0


def test_metadata_are_equal_whatever_their_order() -> None:
    one, other = Metadata({"a": "1", "b": "2"}), Metadata({"b": "2", "a": "1"})
    assert one == other == {"a": "1", "b": "2"}
    assert hash(one) == hash(other)
    assert one != Metadata({"a": "1"})


def test_metadata_is_no_alias_of_what_it_was_made_from() -> None:
    given = {"a": "1"}
    metadata = Metadata(given)
    given["a"] = "2"
    assert metadata["a"] == "1"
    with pytest.raises(TypeError):
        metadata["a"] = "2"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    with pytest.raises(AttributeError):
        metadata.more = 1  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def test_metadata_survives_pickling_and_copying() -> None:
    metadata = Metadata({"a": "1"})
    assert pickle.loads(pickle.dumps(metadata)) == metadata  # noqa: S301 - our own bytes
    assert copy.deepcopy(metadata) == metadata


def test_metadata_has_limits() -> None:
    keys = {str(n): "" for n in range(METADATA_KEYS_MAX)}
    assert len(Metadata(keys)) == METADATA_KEYS_MAX
    long = "x" * METADATA_LENGTH_MAX
    assert Metadata({long: long})[long] == long
    refused: list[dict[Any, Any]] = [
        {**keys, "one more": ""},
        {long + "x": ""},
        {"a": long + "x"},
        {"": "no key"},
        {1: "a"},
        {"a": 1},
        {"a": None},
        {"a": "\x00"},
    ]
    for items in refused:
        with pytest.raises(ValidationError) as caught:
            Metadata(items)
        assert caught.value.field.startswith("metadata")


@pytest.mark.parametrize("text", ["Ada", "tab\tline\r\n", "🧾", "שלום", "e\u0301", " x "])
def test_a_plain_text_is_returned_as_it_is(text: str) -> None:
    assert plain_text("name", text) == text


@pytest.mark.parametrize(
    "value",
    [
        *(None, 5, b"bytes", ["list"]),
        *("", "   ", "\n", "x" * 501),
        *("a\x00b", "\x1b[31m", "\x7f", "half \ud83e", "\udfff"),
    ],
    ids=ascii,
)
def test_what_is_no_plain_text_is_refused(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        plain_text("name", value)
    assert caught.value.field == "name"
    assert len(ascii(caught.value.value)) < 600


def test_a_plain_text_may_be_empty_where_that_is_said() -> None:
    assert plain_text("company", "", empty=True) == ""
    assert plain_text("company", " ", empty=True) == " "
    with pytest.raises(ValidationError):
        plain_text("company", "xxxx", length_max=3, empty=True)


def test_an_instant_has_a_zone() -> None:
    at = datetime(2027, 1, 31, tzinfo=timezone(timedelta(hours=2)))
    assert aware("at", at) is at
    naive = datetime(2027, 1, 31)  # noqa: DTZ001 - that is the mistake
    nowhere = datetime(2027, 1, 31, tzinfo=NoOffset())
    for value in (naive, nowhere, date(2027, 1, 31), "2027-01-31T00:00:00Z", None):
        with pytest.raises(ValidationError):
            aware("at", value)


def test_a_day_is_no_instant() -> None:
    assert plain_date("on", date(2027, 1, 31)) == date(2027, 1, 31)
    for value in (datetime(2027, 1, 31, tzinfo=UTC), "2027-01-31", None):
        with pytest.raises(ValidationError):
            plain_date("on", value)


@frozen
class Single:
    value: int
    doubled: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "doubled", 2 * self.value)


def test_a_copy_with_changes_is_what_attrs_makes() -> None:
    for example in examples():
        record = example.record
        again = evolve(record, version=9)  # type: ignore[misc]  # any record
        assert again == attrs.evolve(record, version=9)  # type: ignore[misc]  # any record
        assert type(again) is type(record)


def test_a_copy_is_checked_and_computed_like_a_new_value() -> None:
    assert evolve(Single(1), value=2).doubled == 4
    assert evolve(Note("n", "t", 1, "a"), text="b") == Note("n", "t", 1, "b")
    with pytest.raises(ValidationError):
        evolve(a_customer(), name="")


def test_a_copy_has_no_other_fields() -> None:
    with pytest.raises(TypeError, match="nickname"):
        evolve(a_customer(), nickname="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
