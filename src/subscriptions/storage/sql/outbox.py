"""The outbox: which events a consumer has not had yet, by position.

Positions are given while the writer holds the lock of the whole database, so they are committed in
the order in which they were given: none can appear behind one that was delivered. This is so on
SQLite only. Where writers run side by side, a lower position may be committed later, and delivery
has to stop before the oldest transaction that is still open.
"""

# ruff: noqa: S608 - names of tables and columns come from declared kinds; values are bound

from __future__ import annotations

import sqlalchemy as sa

from subscriptions import serialization
from subscriptions.errors import ValidationError
from subscriptions.events import EVENT
from subscriptions.storage import Delivery
from subscriptions.storage.sql.tables import CONSUMER_TABLE, table_of

_EVENTS = table_of(EVENT).name
_UNDELIVERED = (
    f"SELECT position, document FROM {_EVENTS}"
    " WHERE tenant = ? AND position > ? ORDER BY position LIMIT ?"
)
_ACKNOWLEDGED = f"SELECT position FROM {CONSUMER_TABLE} WHERE tenant = ? AND consumer = ?"
_LAST = f"SELECT max(position) FROM {_EVENTS} WHERE tenant = ?"
_ACKNOWLEDGE = (
    f"INSERT INTO {CONSUMER_TABLE} (tenant, consumer, position) VALUES (?, ?, ?)"
    " ON CONFLICT (tenant, consumer) DO UPDATE SET position = excluded.position"
)


def undelivered(connection: sa.Connection, tenant: str, consumer: str, limit: int) -> Delivery:
    """Return the events after the last position that the consumer acknowledged."""
    position = _acknowledged(connection, tenant, consumer)
    rows = connection.exec_driver_sql(_UNDELIVERED, (tenant, position, limit)).all()
    events = tuple([serialization.load(EVENT, document) for _, document in rows])
    return Delivery(events, str(rows[-1][0] if rows else position))


def acknowledge(connection: sa.Connection, tenant: str, consumer: str, position: str) -> None:
    """Remember the position of a delivery; one behind it changes nothing.

    Raises `ValidationError` for a position that no event has reached yet: to remember it would
    skip events that are still to come.
    """
    if not position.isascii() or not position.isdigit():
        raise ValidationError("position", position, "the position of a delivery")
    reached = int(position)
    if reached <= _acknowledged(connection, tenant, consumer):
        return
    if reached > (connection.exec_driver_sql(_LAST, (tenant,)).scalar() or 0):
        raise ValidationError("position", position, "the position of a delivery")
    connection.exec_driver_sql(_ACKNOWLEDGE, (tenant, consumer, reached))


def _acknowledged(connection: sa.Connection, tenant: str, consumer: str) -> int:
    position: int | None = connection.exec_driver_sql(_ACKNOWLEDGED, (tenant, consumer)).scalar()
    return position or 0
