"""Tables derived from the declared kinds: their names, their rows, the texts of their statements.

Each kind has one table: who and what (`tenant`, `id`, `version`), the order of insertion
(`position`), every declared column, and the whole record as one JSON document. The document is
what is read back; the columns are for questions. Statements are texts that are made once for each
kind, because composing them for each call costs more than running them.
"""

# ruff: noqa: S608 - names of tables and columns come from declared kinds; values are bound

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Any, TypeAlias

import sqlalchemy as sa
from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.events import EVENT, KINDS
from subscriptions.frozen import frozen
from subscriptions.records import (
    AnyKind,
    Column,
    ColumnType,
    ColumnValue,
    Record,
    aware,
    plain_date,
)

SqlValue: TypeAlias = str | int | None
Row: TypeAlias = tuple[SqlValue, ...]
Moved: TypeAlias = tuple[int, ...]

PREFIX = "subs_"
CONSUMER_TABLE = f"{PREFIX}consumer"
INVOICE_LINES_VIEW = f"{PREFIX}invoice_lines"
VERSION_TABLE = "subscriptions_version"

# ---- values -----------------------------------------------------------------------------------


def instant_text(value: datetime) -> str:
    """Write an instant in UTC, always 27 characters long, so that texts sort as instants do."""
    return _utc_text(value if value.tzinfo is UTC else aware("instant", value).astimezone(UTC))


@lru_cache(maxsize=1024)
def _utc_text(value: datetime) -> str:
    # All events of a commit happened at one instant, and many records are due at one midnight.
    return value.isoformat(timespec="microseconds")[:26] + "Z"


def column_value(column: Column[Any], value: object) -> SqlValue:
    """Return a value as the column keeps it; raises `ValidationError` for one of another type."""
    if value is None:
        return None
    match column.type:
        case ColumnType.TEXT:
            if isinstance(value, str):
                return str.__str__(value)  # of a member of an enum, what is stored
        case ColumnType.INTEGER:
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        case ColumnType.DAY:
            return plain_date(column.name, value).isoformat()
        case ColumnType.INSTANT:
            return instant_text(aware(column.name, value))
    raise ValidationError(column.name, value, f"a value of type {column.type.value}")


# Other types are kept as they are.
_WRITERS: dict[ColumnType, Callable[[Any], str]] = {
    ColumnType.DAY: date.isoformat,
    ColumnType.INSTANT: instant_text,
}

# ---- statements and rows ----------------------------------------------------------------------


@frozen(eq=False)
class KindTable:
    """The table of one kind: its name, and the statements that do not depend on a question."""

    kind: AnyKind
    name: str
    insert: str
    load: str
    load_one: str
    versions: str
    getters: tuple[Callable[[Any], ColumnValue], ...]
    writers: tuple[tuple[int, Callable[[Any], str]], ...]
    indexed: tuple[int, ...]
    unindexed: tuple[int, ...]
    updates: dict[Moved, str] = field(factory=dict[Moved, str])

    def values(self, record: Record) -> list[SqlValue]:
        """Return the values of the declared columns as they are stored."""
        return self._written([get(record) for get in self.getters])

    def new_row(self, record: Record, document: str) -> Row:
        """Return what `insert` takes for a record."""
        return (record.tenant, record.id, record.version, *self.values(record), document)

    def move(
        self, before: Record, after: Record, document: str, *, every_column: bool
    ) -> tuple[Moved, Row]:
        """Return which indexed columns are to be set, and what the statement for them takes.

        SQLite writes every index of which a column is set, whether its value differs or not, so
        only those are set that do: a renewal moves one of four.
        """
        getters = self.getters
        values: list[Any] = [get(after) for get in getters]
        moved = self.indexed
        if not every_column:
            moved = tuple([n for n in moved if getters[n](before) != values[n]])
        self._written(values)
        return moved, (
            after.version,
            *[values[n] for n in self.unindexed],
            *[values[n] for n in moved],
            document,
            after.tenant,
            after.id,
            before.version,
        )

    def update(self, moved: Moved) -> str:
        """Return the statement that moves a record on and sets these of its indexed columns."""
        text = self.updates.get(moved)
        if text is None:
            names = [self.kind.columns[n].name for n in (*self.unindexed, *moved)]
            settings = ", ".join(f"{name} = ?" for name in ["version", *names, "document"])
            text = f"UPDATE {self.name} SET {settings} WHERE tenant = ? AND id = ? AND version = ?"
            self.updates[moved] = text
        return text

    def _written(self, values: list[Any]) -> list[SqlValue]:
        for place, write in self.writers:
            if values[place] is not None:
                values[place] = write(values[place])
        return values


@cache
def table_of(kind: AnyKind) -> KindTable:
    """Return the table of a kind; it is made once."""
    name = PREFIX + kind.name
    columns = ["tenant", "id", "version", *[column.name for column in kind.columns], "document"]
    places = ", ".join("?" * len(columns))
    return KindTable(
        kind,
        name,
        insert=f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})",
        # One statement and one text, however many ids: they come as one JSON list.
        load=f"SELECT id, document FROM {name} WHERE tenant = ?"
        " AND id IN (SELECT value FROM json_each(?))",
        load_one=f"SELECT id, document FROM {name} WHERE tenant = ? AND id = ?",
        versions=f"SELECT id, version, document FROM {name} WHERE tenant = ?"
        " AND id IN (SELECT value FROM json_each(?))",
        getters=tuple(column.get for column in kind.columns),
        writers=tuple(
            (place, _WRITERS[column.type])
            for place, column in enumerate(kind.columns)
            if column.type in _WRITERS
        ),
        indexed=tuple(n for n, column in enumerate(kind.columns) if _in_an_index(kind, column)),
        unindexed=tuple(
            n for n, column in enumerate(kind.columns) if not _in_an_index(kind, column)
        ),
    )


def _in_an_index(kind: AnyKind, column: Column[Any]) -> bool:
    return column.indexed or any(column.name in key for key in kind.unique)


# ---- the tables as SQLAlchemy knows them ------------------------------------------------------

_TYPES: dict[ColumnType, type[sa.types.TypeEngine[Any]]] = {
    ColumnType.TEXT: sa.Text,
    ColumnType.INTEGER: sa.BigInteger,
    ColumnType.DAY: sa.Text,
    ColumnType.INSTANT: sa.Text,
}


def is_ours(name: str | None) -> bool:
    """Tell whether a table belongs to this library, for a host that compares its own."""
    return name in _our_names()


@cache
def _our_names() -> frozenset[str]:
    return frozenset({*describe().tables, INVOICE_LINES_VIEW, VERSION_TABLE})


def describe() -> sa.MetaData:
    """Return the tables that the declared kinds ask for, for comparison with those that exist."""
    metadata = sa.MetaData()
    for kind in KINDS:
        _describe(kind, metadata)
    sa.Table(
        CONSUMER_TABLE,
        metadata,
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("consumer", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    return metadata


def _describe(kind: AnyKind, metadata: sa.MetaData) -> None:
    name = PREFIX + kind.name
    table = sa.Table(
        name,
        metadata,
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        *[sa.Column(column.name, _TYPES[column.type]) for column in kind.columns],
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant", "id", name=f"{name}_id"),
        *[
            sa.UniqueConstraint("tenant", *key, name=f"{name}_{'_'.join(key)}")
            for key in kind.unique
        ],
        # A position of the outbox never returns, even if the last events were deleted.
        sqlite_autoincrement=kind is EVENT,
    )
    sa.Index(f"{name}_position", table.c.tenant, table.c.position)
    for column in kind.columns:
        index_name = f"{name}_{column.name}"
        # A unique key that begins with the column serves as its index.
        if not column.indexed or any(key[0] == column.name for key in kind.unique):
            continue
        if column.type in (ColumnType.DAY, ColumnType.INSTANT):
            # Many rows fall on one day; with the id in it, a page is read without sorting them.
            present = table.c[column.name].is_not(None) if column.name == "due_at" else None
            sa.Index(
                index_name,
                table.c.tenant,
                table.c[column.name],
                table.c.id,
                sqlite_where=present,
                postgresql_where=present,
            )
        else:
            present = table.c[column.name].is_not(None) if column.sparse else None
            sa.Index(
                index_name,
                table.c.tenant,
                table.c[column.name],
                sqlite_where=present,
                postgresql_where=present,
            )
