"""What a subscription has, what it was charged for it, and what it is to have."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil
from typing import Final, TypeAlias

from attrs import Factory, field

from subscriptions.billing_cycles import BillingCycle, Interval, Period
from subscriptions.coupons import AppliedCoupon
from subscriptions.discounts import PercentOff
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import InvoiceId, PriceId
from subscriptions.money import round_fraction
from subscriptions.pricing.numbers import MOST_QUANTITY, read_quantity
from subscriptions.proration import Proration, ProrationUnit
from subscriptions.taxes import TaxBehavior, TaxRate
from subscriptions.usage import Stretch

_ONE: Final = Fraction(1)


class FirstStub(StrEnum):
    """What a first period costs that is shorter than the interval, or longer."""

    PRORATED = "prorated"
    FREE = "free"
    FULL = "full"


@frozen
class Had:
    """A price that an item has had: how many periods were billed at it, and until which day."""

    price: PriceId
    billed: int
    through: date


@frozen
class Free:
    """A span of time, from an instant up to another, in which what is used costs nothing."""

    begin: datetime
    end: datetime


def _check_quantity(quantity: object) -> None:
    if isinstance(quantity, bool) or not isinstance(quantity, int | Decimal):
        raise ValidationError("quantity", quantity, "an int or a Decimal")
    # What no price can be computed for is refused now, not when it is billed.
    if type(quantity) is not int:
        read_quantity(quantity)
    if not 0 < quantity <= MOST_QUANTITY:
        raise ValidationError("quantity", quantity, "more than zero and at most 10**18")


@frozen
class Item:
    """One thing that the customer has: a price, how many, and how far it is billed.

    `number` is its name within the subscription, never used again. Periods are counted by `cycle`;
    `through` is the first day that is not billed yet, by default the cycle's anchor, and each item
    has its own, so a yearly and a monthly item can live on one subscription. The next period ends
    at the cycle's next boundary, or on `next_end`. `billed` counts the periods billed at this
    price; the last one came to `last_minor`, before discounts. An item in `arrears` is billed when
    its period ends; one with a `meter` by what is used. It is unbilled from the instant `since` on,
    where that may be within the day `through`: what is used, and what is billed in arrears where
    seconds count. Of its open period `usage_billed_minor` was billed ahead. `had` are the prices
    before this one, so that none gives its introductory periods twice. What is used in the spans
    of `free` costs nothing: that is a first stub that is free. `past` tells what the time of a
    metered item was before its open segment, as far as the cycle does not tell it.
    """

    price: PriceId
    quantity: int | Decimal
    cycle: BillingCycle
    through: date = field(default=Factory(lambda self: self.cycle.anchor, takes_self=True))
    number: int = 1
    billed: int = 0
    arrears: bool = False
    meter: str | None = None
    since: datetime | None = None
    usage_billed_minor: int = 0
    last_minor: int = 0
    next_end: date | None = None
    first_stub: FirstStub = FirstStub.PRORATED
    had: tuple[Had, ...] = ()
    free: tuple[Free, ...] = ()
    past: tuple[Stretch, ...] = ()

    def __attrs_post_init__(self) -> None:
        # An int needs no more than a look, for each period that is billed makes an item anew.
        quantity = self.quantity
        if type(quantity) is not int or not 0 < quantity <= MOST_QUANTITY:
            _check_quantity(quantity)

    @property
    def next_period(self) -> Period:
        """The first period that is not billed yet: a whole one of its cycle, or a stub."""
        through, end = self.through, self.next_end
        if end is None:
            period = self.cycle.period_containing(through)
            if period.start == through:
                return period
            end = period.end
        return Period(through, end)

    @property
    def due_day(self) -> date:
        """The day on which its next period is billed: its first day, or in arrears its end."""
        return self.next_period.end if self.arrears else self.through

    def due_by(self, day: date) -> int:
        """Return how many of its periods are due by a day: have begun, or in arrears are over."""
        if self.due_day > day:
            return 0
        passed = self.cycle.index_of(day) - self.cycle.index_of(self.through)
        return max(1, passed) if self.arrears else passed + 1


@frozen
class Grant:
    """What a coupon took off a billed period: `amount_minor` of the `of_minor` that it met.

    Each debit keeps those of all coupons that counted for its period, in the order in which they
    chain, so that a change within the period meets the same discounts. One that is not for what was
    sold took nothing, and of nothing.
    """

    coupon: AppliedCoupon
    amount_minor: int
    of_minor: int

    def taken_off(self, minor: int) -> int:
        """Return what it takes off another price of that period, in minor units.

        Of what it met it takes what it took, a share that was rounded with those of other lines;
        of another amount a percentage is its part, and an amount the same as far as there is so
        much.
        """
        terms = self.coupon.terms
        if not isinstance(terms, PercentOff):
            return min(self.amount_minor, minor)
        if minor == self.of_minor:
            return self.amount_minor
        share = Fraction(terms.percent) / 100 * minor
        return round_fraction(share.numerator, share.denominator)


@frozen
class Debit:
    """What an item was once charged for a period: what a later change credits, and never more.

    `whole` is the period that was billed, `whole_minor` its price after discounts, net or gross as
    `behavior` says. Of it stands what lies between `begin` and `end`, fractions of the whole: the
    cut at `end` less the cut at `begin`. `line` is its place on `invoice`; while that is None, its
    place among what is pending. `cycle` is how the period was counted, where its item is counted
    otherwise since. `grants` are the discounts of the period. `charged_to` is where `end` was at
    first: what lies between them has been credited. A stub was cut out of its cycle by the `unit`.
    `more_rates` are the taxes besides `rate` that were charged.
    """

    item: int
    price: PriceId
    whole: Period
    whole_minor: int
    rate: TaxRate
    behavior: TaxBehavior = TaxBehavior.EXCLUSIVE
    line: int = 0
    invoice: InvoiceId | None = None
    begin: Fraction = Fraction()
    end: Fraction = _ONE
    cycle: BillingCycle | None = None
    grants: tuple[Grant, ...] = ()
    charged_to: Fraction = _ONE
    unit: ProrationUnit = ProrationUnit.DAY
    more_rates: tuple[TaxRate, ...] = ()


@frozen
class Rest:
    """A part of a billed period of which the price was given back: it is charged anew.

    It begins with the change, or on the day `since`. `grants` are what was granted for the period.
    """

    item: int
    whole: Period
    cycle: BillingCycle
    begin: Fraction = Fraction()
    end: Fraction = _ONE
    grants: tuple[Grant, ...] = ()
    unit: ProrationUnit = ProrationUnit.DAY
    since: date | None = None

    @property
    def last(self) -> date:
        """The first day after it."""
        return self.whole.start + timedelta(days=ceil(self.end * self.whole.days))

    def days_from(self, day: date) -> Period:
        """Return the days that it is for, where it begins on a day."""
        return Period(min(max(day, self.whole.start), self.last - timedelta(days=1)), self.last)


@frozen
class Place:
    """What an item had when the changes of an instant began, and what of it was left by then.

    Who comes at that instant may take the place of who has gone, and then goes on as that would
    have: so a change and its opposite at one instant cost nothing. An item that was not there, but
    came at that instant, has no `item` here, and `rests` are what it was charged for.
    """

    number: int
    rests: tuple[Rest, ...]
    item: Item | None = None
    went: Item | None = None
    held: int | None = None


@frozen
class WantedItem:
    """A price and how many of it; `item` is the number of the present item that it continues."""

    price: PriceId
    quantity: int | Decimal
    item: int | None = None

    def __attrs_post_init__(self) -> None:
        _check_quantity(self.quantity)


@frozen
class PlannedItem:
    """Another price or quantity of the present item with the number `item`, or else a new item.

    What is None stays as the item has it by then: who plans for more seats does not plan to undo an
    upgrade that comes before. With `instead_of` the item goes over to the price only if it then has
    that one, and at a renewal: nothing is prorated.
    """

    price: PriceId | None
    quantity: int | Decimal | None
    item: int | None = None
    instead_of: PriceId | None = None

    def __attrs_post_init__(self) -> None:
        # Now, when somebody asks for it, and not on the day, when only the run is there.
        if self.quantity is not None:
            _check_quantity(self.quantity)


@frozen
class Planned:
    """A change that takes effect when the day `on` begins.

    The `items` are changed or added, those in `remove` go, and what is not named stays as it is by
    then. With `whole` the items are all that it then has. `cause` says what planned it, such as the
    id of a migration; `proration` is how it is charged. On the day `announce_on` it is announced;
    None where it has been, or is not to be.
    """

    on: date
    items: tuple[PlannedItem, ...]
    proration: Proration
    remove: tuple[int, ...] = ()
    whole: bool = False
    cause: str = ""
    announce_on: date | None = None


Wanted: TypeAlias = str | tuple[str, int | Decimal]
"""A price by its id, and how many of it if not one."""


@frozen
class Phase:
    """What a subscription has for a while, one phase after the other; the last may be endless."""

    items: tuple[Wanted, ...]
    lasts: Interval | None = None
