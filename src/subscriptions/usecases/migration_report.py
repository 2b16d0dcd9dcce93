"""What a migration reports: each item that moves, its cost before and after, and who is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, MigrationId, PriceId, SubscriptionId
from subscriptions.money import Currency, Money


@frozen
class MovedItem:
    """One item of a cohort: when it goes over, and what it costs before and after.

    Amounts are for the quantity of now, before discounts and without added tax. `before` and
    `after` are what the first period after the move costs at either price; `year_before` and
    `year_after` what a year costs once introductory phases are over. A year is 12 months or 365
    days, rounded once, half away from zero. What depends on usage is None.

    It is announced on `announce_on`; None is where it has been. If it ends before it would go over,
    or changes to another price, as far as that is known, `leaves_on` is that day. `known` says that
    an earlier call planned it.
    """

    customer: CustomerId
    subscription: SubscriptionId
    item: int
    quantity: int | Decimal
    to: PriceId
    on: date
    announce_on: date | None
    before: Money | None
    after: Money | None
    year_before: Money | None
    year_after: Money | None
    leaves_on: date | None = None
    known: bool = False

    @property
    def difference(self) -> Money | None:
        """What a period costs more than before; less is negative."""
        return _difference(self.before, self.after)

    @property
    def year_difference(self) -> Money | None:
        """What a year costs more than before; less is negative."""
        return _difference(self.year_before, self.year_after)


@frozen
class RefusedMove:
    """A subscription that stays with its price, and why."""

    customer: CustomerId
    subscription: SubscriptionId
    why: str


@frozen
class MigrationReport:
    """What a migration plans, or with `preview` what it would: a row for each item.

    Sums are those of the rows, as they are rounded there, in the one currency of both prices; rows
    that leave before they go over, or whose amounts are not known, are not in them. `elsewhere` is
    how many items stay out because another migration is to move them. All rows are held in memory.
    """

    migration: MigrationId
    preview: bool
    currency: Currency
    rows: tuple[MovedItem, ...]
    refused: tuple[RefusedMove, ...] = ()
    elsewhere: int = 0

    @property
    def planned(self) -> int:
        """How many items this call plans to move; those that were planned before do not count."""
        return sum(not row.known for row in self.rows)

    @property
    def leaving(self) -> int:
        """How many items end, or change to another price, before they would go over."""
        return sum(row.leaves_on is not None for row in self.rows)

    @property
    def unknown(self) -> int:
        """How many items there are whose amounts depend on usage."""
        return sum(row.year_difference is None for row in self.rows)

    @property
    def year_before(self) -> Money:
        """What all of them cost in a year now."""
        return self._sum([row.year_before for row in self._counted])

    @property
    def year_after(self) -> Money:
        """What all of them cost in a year afterwards."""
        return self._sum([row.year_after for row in self._counted])

    @property
    def year_difference(self) -> Money:
        """What all of them bring in a year more than now; less is negative."""
        return self.year_after - self.year_before

    @property
    def by_customer(self) -> dict[CustomerId, Money]:
        """What each customer pays in a year more than now, in the order of the rows."""
        sums: dict[CustomerId, Money] = {}
        for row in self._counted:
            more = row.year_difference
            assert more is not None
            sums[row.customer] = sums.get(row.customer, Money(0, self.currency)) + more
        return sums

    @property
    def _counted(self) -> list[MovedItem]:
        return [
            row for row in self.rows if row.leaves_on is None and row.year_difference is not None
        ]

    def _sum(self, amounts: Sequence[Money | None]) -> Money:
        return Money(sum([each.minor for each in amounts if each is not None]), self.currency)


def _difference(before: Money | None, after: Money | None) -> Money | None:
    return None if before is None or after is None else after - before
