"""What was charged for periods that are not over: given back by a change, and charged anew.

Credit comes from the original debits: the amounts once charged, with their discounts and at their
rate of tax, never from today's price. A debit shrinks by what is credited, so no more is ever
given back than was charged. What the new items cost for the rest is cut out of what they cost for
the same billed period, so that a change and its opposite at one instant cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from subscriptions.billing_cycles import BillingCycle, Period
from subscriptions.catalog import phase_for
from subscriptions.discounts import DiscountShare
from subscriptions.errors import ValidationError
from subscriptions.invoices import Charge, LineKind, LineRef, Part
from subscriptions.lifecycle.charges import (
    part_used,
    price_of_period,
    stub_part,
    units_of,
)
from subscriptions.lifecycle.conditions import Conditions
from subscriptions.lifecycle.items import Debit, Item, Place, Rest
from subscriptions.lifecycle.subscription import Subscription
from subscriptions.proration import Cap, ChangeDay, ProrationUnit, between
from subscriptions.records import evolve


class Charged:
    """What was charged for periods that are not over: given back, and charged anew.

    `rests` are the parts of which the price has been given back, to be charged anew; `places` are
    those of the items that were changed at this instant, by their numbers.
    """

    def __init__(self, subscription: Subscription, conditions: Conditions, day: date) -> None:
        self.subscription = subscription
        self.conditions = conditions
        self.day = day
        self.debits = list(subscription.debits)
        self.pending = list(subscription.pending)
        self.rests: list[Rest] = []
        self.places = {each.number: each for each in subscription.places if self._stands(each)}

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

    def _stands(self, place: Place) -> bool:
        """Return whether no time has gone by since the changes that found a place."""
        return all(self.used_of(each.whole, each.cycle) == each.begin for each in place.rests)

    def credit(self, item: Item, *, at: date | None = None) -> list[Rest]:
        """Give back what an item was charged for and has not used, or all from a day `at` on.

        Returns the parts of which the price is given back.

        Raises `ValidationError` for a change in an earlier period than what is billed last.
        """
        begun = min([debit.whole.start for debit in self.debits_of(item)], default=self.day)
        # Before what was billed first, in a stub that is free, there is nothing to guess.
        is_first = not item.billed and not item.had
        if self.conditions.credits and self.day < begun and not is_first:
            # What was billed for an earlier period is over and not at hand: nobody shall guess.
            raise ValidationError("at", self.conditions.at, f"{begun} or later, in what is billed")
        forgotten: list[Debit] = []
        rests: list[Rest] = []
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
            rest = Rest(item.number, debit.whole, cycle, part, debit.end, debit.grants, debit.unit)
            rests.append(rest)
            given = between(debit.whole_minor, part, debit.end) if self.conditions.credits else 0
            place = self.debits.index(debit)
            if part == debit.begin and self.conditions.credits and self._is_whole(debit):
                # It was never invoiced and nothing of it is used: it was as if it had not been.
                forgotten.append(debit)
                continue
            if part > debit.begin:
                self.debits[place] = evolve(debit, end=part)
            else:
                del self.debits[place]
            if self.conditions.policy.cap is Cap.PAID or debit.invoice in self.conditions.paid:
                given = min(given, self._paid_of(debit))
            given = min(given, self._left_by_notes(debit))
            if given:
                self.pending.append(self._credit_line(debit, rest, given, at))
        # From the last, or the places of those before it would be others by then.
        for debit in reversed(forgotten):
            self._forget(debit)
        if rests and at is None:
            self.places.setdefault(item.number, Place(item.number, tuple(rests), item))
        return rests

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

    def leave(self, item: Item) -> None:
        """Note what an item is that goes, where it was another when the changes began."""
        place = self.places.get(item.number)
        if place is not None and place.item is not None:
            self.places[item.number] = evolve(place, went=item)

    def take(self, place: Place, number: int) -> tuple[Rest, ...]:
        """Return what is left of a place, for the item that takes it."""
        return tuple(evolve(each, item=number) for each in place.rests)

    def costs(self, item: Item, rests: Sequence[Rest]) -> list[object]:
        """Return what an item is charged for parts of periods."""
        return [(each.begin, each.end, self._wholes(each, item)) for each in rests]

    def debit_rests(self, items: Sequence[Item]) -> None:
        """Charge what is left of billed periods at the prices that count from now on."""
        by_number = {item.number: item for item in items}
        for rest in self.rests:
            item = by_number[rest.item]
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


def _part_before(whole: Period, day: date) -> Fraction:
    if day <= whole.start:
        return Fraction()
    return Fraction(min((day - whole.start).days, whole.days), whole.days)
