"""Transactions: a unit of work that several commands of a host share.

What they make due is done after the commit, and nothing of it where that never comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import define, field

from subscriptions.decisions import Change
from subscriptions.engine.procedures import Procedure, call
from subscriptions.errors import StorageError
from subscriptions.storage import UnitOfWork
from subscriptions.usecases.flows import ForgetMethod

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine


@define
class Transaction:
    """A unit of work that several commands share, what they changed, and what is done after it."""

    unit: UnitOfWork
    changes: list[Change] = field(factory=list[Change])
    forget: list[ForgetMethod] = field(factory=list[ForgetMethod])
    at: datetime | None = None
    over: bool = False

    def take(self, changes: Sequence[Change], at: datetime) -> None:
        """Take what was changed at a time: it is acted on after the commit, as of the last one."""
        self.changes += changes
        self.at = at if self.at is None else max(at, self.at)


def begin(engine: Engine) -> Procedure[Transaction]:
    """Open a transaction that the following commands of this context share."""
    if engine.opened is not None:
        raise StorageError("a transaction is open already")
    transaction = Transaction((yield from call(engine.storage.begin)))
    engine.transaction.set(transaction)
    return transaction


def end(engine: Engine, transaction: Transaction, *, commit: bool) -> Procedure[None]:
    """Commit what the commands decided, then act on it; or forget all of it."""
    engine.transaction.set(None)
    transaction.over = True
    if not commit:
        yield from call(transaction.unit.rollback)
        return
    try:
        yield from call(transaction.unit.commit)
    except BaseException:
        yield from call(transaction.unit.rollback)
        raise
    for method in transaction.forget:
        yield from engine.forget(method)
    if transaction.at is not None:
        yield from engine.act(transaction.changes, transaction.at)
