"""What was charged for periods that are not over: given back by a change, and charged anew.

Credit comes from the original debits: the amounts once charged, with their discounts and at their
rate of tax, never from today's price. A debit shrinks by what is credited, so no more is ever
given back than was charged. What the new items cost for the rest is cut out of what they cost for
the same billed period, so that a change and its opposite at one instant cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from math import ceil

from subscriptions.billing_cycles import BillingCycle, Period
from subscriptions.catalog import phase_for
from subscriptions.coupons import AppliedCoupon
from subscriptions.discounts import DiscountShare
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CouponId
from subscriptions.invoices import Charge, LineKind, LineRef, Part
from subscriptions.lifecycle.charges import (
    part_used,
    parts_off,
    price_of_period,
    stub_part,
    units_of,
)
from subscriptions.lifecycle.conditions import Conditions
from subscriptions.lifecycle.items import Debit, Grant, Item
from subscriptions.lifecycle.subscription import Subscription
from subscriptions.proration import Cap, ChangeDay, ProrationUnit, between
from subscriptions.records import evolve


@frozen
class Rest:
    """A part of a billed period of which the price has been given back.

    It begins with the change, or on the day `since`.
    """

    item: int
    whole: Period
    cycle: BillingCycle
    begin: Fraction = Fraction()
    end: Fraction = Fraction(1)
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


class Charged:
    """What was charged for periods that are not over: given back, and charged anew.

    `rests` are the parts of which the price has been given back, `present` the items that stay.
    """

    def __init__(self, subscription: Subscription, conditions: Conditions, day: date) -> None:
        self.subscription = subscription
        self.conditions = conditions
        self.day = day
        self.debits = list(subscription.debits)
        self.pending = list(subscription.pending)
        self.rests: list[Rest] = []
        self.present = {item.number for item in subscription.items}

    def debits_of(self, item: Item) -> list[Debit]:
        """Return what an item was charged for periods that are not over."""
        return [each for each in self.debits if each.item == item.number]

    def used_of(self, whole: Period, cycle: BillingCycle) -> Fraction:
        """Return which part of a period is used when the change counts."""
        policy = self.conditions.policy
        return part_used(
            whole,
            self.conditions.at,
            unit=policy.unit,
            zone=self.subscription.zone,
            cycle=cycle,
            day_after=policy.change_day is ChangeDay.OLD,
        )

    def credit(self, item: Item, *, at: date | None = None) -> None:
        """Give back what an item was charged for and has not used, or all from a day `at` on.

        Raises `ValidationError` for a change in an earlier period than what is billed last.
        """
        begun = min([debit.whole.start for debit in self.debits_of(item)], default=self.day)
        if self.conditions.credits and self.day < begun:
            # What was billed for an earlier period is over and not at hand: nobody shall guess.
            raise ValidationError("at", self.conditions.at, f"{begun} or later, in what is billed")
        forgotten: list[Debit] = []
        begins = {(each.whole, each.begin) for each in self.debits_of(item)}
        for debit in self.debits_of(item):
            cycle = debit.cycle or item.cycle
            part = self.used_of(debit.whole, cycle) if at is None else _part_before(debit.whole, at)
            part = max(part, debit.begin)
            # What another change went on from is used, even if this one counts from earlier: a day
            # begins before an instant of it at which seconds were counted.
            goes_on = (debit.whole, debit.end) in begins
            if at is not None and goes_on:
                # A period that was cut at a day to come and lengthened again may be cut earlier.
                goes_on = debit.end <= self.used_of(debit.whole, cycle)
            if part >= debit.end or goes_on:
                continue
            self.rests.append(
                Rest(
                    item.number,
                    debit.whole,
                    cycle,
                    part,
                    debit.end,
                    self._going_on(debit),
                    debit.unit,
                )
            )
            given = between(debit.whole_minor, part, debit.end) if self.conditions.credits else 0
            place = self.debits.index(debit)
            if part == debit.begin and self.conditions.credits and self._is_whole(debit):
                # It was never invoiced and nothing of it is used: it was as if it had not been.
                forgotten.append(debit)
                continue
            if part > debit.begin or debit.grants:
                # With nothing of it left it still says what was granted for the period.
                self.debits[place] = evolve(debit, end=part)
            else:
                del self.debits[place]
            if self.conditions.policy.cap is Cap.PAID or debit.invoice in self.conditions.paid:
                given = min(given, self._paid_of(debit))
            given = min(given, self._left_by_notes(debit))
            if given:
                self.pending.append(self._credit_line(debit, self.rests[-1], given, at))
        # From the last, or the places of those before it would be others by then.
        for debit in reversed(forgotten):
            self._forget(debit)
            if item.number not in self.present:
                self._give_grants_back(debit)

    def lengthen(self, item: Item, until: date) -> date:
        """Charge again what was cut off the period of an item, up to a day; returns until when."""
        for debit in self.debits_of(item):
            whole = debit.whole
            cut = whole.start < item.through < whole.end
            if cut and debit.end == _part_before(whole, item.through):
                end = min(until, whole.end)
                self.rests.append(
                    Rest(
                        item.number,
                        whole,
                        debit.cycle or item.cycle,
                        debit.end,
                        _part_before(whole, end),
                        debit.grants,
                        debit.unit,
                        item.through,
                    )
                )
                return end
        return item.through

    def _is_whole(self, debit: Debit) -> bool:
        """Return whether a debit is as its pending line charges it: not invoiced, and not cut."""
        if debit.invoice is not None:
            return False
        line = self.pending[debit.line]
        charged = line.amount_minor - sum([share.amount_minor for share in line.discounts])
        return between(debit.whole_minor, debit.begin, debit.end) == charged

    def _credit_line(self, debit: Debit, rest: Rest, given: int, at: date | None) -> Charge:
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

    def _left_by_notes(self, debit: Debit) -> int:
        """Return what changes and credit notes have left of what a debit charged."""
        left = between(debit.whole_minor, debit.begin, debit.end)
        if debit.invoice is None or not self.conditions.credited:
            return left
        return max(0, left - self.conditions.credited.get(LineRef(debit.invoice, debit.line), 0))

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

    def take_grants(
        self, item: Item, whole: Period, begin: Fraction, unit: ProrationUnit
    ) -> tuple[Grant, ...]:
        """Return the discounts of an item that is added to a period: those that count for it.

        Who removes an item and adds it again has all that it was granted, to the minor unit. What
        else is added has the percentages of the period, and the amounts of all that goes at this
        moment: an amount is given for a period once.
        """
        price, gone = item.price, self._gone(whole, begin)
        back = [each for each in gone if each.price == price]
        others = [grant for each in gone if each.price != price for grant in _amounts(each)]
        amounts, same = [grant for grant in others if grant.price == price], None
        if back:
            # Of several that had the price, the one that cost as much; each has a coupon once.
            cost = price_of_period(item, self.conditions.prices[price], whole, billed=0, unit=unit)
            amounts.sort(key=lambda each: each.of_minor == cost)
            amounts = list({each.coupon.coupon: each for each in amounts}.values())
            granted = [each for each in back if each.grants]
            same = min(granted, key=lambda each: each.grants[0].of_minor != cost, default=None)
        elif not amounts:
            amounts = others
        if same is not None:
            grants = list(same.grants)
            self.debits[self.debits.index(same)] = evolve(same, grants=())
        else:
            grants = [Grant(each, 0, 0) for each in parts_off(self.subscription, self.day)]
        for each in gone:
            if any(grant in amounts for grant in each.grants) and each is not same:
                left = tuple(grant for grant in each.grants if grant not in amounts)
                self.debits[self.debits.index(each)] = evolve(each, grants=left)
        return self._declared([*grants, *amounts]) if amounts else tuple(grants)

    def _give_grants_back(self, debit: Debit) -> None:
        """Let what took discounts over have had none: they are free again."""
        gone = self._gone(debit.whole, debit.begin)
        own = next((each for each in gone if each.item == debit.item), None)
        if own is not None:
            # An earlier charge for it says so still, and now of what it was at last.
            grants = tuple(evolve(each, price=debit.price) for each in own.grants)
            self.debits[self.debits.index(own)] = evolve(own, grants=grants)
        if own is not None or not gone:
            return
        home = next((each for each in gone if each.price == debit.price and not each.grants), None)
        if home is not None:
            self.debits[self.debits.index(home)] = evolve(home, grants=debit.grants)
            return
        for grant in _amounts(debit):
            home = min(
                self._gone(debit.whole, debit.begin),
                key=lambda each: (each.price != grant.price, grant.coupon in _coupons(each)),
            )
            grants = self._declared([*home.grants, grant])
            self.debits[self.debits.index(home)] = evolve(home, grants=grants)

    def _gone(self, whole: Period, end: Fraction) -> list[Debit]:
        """Return what was charged last for each item that goes where a period is cut."""
        charged = [each for each in self.debits if each.whole == whole]
        # What an item was granted goes along from debit to debit: its last one says what it had.
        last = {each.item: each for each in sorted(charged, key=lambda each: each.end)}
        return [each for each in last.values() if each.item not in self.present and each.end == end]

    def _declared(self, grants: Sequence[Grant]) -> tuple[Grant, ...]:
        """Return discounts in the order in which they chain: that of who has the most of them."""
        order: dict[CouponId, int] = {}
        for debit in sorted(self.subscription.debits, key=lambda each: -len(each.grants)):
            for grant in debit.grants:
                order.setdefault(grant.coupon.coupon, len(order))
        return tuple(sorted(grants, key=lambda each: order.get(each.coupon.coupon, 0)))

    def _going_on(self, debit: Debit) -> tuple[Grant, ...]:
        """Return what a debit was granted, and the percentages that its period has for others.

        They count for another product that comes instead of this one; this one is none of theirs.
        """
        product = self.conditions.prices[debit.price].product
        others = {
            grant.coupon.coupon: grant.coupon
            for each in self.subscription.debits
            if each.whole == debit.whole
            for grant in each.grants
            if grant.coupon.is_percentage and not grant.coupon.covers(product)
        }
        known = {grant.coupon.coupon for grant in debit.grants}
        more = [Grant(each, 0, 0) for id, each in others.items() if id not in known]
        return self._declared([*debit.grants, *more]) if more else debit.grants

    def debit_rests(self, items: Sequence[Item]) -> None:
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
                    rest.days_from(rest.since or self.day),
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

    def _part(self, rest: Rest, item: Item, whole_minor: int) -> Part:
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

    def _part_of(self, rest: Rest, whole_minor: int, unit: ProrationUnit) -> Part:
        units = units_of(rest.whole, unit=unit, zone=self.subscription.zone, cycle=rest.cycle)
        return Part(whole_minor, rest.begin, rest.end, unit, units)

    def _wholes(self, rest: Rest, item: Item) -> list[tuple[int, DiscountShare | None]]:
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


def _coupons(debit: Debit) -> list[AppliedCoupon]:
    return [each.coupon for each in debit.grants]


def _amounts(debit: Debit) -> list[Grant]:
    return [each for each in debit.grants if not each.coupon.is_percentage]


def _part_before(whole: Period, day: date) -> Fraction:
    if day <= whole.start:
        return Fraction()
    return Fraction(min((day - whole.start).days, whole.days), whole.days)
