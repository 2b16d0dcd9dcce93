"""The bounds that our figures are measured against.

They do the work of a billing run with nothing around it, so they say what the machine could do in
that minute. They share no code with the library.
"""

from __future__ import annotations

import sqlite3
from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path

from attrs import frozen


@frozen
class Sub:
    """A subscription of the minimal loop."""

    id: str
    customer: str
    anchor: date
    index: int
    price_minor: int
    version: int


@frozen
class Line:
    """A line of the minimal loop."""

    text: str
    start: date
    end: date
    net_minor: int


@frozen
class Invoice:
    """An invoice of the minimal loop."""

    id: str
    number: str
    customer: str
    lines: tuple[Line, ...]
    net_minor: int
    tax_minor: int
    total_minor: int


@frozen
class Payment:
    """A payment of the minimal loop."""

    id: str
    invoice: str
    amount_minor: int


@frozen
class Event:
    """An event of the minimal loop."""

    subject: str
    sequence: int
    name: str


@cache
def month_start(anchor: date, n: int) -> date:
    """Return the start of the n-th month from an anchor, clamped to the month's end."""
    month = anchor.month - 1 + n
    year, month = anchor.year + month // 12, month % 12 + 1
    return date(year, month, min(anchor.day, monthrange(year, month)[1]))


def minimal_loop(subs: Sequence[Sub]) -> list[object]:
    """Renew each: period, one line, tax, number, payment, three events; integers, nothing stored.

    Frozen slotted attrs objects, month ends cached: what any library of this design must make.
    """
    made: list[object] = []
    for counter, sub in enumerate(subs, 1):
        start, end = month_start(sub.anchor, sub.index), month_start(sub.anchor, sub.index + 1)
        net = sub.price_minor
        tax = (net * 19 * 2 + 100) // 200
        number = f"INV-{start.year}-{counter:05}"
        line = Line("Pro", start, end, net)
        invoice = Invoice(sub.id, number, sub.customer, (line,), net, tax, net + tax)
        after = Sub(sub.id, sub.customer, sub.anchor, sub.index + 1, net, sub.version + 1)
        payment = Payment(sub.id, sub.id, net + tax)
        events = (
            Event(sub.id, after.version, "renewed"),
            Event(invoice.id, 1, "finalized"),
            Event(payment.id, 1, "intended"),
        )
        made.append((after, invoice, payment, events))
    return made


@frozen
class Table:
    """A table as a billing run left it: how to make it, and the rows that one run wrote."""

    name: str
    columns: tuple[str, ...]
    creating: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


WRITTEN = ("subscription", "invoice", "payment", "event")


def rows_of_a_run(database: Path) -> list[Table]:
    """Return what a run of one month wrote, read back from the database: the same rows and indexes.

    Rows that the run only updated (the subscriptions) are taken as they stand after it.
    """
    connection = sqlite3.connect(database)
    names = [
        name
        for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
        if name.rsplit("_", 1)[-1] in WRITTEN
    ]
    tables: list[Table] = []
    for name in names:
        creating = connection.execute(
            "select sql from sqlite_master where tbl_name = ? and sql is not null"
            " and type in ('table', 'index')",
            (name,),
        )
        statements = tuple(sql for (sql,) in creating)
        found = connection.execute(f'select * from "{name}"')  # noqa: S608 - a name of ours
        columns = tuple(column for column, *_ in found.description)
        tables.append(Table(name, columns, statements, tuple(found.fetchall())))
    connection.close()
    return tables


class RawDatabase:
    """Takes the rows of a run again and again, durably, and as fast as the driver can."""

    def __init__(self, path: Path, tables: Sequence[Table]) -> None:
        self._tables = tables
        self._round = 0
        self._batches: list[list[tuple[str, list[tuple[object, ...]]]]] = []
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.execute("pragma foreign_keys = off")
        for table in tables:
            for statement in table.creating:
                self._connection.execute(statement)

    def prepare(self, batch: int) -> None:
        """Lay out the rows of the next round, under new ids: not part of what is measured."""
        self._round += 1
        renewals = max(len(table.rows) for table in self._tables if table.name.endswith("invoice"))
        batches = -(-renewals // batch)
        self._batches = []
        for number in range(batches):
            statements: list[tuple[str, list[tuple[object, ...]]]] = []
            for table in self._tables:
                size = -(-len(table.rows) // batches)
                part = table.rows[number * size : (number + 1) * size]
                marks = ",".join("?" * len(table.columns))
                insert = f'insert into "{table.name}" values ({marks})'  # noqa: S608 - ours
                statements.append((insert, [self._renamed(table, row) for row in part]))
            self._batches.append(statements)

    def insert(self) -> None:
        """Insert what was prepared, each batch in a transaction of its own."""
        for statements in self._batches:
            self._connection.execute("begin immediate")
            for insert, rows in statements:
                self._connection.executemany(insert, rows)
            self._connection.execute("commit")

    def _renamed(self, table: Table, row: tuple[object, ...]) -> tuple[object, ...]:
        # Unique keys must not clash with the round before; the lengths stay what they are.
        return tuple(
            None
            if column == "position"
            else f"{value}{self._round}"
            if column in ("id", "number", "reference", "external_id") and value is not None
            else value
            for column, value in zip(table.columns, row, strict=True)
        )
