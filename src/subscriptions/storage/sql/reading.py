"""Reading records: by id, and page by page as a query asks.

Pages are continued by the values of the last row and not by counting rows, so a page is complete
and repeats nothing, however many rows were inserted in between. Rows without a value come first,
and last in descending order.
"""

# ruff: noqa: S608 - names of tables and columns come from declared kinds; values are bound

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from subscriptions import serialization
from subscriptions.errors import ValidationError
from subscriptions.records import ColumnValue, Kind, Record
from subscriptions.storage import Found, Query
from subscriptions.storage.sql.tables import SqlValue, column_value, table_of

R = TypeVar("R", bound=Record)

# SQLite refuses statements with more parameters than it was built for; this is below every limit.
_PARAMETERS_MAX = 500


def load(
    connection: sa.Connection, tenant: str, kind: Kind[R], ids: Collection[str]
) -> dict[str, R]:
    """Return the records that exist, by id, with one statement."""
    if not ids:
        return {}
    table = table_of(kind)
    if len(ids) == 1:
        rows = connection.exec_driver_sql(table.load_one, (tenant, *ids))
    else:
        rows = connection.exec_driver_sql(table.load, (tenant, json.dumps(list(ids))))
    return {id: serialization.load(kind, document) for id, document in rows.all()}


def find(connection: sa.Connection, query: Query[R]) -> Found[R]:
    """Return one page of what matches, and the total if it is asked for."""
    table = table_of(query.kind).name
    conditions, values = _matching(query)
    total: int | None = None
    if query.count:
        where = " AND ".join(conditions)
        text = f"SELECT count(*) FROM {table} WHERE {where}"
        total = connection.exec_driver_sql(text, tuple(values)).scalar_one()
    rows = _rows(connection, query, table, conditions, values)
    items = tuple([serialization.load(query.kind, row[0]) for row in rows[: query.limit]])
    cursor: str | None = None
    if len(rows) > query.limit:
        cursor = _write_cursor(query, rows[query.limit - 1][1:])
    return Found(items, cursor, total)


# ---- the parts of a question ------------------------------------------------------------------


def _matching(query: Query[Any]) -> tuple[list[str], list[SqlValue]]:
    conditions = ["tenant = ?"]
    values: list[SqlValue] = [query.tenant]
    for name, wanted in query.where.items():
        condition, wanted_values = _one_of(query, name, wanted)
        conditions.append(condition)
        values += wanted_values
    if query.until is not None:
        name, limit = query.until
        conditions.append(f"{name} <= ?")
        values.append(column_value(query.kind.by_name[name], limit))
    return conditions, values


def _one_of(
    query: Query[Any], name: str, wanted: Collection[ColumnValue]
) -> tuple[str, list[SqlValue]]:
    column = query.kind.by_name[name]
    values = [column_value(column, value) for value in wanted]
    present: list[SqlValue] = [value for value in values if value is not None]
    absent = f"{name} IS NULL" if len(present) < len(values) else ""
    if not present:
        return absent or "0", []
    if len(present) == 1:
        condition = f"{name} = ?"
    elif len(present) <= _PARAMETERS_MAX:
        condition = f"{name} IN ({', '.join('?' * len(present))})"
    else:
        condition = f"{name} IN (SELECT value FROM json_each(?))"
        present = [json.dumps(present)]
    return (f"({condition} OR {absent})" if absent else condition), present


def _rows(
    connection: sa.Connection,
    query: Query[Any],
    table: str,
    conditions: list[str],
    values: list[SqlValue],
) -> list[tuple[Any, ...]]:
    """Return one row more than the page holds, if there is one: document, sort value, id."""
    name = query.order_by
    after = _read_cursor(query)
    direction, beyond = (" DESC", "<") if query.descending else ("", ">")
    steps: list[tuple[list[str], list[SqlValue]]]
    if name is None:
        select = f"SELECT document, position FROM {table}"
        order = f"position{direction}"
        steps = [([f"position {beyond} ?"], list(after))] if after else [([], [])]
    else:
        select = f"SELECT document, {name}, id FROM {table}"
        order = f"{name}{direction}, id{direction}"
        steps = _steps(name, beyond, after, descending=query.descending)
    rows: list[tuple[Any, ...]] = []
    for further_conditions, further_values in steps:
        where = " AND ".join([*conditions, *further_conditions])
        result = connection.exec_driver_sql(
            f"{select} WHERE {where} ORDER BY {order} LIMIT ?",
            (*values, *further_values, query.limit + 1 - len(rows)),
        )
        rows += cast("list[tuple[Any, ...]]", result.all())
        if len(rows) > query.limit:
            break
    return rows


def _steps(
    name: str, beyond: str, after: tuple[SqlValue, ...], *, descending: bool
) -> list[tuple[list[str], list[SqlValue]]]:
    """Return the conditions of what comes after a row; rows without a value are a step apart.

    A comparison with "no value" is never true, and one condition for both (`… OR name IS NULL`)
    would not be answered from the index.
    """
    if not after:
        return [([], [])]
    value, id = after
    if value is None:
        absent = [f"{name} IS NULL", f"id {beyond} ?"]
        further: list[tuple[list[str], list[SqlValue]]] = [([f"{name} IS NOT NULL"], [])]
        return [(absent, [id]), *([] if descending else further)]
    present = [f"({name}, id) {beyond} (?, ?)"]
    return [(present, [value, id]), *([([f"{name} IS NULL"], [])] if descending else [])]


# ---- cursors ----------------------------------------------------------------------------------


def _write_cursor(query: Query[Any], last: tuple[Any, ...]) -> str:
    parts = [query.kind.name, query.order_by, query.descending, *last]
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _read_cursor(query: Query[Any]) -> tuple[SqlValue, ...]:
    """Return the sort value and the id of the last row, or nothing for the first page."""
    if query.after is None:
        return ()
    try:
        text = urlsafe_b64decode(query.after + "=" * (-len(query.after) % 4))
        kind, order_by, descending, *last = json.loads(text)
    except (TypeError, ValueError) as error:
        raise _not_a_cursor(query) from error
    if [kind, order_by, descending] != [query.kind.name, query.order_by, query.descending]:
        raise _not_a_cursor(query)
    plain = all(part is None or type(part) in (str, int) for part in last)
    if not plain or len(last) != (1 if order_by is None else 2):
        raise _not_a_cursor(query)
    return tuple(last)


def _not_a_cursor(query: Query[Any]) -> ValidationError:
    return ValidationError("after", query.after, "the cursor of an earlier page of this query")
