"""The grant and its entries as records: how much, for what, from when until when, and what is left.

Amounts are minor units of `currency` (fields end in `_minor`); the properties give `Money`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias, cast

from attrs import field

from subscriptions.billing_cycles import zone_info
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import (
    CreditNoteId,
    CustomerId,
    GrantEntryId,
    GrantId,
    InvoiceId,
    PriceId,
    ProductId,
    SubscriptionId,
)
from subscriptions.money import Currency, Money, round_fraction
from subscriptions.records import Column, ColumnType, Kind, aware, plain_text

PRIORITY_MAX = 100
_PERCENT = 100
_DAYS_MAX = 36_525
_TIMES_MAX = 1000


class Category(StrEnum):
    """Where the credit comes from."""

    PAID = "paid"
    """The customer bought it; what returns to it after its end goes on in a new grant."""
    PROMOTIONAL = "promotional"
    """The seller gave it away; it ends when it ends, and never becomes money."""


def read_category(value: Category | str) -> Category:
    """Return a category, or raise `ValidationError`."""
    try:
        return Category(value)
    except ValueError:
        raise ValidationError("category", value, "'paid' or 'promotional'") from None


def _ids(name: str, value: object) -> None:
    whole: object = value
    given = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ("",)
    if not all(isinstance(each, str) and each for each in given):
        raise ValidationError(name, whole, "a tuple of ids")


@frozen
class Scope:
    """Which lines a grant may pay; each condition that is given must hold, none means every line.

    `products` and `prices` are one condition: the line is of one of these products or prices.
    `metered` asks for lines of usage, `subscriptions` for lines of one of these.

    >>> Scope(metered=True).covers(None, None, None, metered=False)
    False
    """

    products: tuple[ProductId, ...] = ()
    prices: tuple[PriceId, ...] = ()
    subscriptions: tuple[SubscriptionId, ...] = ()
    metered: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("products", "prices", "subscriptions"):
            _ids(f"scope.{name}", getattr(self, name))
        if type(self.metered) is not bool:
            raise ValidationError("scope.metered", self.metered, "True or False")

    def covers(
        self,
        product: ProductId | None,
        price: PriceId | None,
        subscription: SubscriptionId | None,
        *,
        metered: bool,
    ) -> bool:
        """Return whether a grant of this scope may pay such a line."""
        named = bool(self.products or self.prices)
        if named and product not in self.products and price not in self.prices:
            return False
        if self.subscriptions and subscription not in self.subscriptions:
            return False
        return metered or not self.metered


EVERYTHING = Scope()
"""Every line of every invoice."""


@frozen
class Rollover:
    """What becomes of what is left when a grant expires: a part goes on in a new grant.

    `percent` of what is left, rounded half up, and at most `at_most`. The new grant lasts `days`
    from the expiry of the old one, at the same time of day in the seller's zone; None is for ever.
    It rolls over itself as long as `times` is more than one.

    >>> Rollover(percent=50).of(Money.of("10.01", "EUR"))
    Money.of("5.01", "EUR")
    """

    percent: int = _PERCENT
    at_most: Money | None = None
    days: int | None = None
    times: int = 1

    def __attrs_post_init__(self) -> None:
        if type(self.percent) is not int or not 1 <= self.percent <= _PERCENT:
            raise ValidationError("rollover.percent", self.percent, "a whole number, 1 to 100")
        most: object = self.at_most
        if most is not None and (not isinstance(most, Money) or most.minor <= 0):
            raise ValidationError("rollover.at_most", most, "a Money above zero, or None")
        if self.days is not None and (
            type(self.days) is not int or not 1 <= self.days <= _DAYS_MAX
        ):
            expected = f"a whole number of days, 1 to {_DAYS_MAX}, or None"
            raise ValidationError("rollover.days", self.days, expected)
        if type(self.times) is not int or not 1 <= self.times <= _TIMES_MAX:
            raise ValidationError("rollover.times", self.times, f"1 to {_TIMES_MAX}")

    def of(self, left: Money) -> Money:
        """Return how much of what is left goes on."""
        minor = round_fraction(left.minor * self.percent, _PERCENT)
        return Money(
            minor if self.at_most is None else min(minor, self.at_most.minor), left.currency
        )

    def expiry(self, expired: datetime, zone: str) -> datetime | None:
        """Return when the new grant expires, if the old one did at `expired`."""
        if self.days is None:
            return None
        # Days of the calendar: at the same time of day, though the clocks may have changed.
        local = expired.astimezone(zone_info(zone)) + timedelta(days=self.days)
        return local.astimezone(expired.tzinfo)

    def next(self) -> Rollover | None:
        """Return the rule of the new grant; None once it has rolled over often enough."""
        if self.times == 1:
            return None
        return Rollover(self.percent, self.at_most, self.days, self.times - 1)


@frozen
class Pending:
    """It is not effective yet."""


@frozen
class Active:
    """It pays what it may pay."""


@frozen
class UsedUp:
    """Nothing of it is left."""

    at: datetime


@frozen
class Expired:
    """Its time is over; what was left went on or is gone."""

    at: datetime


@frozen
class Voided:
    """The seller took back what was left of it."""

    at: datetime
    reason: str


GrantState: TypeAlias = Pending | Active | UsedUp | Expired | Voided


class Status(StrEnum):
    """The state in one word."""

    PENDING = "pending"
    ACTIVE = "active"
    USED_UP = "used_up"
    EXPIRED = "expired"
    VOIDED = "voided"


STATUS: dict[type[GrantState], Status] = {
    Pending: Status.PENDING,
    Active: Status.ACTIVE,
    UsedUp: Status.USED_UP,
    Expired: Status.EXPIRED,
    Voided: Status.VOIDED,
}


@frozen
class Grant:
    """Credit of one customer in one currency. `amount_minor` was granted, `left_minor` is left.

    It pays invoices that become final from `effective_at` on and before `expires_at` (None: it
    never expires). A lower `priority` is used first. `origin` is the grant that it goes on from.
    """

    id: GrantId
    tenant: str
    version: int
    customer: CustomerId
    amount_minor: int
    left_minor: int
    currency: Currency
    category: Category = field(converter=read_category)
    created_at: datetime
    effective_at: datetime
    expires_at: datetime | None = None
    priority: int = 50
    scope: Scope = EVERYTHING
    rollover: Rollover | None = None
    name: str = ""
    reason: str = ""
    state: GrantState = Pending()
    origin: GrantId | None = None
    parked: str | None = None

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.left_minor <= self.amount_minor or not self.amount_minor:
            amount = Money(self.amount_minor, self.currency)
            raise ValidationError("amount", amount, "more than zero, and no less than is left")
        if type(self.priority) is not int or not 0 <= self.priority <= PRIORITY_MAX:
            expected = f"a whole number, 0 to {PRIORITY_MAX}; lower ones are used first"
            raise ValidationError("priority", self.priority, expected)
        aware("effective", self.effective_at)
        if self.expires_at is not None and aware("expires", self.expires_at) <= self.effective_at:
            expected = f"an instant after {self.effective_at}, or None"
            raise ValidationError("expires", self.expires_at, expected)
        scope: object = self.scope
        if not isinstance(scope, Scope):
            raise ValidationError("scope", scope, "a Scope, such as Scope(metered=True)")
        rollover: object = self.rollover
        if rollover is not None and not isinstance(rollover, Rollover):
            raise ValidationError("rollover", rollover, "a Rollover, such as Rollover(percent=50)")
        if self.rollover is not None:
            self._check(self.rollover)
        plain_text("name", self.name, length_max=200, empty=True)
        plain_text("reason", self.reason, empty=True)

    def _check(self, rollover: Rollover) -> None:
        if self.expires_at is None:
            raise ValidationError("rollover", rollover, "None for what never expires")
        most = rollover.at_most
        if most is not None and most.currency != self.currency:
            expected = f"an amount in {self.currency}"
            raise ValidationError("rollover.at_most", str(most), expected)

    @property
    def amount(self) -> Money:
        """What was granted."""
        return Money(self.amount_minor, self.currency)

    @property
    def left(self) -> Money:
        """What is left."""
        return Money(self.left_minor, self.currency)

    @property
    def status(self) -> Status:
        """One word: pending, active, used_up, expired or voided."""
        return STATUS[type(self.state)]

    @property
    def live(self) -> bool:
        """Whether it can still pay something, now or later."""
        return isinstance(self.state, Pending | Active)

    def over(self, at: datetime) -> bool:
        """Return whether its time is over at an instant."""
        return self.expires_at is not None and self.expires_at <= at

    def pays_at(self, at: datetime) -> bool:
        """Return whether it pays invoices that become final at an instant."""
        return self.live and self.effective_at <= at and not self.over(at)

    @property
    def due_at(self) -> datetime | None:
        """When it becomes effective, or when it expires; None if it waits for neither."""
        if self.parked is not None:
            return None
        if isinstance(self.state, Pending):
            return self.effective_at
        return self.expires_at if isinstance(self.state, Active) else None


GRANT = Kind(
    "grant",
    Grant,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda g: g.due_at),
        Column("customer", ColumnType.TEXT, lambda g: g.customer),
        Column("status", ColumnType.TEXT, lambda g: g.status.value),
        Column("category", ColumnType.TEXT, lambda g: g.category.value, indexed=False),
        Column("amount_minor", ColumnType.INTEGER, lambda g: g.amount_minor, indexed=False),
        Column("left_minor", ColumnType.INTEGER, lambda g: g.left_minor, indexed=False),
        Column("currency", ColumnType.TEXT, lambda g: g.currency.code, indexed=False),
        Column("expires_at", ColumnType.INSTANT, lambda g: g.expires_at, indexed=False),
    ),
)


class Cause(StrEnum):
    """Why what is left of a grant moved."""

    GRANTED = "granted"
    APPLIED = "applied"
    """It paid for an invoice, or for a part of it."""
    RETURNED = "returned"
    """An invoice that it had paid for is void, or was credited."""
    EXPIRED = "expired"
    VOIDED = "voided"
    ROLLED_OVER = "rolled_over"
    """It goes on in another grant, `into`."""


@frozen
class GrantEntry:
    """One movement of a grant: what was added, or what went where it is negative.

    `ordinal` is the number of the grant's event that tells of it. `left_minor` is what is left
    after it.
    """

    id: GrantEntryId
    tenant: str
    version: int
    grant: GrantId
    customer: CustomerId
    ordinal: int
    amount_minor: int
    left_minor: int
    currency: Currency
    cause: Cause
    at: datetime
    invoice: InvoiceId | None = None
    credit_note: CreditNoteId | None = None
    into: GrantId | None = None

    @property
    def amount(self) -> Money:
        """What was added; negative where it was used or ended."""
        return Money(self.amount_minor, self.currency)

    @property
    def left(self) -> Money:
        """What is left of the grant after it."""
        return Money(self.left_minor, self.currency)


GRANT_ENTRY = Kind(
    "grant_entry",
    GrantEntry,
    columns=(
        Column("customer", ColumnType.TEXT, lambda e: e.customer),
        Column("grant_id", ColumnType.TEXT, lambda e: e.grant),
        Column("invoice", ColumnType.TEXT, lambda e: e.invoice),
        Column("cause", ColumnType.TEXT, lambda e: e.cause.value, indexed=False),
        Column("amount_minor", ColumnType.INTEGER, lambda e: e.amount_minor, indexed=False),
        Column("left_minor", ColumnType.INTEGER, lambda e: e.left_minor, indexed=False),
        Column("currency", ColumnType.TEXT, lambda e: e.currency.code, indexed=False),
        Column("at", ColumnType.INSTANT, lambda e: e.at, indexed=False),
    ),
)


@frozen
class Sums:
    """What became of grants of one currency, in minor units.

    Law: granted = applied − returned + expired + voided + rolled over + left. What rolled over is
    granted again: of several grants together it counts on both sides.
    """

    granted_minor: int = 0
    applied_minor: int = 0
    returned_minor: int = 0
    expired_minor: int = 0
    voided_minor: int = 0
    rolled_over_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What is left."""
        used_minor = self.applied_minor - self.returned_minor
        gone_minor = self.expired_minor + self.voided_minor + self.rolled_over_minor
        return self.granted_minor - used_minor - gone_minor


def sums_of(entries: Iterable[GrantEntry]) -> Sums:
    """Add entries up by their causes; all are of one currency."""
    sums: Counter[Cause] = Counter()
    for entry in entries:
        sums[entry.cause] += abs(entry.amount_minor)
    return Sums(
        sums[Cause.GRANTED],
        sums[Cause.APPLIED],
        sums[Cause.RETURNED],
        sums[Cause.EXPIRED],
        sums[Cause.VOIDED],
        sums[Cause.ROLLED_OVER],
    )
