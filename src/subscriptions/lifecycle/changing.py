"""What a change costs in the middle of a period: which items it leaves, and what they are charged.

Never here: tax, and on which invoice it goes. What of earlier charges is given back, and what the
rest of a period costs at the new price, is decided in `debits`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import date, datetime, timedelta

from subscriptions.alignment import shared
from subscriptions.billing_cycles import BillingCycle, Interval, Period, first_instant
from subscriptions.catalog import Price
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.invoices import Charge, LineKind
from subscriptions.lifecycle.charges import charge_period, parts_off
from subscriptions.lifecycle.conditions import Conditions, change_day
from subscriptions.lifecycle.debits import Charged
from subscriptions.lifecycle.items import Debit, FirstStub, Grant, Item, Place, Rest, WantedItem
from subscriptions.lifecycle.new_items import (
    billed_from,
    counted,
    joined,
    new_item,
    reaching_back,
    setup_charge,
    with_stub,
)
from subscriptions.lifecycle.places import Comer, give_places, is_same
from subscriptions.lifecycle.stretches import (
    absent_until,
    free_until,
    is_cut,
    keeps_segment,
    past_of_cycle,
    past_until,
    with_ahead,
)
from subscriptions.lifecycle.subscription import Active, Subscription
from subscriptions.proration import Cap, ProrationUnit
from subscriptions.records import evolve
from subscriptions.usage import Stretch, StretchKind


@frozen
class Outcome:
    """What a change leaves: the items, what can still be credited, and all that is pending.

    `places` are what the next change meets, if it is at the same instant.
    """

    items: tuple[Item, ...]
    debits: tuple[Debit, ...]
    pending: tuple[Charge, ...]
    places: tuple[Place, ...] = ()


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
    left: dict[int, Item] = {}
    came: dict[int, WantedItem] = {}
    for item in subscription.items:
        successor = continued.get(item.number)
        if successor is None:
            work.close(item)
            work.charged.leave(item)
        elif work.has_come(item, successor):
            came[item.number] = successor
        elif is_same(item, successor):
            left[item.number] = item
        else:
            left[item.number] = work.continue_as(item, successor)
    new = [each for each in wanted if each.item is None]
    came.update(enumerate(new, subscription.last_item + 1))
    beside = [*left.values(), *subscription.items]
    places = work.places_for(came, beside[0], there=left)
    for number, each in came.items():
        left[number] = work.put(number, each, beside[0], places.get(number))
        beside = list(left.values())
    return work.outcome(tuple(left.values()))


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
    ended = tuple(
        evolve(item, through=min(item.through, work.day)) if work.conditions.credits else item
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
            items.append(work.pause(item))
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
    work.charged.places.clear()
    return work.outcome(items)


def _before_billing(
    subscription: Subscription, wanted: Sequence[WantedItem], conditions: Conditions
) -> Outcome:
    """Exchange items of which nothing was billed: they are counted from the same first day."""
    first = billed_from(subscription.contract)
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
            before = subscription.items[0]
            cycle, next_end = joined(before, first, price)
            free = before.first_stub is FirstStub.FREE
            stub = FirstStub.FREE if free else FirstStub.PRORATED
        else:
            before = subscription.item(number)
            cycle, next_end, stub = before.cycle, before.next_end, before.first_stub
            if cycle.every != price.every:
                cycle, next_end = joined(before, first, price)
            elif before.through > first:
                next_end = before.through
        item = new_item(each, price, cycle, number, through=first, next_end=next_end)
        if each.item is not None:
            # A price that was tried has been had, though nothing was ever billed at it.
            item = counted(before, item, in_period=False)
        items.append(with_stub(item, stub, subscription.zone))
        if price.setup_minor:
            treatment = conditions.treatment_of(price.id)
            pending.append(setup_charge(item, price, subscription, treatment))
    return Outcome(tuple(items), subscription.debits, tuple(pending))


class _Work:
    """The change in the making: what becomes of each item, and what is left of it."""

    def __init__(self, subscription: Subscription, conditions: Conditions, day: date) -> None:
        self.subscription = subscription
        self.conditions = conditions
        self.day = day
        self.charged = Charged(subscription, conditions, day)
        # Stubs begin and end with a day, so that seconds are days.
        unit = conditions.policy.unit
        seconds = unit is ProrationUnit.SECOND
        self.stub_unit: ProrationUnit = ProrationUnit.DAY if seconds else unit

    def outcome(self, items: tuple[Item, ...]) -> Outcome:
        self.charged.debit_rests(items)
        charged = self.charged
        places = tuple(charged.places.values())
        return Outcome(items, tuple(charged.debits), tuple(charged.pending), places)

    def since(self, *, metered: bool, arrears: bool) -> datetime | None:
        """Return the instant from which something is billed that begins with the change."""
        by_instant = metered or (arrears and self.conditions.policy.unit is ProrationUnit.SECOND)
        return self.conditions.at if by_instant else None

    def close(self, item: Item) -> None:
        """Charge what was used of an item and is not billed, credit what was charged in advance."""
        if item.arrears:
            self._charge_used(item)
        elif self.conditions.charges:
            self.charged.credit(item)

    def pause(self, item: Item) -> Item:
        """Charge what was used of an item in arrears until now, and begin anew after it."""
        zone, at = self.subscription.zone, self.conditions.at
        if item.meter is not None and not is_cut(item, at, zone):
            return item
        self.close(item)
        after = evolve(
            item,
            through=max(item.through, self.day),
            since=self.since(metered=item.meter is not None, arrears=True),
            usage_billed_minor=0,
        )
        if item.meter is None:
            return after
        return evolve(after, past=past_until(item, at, StretchKind.PART, zone))

    def continue_as(self, item: Item, wanted: WantedItem) -> Item:
        price = self.conditions.prices[wanted.price]
        assert price.every is not None
        keeps_period = price.every == item.cycle.every and not item.arrears and not price.arrears
        if keeps_period and (self.charged.debits_of(item) or item.through > self.day):
            rests = self.charged.credit(item) if self.conditions.charges else []
            self.charged.rests += rests
            return self._keep_period(item, wanted, in_period=bool(rests))
        if keeps_segment(item, price, self.conditions.at, self.subscription.zone):
            return self._whole(item, wanted, price)
        self.close(item)
        if self.conditions.charges:
            # A new period begins: what is left of the old ones is used, and is never given back.
            self.charged.debits = [each for each in self.charged.debits if each.item != item.number]
            self.charged.places.pop(item.number, None)
        through, cycle, next_end = self.day, item.cycle, None
        if not item.arrears and not self.conditions.charges:
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
            # What is paid until a later day is not billed again from the instant of the change.
            since=self.since(
                metered=price.meter is not None, arrears=price.arrears and through == self.day
            ),
            past=self._past(item, price),
        )
        if after.meter is not None and after.meter == item.meter:
            after = self._with_ahead(item, after)
        return counted(item, after, in_period=False)

    def _with_ahead(self, item: Item, after: Item) -> Item:
        """Return an item that finds what was recorded of periods that it does not have any more."""
        if after.cycle is item.cycle:
            return after
        now, ends_on = self.conditions.now, after.next_period.end
        past = with_ahead(self.subscription, item, after.past, now=now, ends_on=ends_on)
        return evolve(after, past=past)

    def _keep_period(self, item: Item, wanted: WantedItem, *, in_period: bool) -> Item:
        """Return an item with another price or quantity in the periods that it has."""
        after = new_item(
            wanted,
            self.conditions.prices[wanted.price],
            item.cycle,
            item.number,
            through=item.through,
            next_end=item.next_end,
            first_stub=item.first_stub if in_period or not item.billed else FirstStub.PRORATED,
        )
        return counted(item, after, in_period=in_period)

    def _whole(self, item: Item, wanted: WantedItem, price: Price) -> Item:
        """Return a metered item whose open segment is at its new price from its beginning on."""
        assert price.every is not None
        cycle, past = item.cycle, item.past
        if price.every != cycle.every:
            cycle = BillingCycle(item.through, price.every)
            past = past_of_cycle(item, self.subscription.zone)
        after = new_item(
            wanted,
            price,
            cycle,
            item.number,
            through=item.through,
            next_end=item.next_end if cycle is item.cycle else None,
            since=item.since,
            past=past,
        )
        after = evolve(after, usage_billed_minor=item.usage_billed_minor)
        after = self._with_ahead(item, after)
        return counted(item, after, in_period=False)

    def _past(self, item: Item, price: Price) -> tuple[Stretch, ...]:
        """Return what an item remembers of its time until now, once it has another price."""
        at, zone = self.conditions.at, self.subscription.zone
        if price.meter is None:
            return ()
        if price.meter != item.meter:
            return absent_until(at, item.cycle)
        return past_until(item, at, StretchKind.PART, zone)

    def has_come(self, item: Item, wanted: WantedItem) -> bool:
        """Return whether an item came at this very instant, and keeps its periods."""
        place = self.charged.places.get(item.number)
        if place is None or place.item is not None or not self.conditions.charges:
            return False
        price = self.conditions.prices[wanted.price]
        return price.every == item.cycle.every and not price.arrears

    def places_for(
        self, came: Mapping[int, WantedItem], beside: Item, *, there: Container[int]
    ) -> dict[int, Place]:
        """Return whose places those take who come, of those who have gone at this instant."""
        known = self.charged.places
        gone = [each for each in known.values() if each.item and each.number not in there]
        if not gone or not self.conditions.charges:
            return {}
        comers: list[Comer] = []
        for number, wanted in came.items():
            price, place = self.conditions.prices[wanted.price], known.get(number)
            assert price.every is not None
            if not price.arrears:
                through = self._join(wanted, number, beside)[0].through
                held = None if place is None else place.held
                stays = place is not None and self._stays(number, wanted)
                comers.append(Comer(number, wanted, price.every, through, held, stays))
        return give_places(gone, comers)

    def _stays(self, number: int, wanted: WantedItem) -> bool:
        """Return whether an item that came is to be charged anew only if it is changed itself."""
        conditions = self.conditions
        gives_all = conditions.credits and conditions.policy.cap is Cap.DEBITED
        return not gives_all and is_same(self.subscription.item(number), wanted)

    def put(self, number: int, wanted: WantedItem, beside: Item, place: Place | None) -> Item:
        """Let an item come at this instant, to the place of one that goes or to one of its own."""
        price, charged = self.conditions.prices[wanted.price], self.charged
        if place is None:
            held, before = None, None
            after, rests = self._join(wanted, number, beside)
        else:
            assert place.item is not None
            held, before = place.number, place.item.price
            gone = evolve(place.item, number=number)
            after = self._keep_period(gone, wanted, in_period=True)
            rests = charged.take(place, number)
        if wanted.item is not None:
            item, came = self.subscription.item(number), charged.places[number]
            if self._stays(number, wanted):
                return item
            if is_same(item, wanted) and (
                charged.costs(item, came.rests) == charged.costs(after, rests)
            ):
                charged.places[number] = evolve(came, held=held)
                return item
            self.close(item)
        elif price.setup_minor and before != price.id:
            treatment = self.conditions.treatment_of(price.id)
            charged.pending.append(setup_charge(after, price, self.subscription, treatment))
        if rests:
            charged.rests += rests
            charged.places[number] = Place(number, rests, held=held)
        return after

    def _join(self, wanted: WantedItem, number: int, beside: Item) -> tuple[Item, tuple[Rest, ...]]:
        """Return a new item that shares the days of another, and what of its period it pays for."""
        price = self.conditions.prices[wanted.price]
        assert price.every is not None
        cycle, next_end = joined(beside, self.day, price)
        item = new_item(
            wanted,
            price,
            cycle,
            number,
            through=self.day,
            next_end=next_end,
            since=self.since(metered=price.meter is not None, arrears=price.arrears),
            past=() if price.meter is None else absent_until(self.conditions.at, cycle),
        )
        if price.arrears:
            return item, ()
        stub = item.next_period
        # Cut as a change cuts it, in the unit of the policy, so that a change back costs nothing.
        whole, unit = (
            cycle.period_containing(self.day) if next_end is None else stub,
            self.stub_unit,
        )
        billed = self._billed(whole, price)
        if billed is not None:
            # What others were billed, a stub perhaps, is what it has a part of: with its coupons.
            whole, unit = billed.whole, billed.unit
        begin = self.charged.used_of(whole, cycle)
        if billed is None and begin == 0 and stub == whole and next_end is None:
            # It begins with a period, which is billed as every other, whatever is prorated.
            return item, ()
        charges = self.conditions.charges
        rest = Rest(number, whole, cycle, begin, grants=self._parts_off(self.day), unit=unit)
        item = evolve(item, through=stub.end, next_end=None, billed=int(charges))
        return item, (rest,) if charges else ()

    def _billed(self, whole: Period, price: Price) -> Debit | None:
        """Return what was billed for a period, or for a stub of it, at the interval of a price."""
        for debit in self.subscription.debits:
            same = self.conditions.prices[debit.price].every == price.every
            begun = whole.start <= debit.whole.start <= self.day
            if same and begun and debit.whole.end == whole.end:
                return debit
        return None

    def move(self, item: Item, on: date) -> Item:
        every = item.cycle.every
        cycle = BillingCycle(on, every)
        zone, now = self.subscription.zone, self.conditions.now
        past = past_of_cycle(item, zone)
        if past:
            past = with_ahead(self.subscription, item, past, now=now, ends_on=on)
        if item.arrears and on <= item.through:
            return evolve(item, cycle=cycle, next_end=None, past=past)
        if item.arrears:
            reaching = shared(cycle, item.through, every).cycle
            moved = evolve(item, cycle=reaching, next_end=on, past=past)
            return moved if not item.free else free_until(item, moved, zone)
        if on < item.through and self.conditions.charges:
            self.charged.credit(item, at=on)
        elif on > item.through and self.conditions.charges:
            grants = self._parts_off(item.through - timedelta(days=1))
            begin = self.charged.lengthen(item, on)
            if begin < on:
                more = Period(begin, on)
                self.charged.rests.append(
                    Rest(item.number, more, item.cycle, grants=grants, unit=self.stub_unit)
                )
        self.charged.debits = [
            evolve(each, cycle=each.cycle or _cycle_of(each, item))
            if each.item == item.number
            else each
            for each in self.charged.debits
        ]
        return evolve(item, cycle=cycle, through=on, next_end=None, first_stub=FirstStub.PRORATED)

    def _parts_off(self, day: date) -> tuple[Grant, ...]:
        return tuple(Grant(each, 0, 0) for each in parts_off(self.subscription, day))

    def _charge_used(self, item: Item) -> None:
        if self._is_unused(item):
            return
        price, conditions = self.conditions.prices[item.price], self.conditions
        if item.meter is not None and self.day <= item.through:
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
        self.charged.pending += [each for each in charges if each.amount_minor]

    def _is_unused(self, item: Item) -> bool:
        """Return whether nothing of the open period of an item is used, and no usage can be."""
        if item.meter is not None:
            return False
        if self.conditions.policy.unit is not ProrationUnit.SECOND:
            return self.day <= item.through
        begun = item.since or first_instant(item.through, self.subscription.zone)
        return self.conditions.at <= begun


def _cycle_of(debit: Debit, item: Item) -> BillingCycle:
    """Return how the period of a debit was counted: a stub at the full price was a whole one."""
    if item.first_stub is FirstStub.FULL and item.billed == 1:
        return BillingCycle(debit.whole.start, Interval.days(debit.whole.days))
    return item.cycle
