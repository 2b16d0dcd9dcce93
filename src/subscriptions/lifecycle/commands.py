"""What may be asked of a subscription, and the table of what its state allows."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeAlias

from attrs import frozen

from subscriptions.ids import InvoiceId
from subscriptions.lifecycle.subscription import (
    Active,
    Contract,
    Ended,
    EndReason,
    Scheduled,
    Trialing,
)


@frozen
class Begin:
    """The first day has come."""


@frozen
class EndTrial:
    """The trial is over; billing begins."""


@frozen
class BillPeriods:
    """Bill every item whose next period begins on or before `on`."""

    on: date


@frozen
class Cancel:
    """End it when the day `on` begins."""

    on: date
    reason: str = ""


@frozen
class UndoCancel:
    """Forget the pending cancellation."""


@frozen
class End:
    """End it at this instant."""

    at: datetime
    reason: EndReason


@frozen
class MarkPastDue:
    """An invoice of it could not be collected."""

    invoice: InvoiceId


@frozen
class ClearPastDue:
    """An invoice that was past due no longer is: it was paid, or written off."""

    invoice: InvoiceId
    paid: bool = True


@frozen
class MarkUnpaid:
    """Dunning ended without money and the contract goes on unpaid."""


Command: TypeAlias = (
    Begin
    | EndTrial
    | BillPeriods
    | Cancel
    | UndoCancel
    | End
    | MarkPastDue
    | ClearPastDue
    | MarkUnpaid
)


ALLOWED: dict[type[Contract], frozenset[type[Command]]] = {
    Scheduled: frozenset({Begin, Cancel, UndoCancel, End}),
    Trialing: frozenset({EndTrial, Cancel, UndoCancel, End, MarkPastDue, ClearPastDue}),
    Active: frozenset(
        {BillPeriods, Cancel, UndoCancel, End, MarkPastDue, ClearPastDue, MarkUnpaid}
    ),
    Ended: frozenset(),
}
