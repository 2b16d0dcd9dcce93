"""What a change costs in the middle of a period: credits of what was charged, and new debits.

Decided here: which items a change leaves, what of earlier charges is given back, and what the rest
of the period costs at the new price. Never here: tax, and on which invoice it goes.

Credit comes from the original debits: the amounts once charged, with their discounts and at their
rate of tax, never from today's price. A debit shrinks by what is credited, so no more is ever
given back than was charged. What the new items cost for the rest is cut out of what they cost for
the same billed period, so that a change and its opposite at one instant cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil

from attrs import field, frozen

from subscriptions.alignment import shared
from subscriptions.billing_cycles import BillingCycle, Period, first_instant, local_date
from subscriptions.catalog import Price, phase_for
from subscriptions.discounts import DiscountShare
from subscriptions.errors import ValidationError
from subscriptions.ids import InvoiceId, PriceId
from subscriptions.invoices import Charge, LineKind, LineRef, Part
from subscriptions.lifecycle.charges import (
    UsageOf,
    charge_period,
    part_used,
    parts_off,
    price_of_period,
    stub_part,
    units_of,
)
from subscriptions.lifecycle.subscription import (
    Active,
    Debit,
    FirstStub,
    Grant,
    Had,
    Item,
    Subscription,
    WantedItem,
)
from subscriptions.proration import (
    Cap,
    ChangeDay,
    Credit,
    Mode,
    Proration,
    ProrationUnit,
    between,
)
from subscriptions.records import evolve
from subscriptions.taxes import TaxRate, TaxTreatment


@frozen
class PaidShare:
    """How much of an invoice is paid: by money and by balance, of its total."""

    paid_minor: int
    total_minor: int


@frozen
class Conditions:
    """What a change depends on besides the items: when, how, at which rate of tax.

    `usage` is what metered items used so far, by item number; `paid` what was paid of the invoices
    of debits, needed where credits are capped by that, and of those that are void. `treatments` are
    the taxes of the prices that are not just taxed at `rate`.
    """

    at: datetime
    policy: Proration
    rate: TaxRate
    prices: Mapping[str, Price]
    usage: Mapping[int, Sequence[UsageOf]]
    paid: Mapping[InvoiceId, PaidShare]
    treatments: Mapping[str, TaxTreatment] = field(factory=dict[str, TaxTreatment])

    def treatment_of(self, price: PriceId) -> TaxTreatment:
        """Return how what is charged for a price is taxed."""
        found = self.treatments.get(price)
        return TaxTreatment((self.rate,)) if found is None else found


@frozen
class Outcome:
    """What a change leaves: the items, what can still be credited, and all that is pending."""

    items: tuple[Item, ...]
    debits: tuple[Debit, ...]
    pending: tuple[Charge, ...]


@frozen
class _Rest:
    """A part of a billed period of which the price has been given back."""

    item: int
    whole: Period
    cycle: BillingCycle
    begin: Fraction = Fraction()
    end: Fraction = Fraction(1)
    grants: tuple[Grant, ...] = ()
    unit: ProrationUnit = ProrationUnit.DAY

    @property
    def last(self) -> date:
        """The first day after it."""
        return self.whole.start + timedelta(days=ceil(self.end * self.whole.days))

    def days_from(self, day: date) -> Period:
        """Return the days that it is for, where it begins on a day."""
        return Period(min(max(day, self.whole.start), self.last - timedelta(days=1)), self.last)


def change_items(
    subscription: Subscription, wanted: Sequence[WantedItem], conditions: Conditions
) -> Outcome:
    """Decide what having other items from an instant on leaves and costs.

    An item that is continued with the same interval keeps its periods; its rest is credited and
    debited anew. With another interval a new period begins with the change. What is added shares
    the days of the first item and pays for the part until its first such day.

    Changes follow each other: one that counts from before another counts from that one on.

    Raises `ValidationError` for an item that is named twice or not there, and for a change before
    the subscription began.
    """
    numbers = [each.item for each in wanted if each.item is not None]
    if len(set(numbers)) != len(numbers):
        raise ValidationError("items", numbers, "each item once")
    for number in numbers:
        subscription.item(number)
    if not wanted:
        raise ValidationError("items", (), "at least one price; to end it, cancel")
    if not isinstance(subscription.contract, Active):
        return _before_billing(subscription, wanted, conditions)
    day = change_day(subscription, conditions)
    work = _Work(subscription, conditions, day)
    continued = {each.item: each for each in wanted if each.item is not None}
    left: list[Item] = []
    for item in subscription.items:
        successor = continued.get(item.number)
        if successor is None:
            work.present.discard(item.number)
            work.close(item)
        elif (successor.price, successor.quantity) == (item.price, item.quantity):
            left.append(item)
        else:
            left.append(work.continue_as(item, successor))
    for each in wanted:
        if each.item is None:
            left.append(work.add(each, left or list(subscription.items)))
    return work.outcome(tuple(left))


def settle(subscription: Subscription, conditions: Conditions) -> Outcome:
    """Decide what the end of a subscription leaves to bill, and what is given back.

    What was used and not billed is charged; what was charged and not used is credited unless the
    policy says otherwise.
    """
    if not isinstance(subscription.contract, Active):
        return Outcome(subscription.items, subscription.debits, subscription.pending)
    work = _Work(subscription, conditions, change_day(subscription, conditions))
    for item in subscription.items:
        work.close(item)
    work.rests.clear()
    ended = tuple(
        evolve(item, through=min(item.through, work.day)) if work.credits else item
        for item in subscription.items
    )
    return work.outcome(ended)


def charge_used(subscription: Subscription, conditions: Conditions) -> Outcome:
    """Decide what was used in arrears until a pause in which nothing is billed.

    What is used is owed, and waits for the next invoice; nothing is credited.
    """
    work = _Work(subscription, conditions, change_day(subscription, conditions))
    items: list[Item] = []
    for item in subscription.items:
        if item.arrears:
            work.close(item)
            moved = evolve(item, through=max(item.through, work.day))
            since = work.since(metered=item.meter is not None, arrears=True)
            items.append(evolve(moved, since=since, usage_billed_minor=0))
        else:
            items.append(item)
    return work.outcome(tuple(items))


def move_billing_date(subscription: Subscription, on: date, conditions: Conditions) -> Outcome:
    """Decide what it costs to begin the next period of every item on another day.

    A later day extends the present period, and the days in between are charged; an earlier one
    cuts it, and they are credited. From then on periods are counted from that day.
    """
    work = _Work(subscription, conditions, change_day(subscription, conditions))
    items = tuple(work.move(item, on) for item in subscription.items)
    return work.outcome(items)


def change_day(subscription: Subscription, conditions: Conditions) -> date:
    """Return the first day that a change counts for."""
    day = local_date(conditions.at, subscription.zone)
    policy = conditions.policy
    if policy.unit is not ProrationUnit.SECOND and policy.change_day is ChangeDay.OLD:
        day += timedelta(days=1)
    contract = subscription.contract
    if isinstance(contract, Active) and day < contract.since:
        raise ValidationError("at", conditions.at, f"not before it began, on {contract.since}")
    return day


def _before_billing(
    subscription: Subscription, wanted: Sequence[WantedItem], conditions: Conditions
) -> Outcome:
    """Exchange items of which nothing was billed: they are counted from the same first day."""
    first = min(item.through for item in subscription.items)
    items: list[Item] = []
    pending = [each for each in subscription.pending if each.kind is not LineKind.SETUP]
    last = subscription.last_item
    for each in wanted:
        price = conditions.prices[each.price]
        assert price.every is not None
        number = each.item
        if number is None:
            last += 1
            number = last
            cycle, next_end = _joined(subscription.items[0], first, price)
            stub = FirstStub.PRORATED
        else:
            before = subscription.item(number)
            cycle, next_end, stub = before.cycle, before.next_end, before.first_stub
            if cycle.every != price.every:
                cycle, next_end = _joined(before, first, price)
        item = new_item(
            each, price, cycle, number, through=first, next_end=next_end, first_stub=stub
        )
        items.append(item)
        if price.setup_minor:
            treatment = conditions.treatment_of(price.id)
            pending.append(setup_charge(item, price, subscription, treatment))
    return Outcome(tuple(items), subscription.debits, tuple(pending))


def new_item(
    wanted: WantedItem,
    price: Price,
    cycle: BillingCycle,
    number: int,
    *,
    through: date,
    next_end: date | None = None,
    since: datetime | None = None,
    first_stub: FirstStub = FirstStub.PRORATED,
) -> Item:
    """Return an item of a price of which nothing is billed yet."""
    return Item(
        wanted.price,
        wanted.quantity,
        cycle,
        through,
        number,
        arrears=price.arrears,
        meter=price.meter,
        since=since,
        next_end=next_end,
        first_stub=first_stub,
    )


def _joined(beside: Item, start: date, price: Price) -> tuple[BillingCycle, date | None]:
    """Return how the periods of a price that joins an item are counted, and the first end."""
    assert price.every is not None
    aligned = shared(beside.cycle, start, price.every)
    return aligned.cycle, aligned.stub_end(start)


def reaching_back(cycle: BillingCycle, day: date) -> BillingCycle:
    """Return a cycle with the same boundaries, anchored early enough to have a day."""
    return cycle if cycle.anchor <= day else shared(cycle, day, cycle.every).cycle


class _Work:
    """The change in the making: what is credited, debited and left."""

    def __init__(self, subscription: Subscription, conditions: Conditions, day: date) -> None:
        self.subscription = subscription
        self.conditions = conditions
        self.day = day
        self.debits = list(subscription.debits)
        self.pending = list(subscription.pending)
        self.rests: list[_Rest] = []
        self.last_item = subscription.last_item
        self.present = {item.number for item in subscription.items}
        policy = conditions.policy
        # Stubs begin and end with a day, so that seconds are days.
        self.stub_unit = policy.unit
        if policy.unit is ProrationUnit.SECOND:
            self.stub_unit = ProrationUnit.DAY
        self.charges = policy.mode is not Mode.NONE
        self.credits = self.charges and policy.credit is Credit.UNUSED

    def outcome(self, items: tuple[Item, ...]) -> Outcome:
        self._debit_rests(items)
        return Outcome(items, tuple(self.debits), tuple(self.pending))

    def since(self, *, metered: bool, arrears: bool) -> datetime | None:
        """Return the instant from which something is billed that begins with the change."""
        by_instant = metered or (arrears and self.conditions.policy.unit is ProrationUnit.SECOND)
        return self.conditions.at if by_instant else None

    def close(self, item: Item) -> None:
        """Charge what was used of an item and is not billed, credit what was charged in advance."""
        if item.arrears:
            self._charge_used(item)
        elif self.charges:
            self._credit(item)

    def continue_as(self, item: Item, wanted: WantedItem) -> Item:
        price = self.conditions.prices[wanted.price]
        assert price.every is not None
        keeps_period = price.every == item.cycle.every and not item.arrears and not price.arrears
        if keeps_period and (self.debits_of(item) or item.through > self.day):
            before = len(self.rests)
            if self.charges:
                self._credit(item)
            rests = len(self.rests) > before
            after = new_item(
                wanted,
                price,
                item.cycle,
                item.number,
                through=item.through,
                next_end=item.next_end,
                first_stub=item.first_stub if rests or not item.billed else FirstStub.PRORATED,
            )
            return _counted(item, after, in_period=rests)
        self.close(item)
        if self.charges:
            # A new period begins: what is left of the old ones is used, and is never given back.
            self.debits = [each for each in self.debits if each.item != item.number]
        through, cycle, next_end = self.day, item.cycle, None
        if not item.arrears and not self.charges:
            # Nothing is given back, so the new price counts from where the old one is paid until.
            through = max(item.through, self.day)
        if price.every != cycle.every:
            cycle = BillingCycle(through, price.every)
        else:
            # The billing date may have been moved: then periods are counted from a day to come.
            cycle = reaching_back(cycle, through)
            if item.next_end is not None and item.next_end > through:
                next_end = item.next_end
        after = new_item(
            wanted,
            price,
            cycle,
            item.number,
            through=through,
            next_end=next_end,
            since=self.since(metered=price.meter is not None, arrears=price.arrears),
        )
        return _counted(item, after, in_period=False)

    def add(self, wanted: WantedItem, beside: Sequence[Item]) -> Item:
        price = self.conditions.prices[wanted.price]
        assert price.every is not None
        self.last_item += 1
        cycle, next_end = _joined(beside[0], self.day, price)
        item = new_item(
            wanted,
            price,
            cycle,
            self.last_item,
            through=self.day,
            next_end=next_end,
            since=self.since(metered=price.meter is not None, arrears=price.arrears),
        )
        if price.setup_minor:
            treatment = self.conditions.treatment_of(price.id)
            self.pending.append(setup_charge(item, price, self.subscription, treatment))
        if price.arrears:
            return item
        stub = item.next_period
        # Cut as a change cuts it, in the unit of the policy, so that a change back costs nothing.
        whole = cycle.period_containing(self.day) if next_end is None else stub
        begin = self._used_of(whole, cycle)
        if begin == 0 and stub == whole and next_end is None:
            # It begins with a period, which is billed as every other, whatever is prorated.
            return item
        if self.charges:
            grants = (*self._parts_off(self.day), *self._take_amounts(item.price, whole, begin))
            self.rests.append(
                _Rest(item.number, whole, cycle, begin, grants=grants, unit=self.stub_unit)
            )
        return evolve(item, through=stub.end, next_end=None, billed=int(self.charges))

    def move(self, item: Item, on: date) -> Item:
        every = item.cycle.every
        cycle = BillingCycle(on, every)
        if item.arrears and on <= item.through:
            return evolve(item, cycle=cycle, next_end=None)
        if item.arrears:
            return evolve(item, cycle=shared(cycle, item.through, every).cycle, next_end=on)
        if on < item.through and self.charges:
            rests = len(self.rests)
            self._credit(item, at=on)
            del self.rests[rests:]
        elif on > item.through and self.charges:
            grants = self._parts_off(item.through - timedelta(days=1))
            more = Period(item.through, on)
            self.rests.append(
                _Rest(item.number, more, item.cycle, grants=grants, unit=self.stub_unit)
            )
        self.debits = [
            evolve(each, cycle=each.cycle or item.cycle) if each.item == item.number else each
            for each in self.debits
        ]
        return evolve(item, cycle=cycle, through=on, next_end=None, first_stub=FirstStub.PRORATED)

    def _parts_off(self, day: date) -> tuple[Grant, ...]:
        return tuple(Grant(each, 0, 0) for each in parts_off(self.subscription, day))

    def _take_amounts(self, price: PriceId, whole: Period, begin: Fraction) -> tuple[Grant, ...]:
        """Take over amounts off that were granted for the period to items that go at this moment.

        An amount is given for a period once. Who removes an item and adds it again has its amount
        again; what comes instead of it has what all that goes had.
        """
        gone = [
            debit
            for debit in self.debits
            if debit.item not in self.present and debit.whole == whole
        ]
        # What an item was granted goes along from debit to debit: its last one says what it had.
        last = {debit.item: debit for debit in sorted(gone, key=lambda each: each.end)}
        free = [grant for debit in last.values() if debit.end == begin for grant in _amounts(debit)]
        own = [grant for grant in free if grant.price == price]
        taken = own or free
        for debit in gone:
            left = tuple(grant for grant in debit.grants if grant not in taken)
            self.debits[self.debits.index(debit)] = evolve(debit, grants=left)
        return tuple(taken)

    def _give_amounts_back(self, debit: Debit) -> None:
        """Let what took amounts over have had none: they are free again, with those before it."""
        for place, each in enumerate(self.debits):
            if each.item not in self.present and each.end == debit.begin:
                grants = (*each.grants, *_amounts(debit))
                self.debits[place] = evolve(each, grants=grants)
                return

    def debits_of(self, item: Item) -> list[Debit]:
        return [each for each in self.debits if each.item == item.number]

    def _charge_used(self, item: Item) -> None:
        if self._is_unused(item):
            return
        price, conditions = self.conditions.prices[item.price], self.conditions
        if self.day <= item.through:
            # No day is over of which a minimum could be owed.
            price = evolve(price, minimum_minor=0)
        # Usage of the very first day is usage, although no day is over.
        end = max(self.day, item.through + timedelta(days=1))
        charges = charge_period(
            item,
            price,
            Period(item.through, end),
            rate=conditions.rate,
            subscription=self.subscription,
            usage=conditions.usage.get(item.number, ()),
            unit=conditions.policy.unit,
            treatment=conditions.treatments.get(price.id),
            until=conditions.at if conditions.policy.unit is ProrationUnit.SECOND else None,
        )
        self.pending += [each for each in charges if each.amount_minor]

    def _is_unused(self, item: Item) -> bool:
        """Return whether nothing of the open period of an item is used, and no usage can be."""
        if item.meter is not None:
            return False
        if self.conditions.policy.unit is not ProrationUnit.SECOND:
            return self.day <= item.through
        begun = item.since or first_instant(item.through, self.subscription.zone)
        return self.conditions.at <= begun

    def _credit(self, item: Item, *, at: date | None = None) -> None:
        begun = min([debit.whole.start for debit in self.debits_of(item)], default=self.day)
        if self.credits and self.day < begun:
            # What was billed for an earlier period is over and not at hand: nobody shall guess.
            raise ValidationError("at", self.conditions.at, f"{begun} or later, in what is billed")
        forgotten: list[Debit] = []
        begins = {(each.whole, each.begin) for each in self.debits_of(item)}
        for debit in self.debits_of(item):
            cycle = debit.cycle or item.cycle
            part = (
                self._used_of(debit.whole, cycle) if at is None else _part_before(debit.whole, at)
            )
            part = max(part, debit.begin)
            # What another change went on from is used, even if this one counts from earlier: a day
            # begins before an instant of it at which seconds were counted.
            if part >= debit.end or (debit.whole, debit.end) in begins:
                continue
            self.rests.append(
                _Rest(item.number, debit.whole, cycle, part, debit.end, debit.grants, debit.unit)
            )
            given = between(debit.whole_minor, part, debit.end) if self.credits else 0
            place = self.debits.index(debit)
            if part == debit.begin and self.credits and self._is_whole(debit):
                # It was never invoiced and nothing of it is used: it was as if it had not been.
                forgotten.append(debit)
                continue
            if part > debit.begin or _amounts(debit):
                # With nothing of it left it still says what was granted for the period.
                self.debits[place] = evolve(debit, end=part)
            else:
                del self.debits[place]
            if self.conditions.policy.cap is Cap.PAID or debit.invoice in self.conditions.paid:
                given = min(given, self._paid_of(debit))
            if given:
                self.pending.append(self._credit_line(debit, self.rests[-1], given, at))
        # From the last, or the places of those before it would be others by then.
        for debit in reversed(forgotten):
            self._forget(debit)
            if item.number not in self.present:
                self._give_amounts_back(debit)

    def _is_whole(self, debit: Debit) -> bool:
        """Return whether a debit is as its pending line charges it: not invoiced, and not cut."""
        if debit.invoice is not None:
            return False
        line = self.pending[debit.line]
        charged = line.amount_minor - sum([share.amount_minor for share in line.discounts])
        return between(debit.whole_minor, debit.begin, debit.end) == charged

    def _credit_line(self, debit: Debit, rest: _Rest, given: int, at: date | None) -> Charge:
        # Where a given day cuts the period, days are counted.
        unit = self.conditions.policy.unit if at is None else ProrationUnit.DAY
        price = self.conditions.prices[debit.price]
        return Charge(
            price.name,
            -given,
            debit.rate,
            debit.behavior,
            period=rest.days_from(self.day if at is None else at),
            price=debit.price,
            kind=LineKind.CREDIT,
            product=price.product,
            subscription=self.subscription.id,
            item=debit.item,
            part=self._part_of(rest, -debit.whole_minor, unit),
            credits=None if debit.invoice is None else LineRef(debit.invoice, debit.line),
            more_rates=debit.more_rates,
        )

    def _forget(self, debit: Debit) -> None:
        """Take a pending line away as if it had never been; those behind it move up."""
        del self.pending[debit.line]
        self.debits.remove(debit)
        self.debits = [
            evolve(each, line=each.line - 1)
            if each.invoice is None and each.line > debit.line
            else each
            for each in self.debits
        ]

    def _paid_of(self, debit: Debit) -> int:
        """Return what was paid of a debit and not credited yet, rounded down."""
        charged = between(debit.whole_minor, debit.begin, debit.charged_to)
        credited = charged - between(debit.whole_minor, debit.begin, debit.end)
        if debit.invoice is None:
            # It goes on one invoice with its credit, and nobody is asked for it.
            return charged - credited
        share = self.conditions.paid[debit.invoice]
        if share.total_minor <= 0:
            return charged - credited
        return max(0, charged * share.paid_minor // share.total_minor - credited)

    def _used_of(self, whole: Period, cycle: BillingCycle) -> Fraction:
        policy = self.conditions.policy
        return part_used(
            whole,
            self.conditions.at,
            unit=policy.unit,
            zone=self.subscription.zone,
            cycle=cycle,
            day_after=policy.change_day is ChangeDay.OLD,
        )

    def _debit_rests(self, items: Sequence[Item]) -> None:
        """Charge what is left of billed periods at the prices that count from now on."""
        by_number = {item.number: item for item in items}
        for rest in self.rests:
            item = by_number.get(rest.item)
            if item is None or item.arrears or item.through < rest.last:
                continue
            chain = self._wholes(rest, item)
            price = self.conditions.prices[item.price]
            cuts = [between(whole, rest.begin, rest.end) for whole, _ in chain]
            shares = tuple(
                DiscountShare(share.coupon, share.name, cuts[place] - cuts[place + 1])
                for place, (_, share) in enumerate(chain[1:])
                if share is not None and cuts[place] != cuts[place + 1]
            )
            treatment = self.conditions.treatment_of(item.price)
            self.debits.append(
                Debit(
                    item.number,
                    item.price,
                    rest.whole,
                    chain[-1][0],
                    treatment.rate,
                    price.tax_behavior,
                    len(self.pending),
                    None,
                    rest.begin,
                    rest.end,
                    rest.cycle if rest.cycle != item.cycle else None,
                    rest.grants,
                    rest.end,
                    rest.unit,
                    treatment.more_rates,
                )
            )
            self.pending.append(
                Charge(
                    price.name,
                    cuts[0],
                    treatment.rate,
                    price.tax_behavior,
                    item.quantity,
                    None,
                    rest.days_from(self.day),
                    item.price,
                    LineKind.DEBIT,
                    price.product,
                    self.subscription.id,
                    item.number,
                    shares,
                    self._part(rest, item, chain[0][0]),
                    phase=phase_for(price, max(0, item.billed - 1)),
                    more_rates=treatment.more_rates,
                    tax_flag=treatment.flag,
                )
            )

    def _part(self, rest: _Rest, item: Item, whole_minor: int) -> Part:
        if rest.begin == 0 and rest.end == 1:
            # The whole of a stub: what explains its amount is which part of a period it is.
            of_cycle = stub_part(
                evolve(item, cycle=rest.cycle),
                self.conditions.prices[item.price],
                rest.whole,
                billed=max(0, item.billed - 1),
                unit=rest.unit,
            )
            if of_cycle is not None:
                return of_cycle
        return self._part_of(rest, whole_minor, self.conditions.policy.unit)

    def _part_of(self, rest: _Rest, whole_minor: int, unit: ProrationUnit) -> Part:
        units = units_of(rest.whole, unit=unit, zone=self.subscription.zone, cycle=rest.cycle)
        return Part(whole_minor, rest.begin, rest.end, unit, units)

    def _wholes(self, rest: _Rest, item: Item) -> list[tuple[int, DiscountShare | None]]:
        """Return what an item costs for a billed period: before discounts, and after each.

        The discounts are those that were granted for it: what others have by now is not asked.
        """
        price = self.conditions.prices[item.price]
        whole = price_of_period(
            evolve(item, cycle=rest.cycle),
            price,
            rest.whole,
            billed=max(0, item.billed - 1),
            unit=rest.unit,
        )
        chain: list[tuple[int, DiscountShare | None]] = [(whole, None)]
        for grant in rest.grants:
            coupon = grant.coupon
            if not coupon.covers(price.product):
                continue
            taken = grant.taken_off(chain[-1][0])
            share = DiscountShare(coupon.coupon, coupon.name, taken)
            chain.append((chain[-1][0] - taken, share))
        return chain


def _amounts(debit: Debit) -> list[Grant]:
    return [each for each in debit.grants if not each.coupon.is_percentage]


def _counted(before: Item, after: Item, *, in_period: bool) -> Item:
    """Return an item with another price that knows how many periods it has had at it.

    `in_period` says that the rest of a billed period is charged at it: that is one, too, unless
    it was counted when the item had the price before, in the same period.
    """
    if after.price == before.price:
        return evolve(
            after,
            billed=before.billed,
            last_minor=before.last_minor,
            had=before.had,
            free=before.free,
        )
    earlier = next((each for each in before.had if each.price == after.price), None)
    billed = 0 if earlier is None else earlier.billed
    if in_period and (earlier is None or earlier.through != before.through):
        billed += 1
    others = tuple(each for each in before.had if each.price not in {after.price, before.price})
    had = (*others, Had(before.price, before.billed, before.through))
    return evolve(after, billed=billed, last_minor=before.last_minor, had=had, free=before.free)


def setup_charge(
    item: Item, price: Price, subscription: Subscription, treatment: TaxTreatment
) -> Charge:
    """Return the setup fee of a price: once, with the next invoice."""
    return Charge(
        price.name,
        price.setup_minor,
        treatment.rate,
        price.tax_behavior,
        unit_price=Decimal(price.setup_minor).scaleb(-subscription.currency.exponent),
        price=item.price,
        kind=LineKind.SETUP,
        product=price.product,
        subscription=subscription.id,
        item=item.number,
        more_rates=treatment.more_rates,
        tax_flag=treatment.flag,
    )


def _part_before(whole: Period, day: date) -> Fraction:
    if day <= whole.start:
        return Fraction()
    return Fraction(min((day - whole.start).days, whole.days), whole.days)
