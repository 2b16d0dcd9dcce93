"""What a run and a sweep report: counts, what was set aside, and how far it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from attrs import define, field

from subscriptions.decisions import Change
from subscriptions.frozen import frozen


@define
class SweepReport:
    """What a sweep found: charges `listed`, of which the books `agreed` with so many already.

    `merged` were known and said something new, `adopted` came into the books, `quarantined` differ
    in their amount, `orphans` are for invoices that are not known, `others` of another tenant. What
    is quarantined or an orphan is on the review list. `disputes` were new, or stood otherwise.
    """

    listed: int = 0
    agreed: int = 0
    merged: int = 0
    adopted: int = 0
    quarantined: int = 0
    orphans: int = 0
    others: int = 0
    disputes: int = 0


@frozen
class Parked:
    """A record that was set aside, and why."""

    kind: str
    id: str
    reason: str


@define
class RunReport:
    """What a run did: how often each event happened, what was invoiced, what was set aside.

    `swept` is what a sweep before it found, if it was asked for.
    """

    events: Counter[str] = field(factory=Counter[str])
    parked: list[Parked] = field(factory=list[Parked])
    days: int = 0
    until: datetime | None = None
    reached: datetime | None = None
    swept: SweepReport | None = None

    @property
    def invoices(self) -> int:
        """How many invoices were made final."""
        return self.events["InvoiceFinalized"]

    @property
    def payments_succeeded(self) -> int:
        """How many payments succeeded."""
        return self.events["PaymentSucceeded"]

    @property
    def payments_failed(self) -> int:
        """How many payments were declined."""
        return self.events["PaymentFailed"]

    @property
    def ended(self) -> int:
        """How many subscriptions ended."""
        return self.events["SubscriptionEnded"]

    def count(self, changes: Sequence[Change]) -> None:
        """Count the events of committed changes."""
        names = [type(event).__name__ for change in changes for event in change.events]
        self.events.update(names)
