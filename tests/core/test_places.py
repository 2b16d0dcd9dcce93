"""Whatever comes and goes at one instant: what ends as it began has cost nothing.

Each story is a random word of removals, additions, swaps and guests, which is then undone in a
random order. Nothing is computed here: the law says what it comes to.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeAlias

import pytest

from subscriptions.billing_cycles import BillingCycle, Interval
from subscriptions.coupons import AppliedCoupon
from subscriptions.discounts import AmountOff, PercentOff
from subscriptions.ids import PriceId
from subscriptions.lifecycle import FirstStub, Item, Place, WantedItem
from subscriptions.lifecycle.places import Comer, give_places
from subscriptions.money import EUR, Money
from subscriptions.pricing import PerUnit
from subscriptions.proration import Proration
from subscriptions.records import evolve
from subscriptions.testing.builders import a_coupon, a_price, an_item
from tests.core.ledger import Ledger, noon

START = date(2027, 1, 31)
PRICES = [
    a_price("a", model=PerUnit("7.77")),
    a_price("b", model=PerUnit("31.00")),
    a_price("least", model=PerUnit("3.33"), minimum_minor=2000),
    a_price("year", model=PerUnit("99.99"), every=Interval.years(1)),
    a_price("late", model=PerUnit("12.00"), arrears=True),
]
MONTHLY = ["a", "b", "least"]
Had: TypeAlias = tuple[PriceId, int | Decimal]


class Story:
    """A subscription within a billed period, and what is done to it at one instant."""

    def __init__(self, seed: int) -> None:
        self.chosen = chosen = random.Random(seed)
        self.ledger = Ledger(PRICES, start=START, coupons=tuple(self.coupons()))
        full = chosen.choice([FirstStub.PRORATED, FirstStub.FULL])
        began = START + timedelta(days=chosen.choice([0, 9]))
        items: list[Item] = []
        for number in range(1, chosen.randint(2, 4) + 1):
            price = self.ledger.prices[chosen.choice([*MONTHLY, "a", "year"])]
            assert price.every is not None
            cycle = BillingCycle(START, price.every)
            stub = full if began > START else FirstStub.PRORATED
            quantity = chosen.randint(1, 9)
            items.append(Item(price.id, quantity, cycle, began, number, first_stub=stub))
        self.ledger.sub = evolve(self.ledger.sub, items=tuple(items), last_item=len(items))
        self.ledger.bill()
        self.at = noon(began + timedelta(days=chosen.choice([0, 1, 10])), chosen.randint(12, 23))
        self.policy = Proration(
            mode=chosen.choice(["next_invoice", "invoice_now"]),
            unit=chosen.choice(["day", "second", "thirtieths"]),
            change_day=chosen.choice(["new", "old"]),
        )
        self.was: dict[int, Had] = {each.number: (each.price, each.quantity) for each in items}
        self.gone: list[Had] = []
        self.guests: list[int] = []

    def coupons(self) -> list[AppliedCoupon]:
        chosen = self.chosen
        made: list[AppliedCoupon] = []
        for count in range(chosen.randint(0, 3)):
            amount = AmountOff(Money(chosen.randint(1, 9000), EUR))
            terms = chosen.choice([amount, PercentOff("33.3"), PercentOff(99)])
            made.append(a_coupon(f"cpn_{count}", terms=terms).applied())
        return made

    @property
    def items(self) -> dict[int, Item]:
        return {item.number: item for item in self.ledger.sub.items}

    def change(
        self,
        *,
        add: Had | None = None,
        remove: int | None = None,
        swap: tuple[int, Had] | None = None,
    ) -> int:
        """Change one thing; returns the number of the last item by then."""
        wanted = {n: WantedItem(each.price, each.quantity, n) for n, each in self.items.items()}
        if remove is not None:
            del wanted[remove]
        if swap is not None:
            number, had = swap
            wanted[number] = WantedItem(*had, number)
        new = [] if add is None else [WantedItem(*add)]
        self.ledger.change([*wanted.values(), *new], self.at, self.policy)
        self.ledger.check()
        return self.ledger.sub.items[-1].number

    def step(self) -> None:
        chosen = self.chosen
        there = [number for number in self.was if number in self.items]
        match chosen.choice(["go", "come back", "swap", "guest", "guest goes"]):
            case "go" if there and len(self.items) > 1:
                number = chosen.choice(there)
                self.change(remove=number)
                self.gone.append(self.was.pop(number))
            case "come back" if self.gone:
                back = self.gone.pop(chosen.randrange(len(self.gone)))
                self.was[self.change(add=back)] = back
            case "swap" if there:
                number = chosen.choice(there)
                if self.items[number].price != "year":
                    to = PriceId(chosen.choice(MONTHLY)), chosen.randint(1, 9)
                    self.change(swap=(number, to))
            case "guest":
                price = chosen.choice([*MONTHLY, "year", "late"])
                self.guests.append(self.change(add=(PriceId(price), chosen.randint(1, 9))))
            case "guest goes" if self.guests and len(self.items) > 1:
                self.change(remove=self.guests.pop(chosen.randrange(len(self.guests))))
            case _:
                pass

    def undo(self) -> None:
        """Let all be as it was: those who are gone first, so that something is always there."""
        self.chosen.shuffle(self.gone)
        for back in self.gone:
            self.change(add=back)
        rest = [*self.guests, *self.was]
        self.chosen.shuffle(rest)
        for number in rest:
            if number in self.guests:
                self.change(remove=number)
            elif (self.items[number].price, self.items[number].quantity) != self.was[number]:
                self.change(swap=(number, self.was[number]))


@pytest.mark.parametrize("block", range(10))
def test_whatever_comes_and_goes_at_one_instant_costs_nothing_once_all_is_as_it_was(
    block: int,
) -> None:
    for seed in range(40 * block, 40 * (block + 1)):
        story = Story(seed)
        before = sorted((item.price, item.quantity) for item in story.ledger.sub.items)
        charged = story.ledger.charged
        for _ in range(story.chosen.randint(1, 8)):
            story.step()
        story.undo()
        after = sorted((item.price, item.quantity) for item in story.ledger.sub.items)
        assert (after, story.ledger.charged - charged) == (before, 0), f"story {seed}"


# ---- who fits where ------------------------------------------------------------------------------

MONTH = Interval.months(1)


def place(number: int, item: Item, went: Item | None = None) -> Place:
    return Place(number, (), evolve(item, number=number), went)


def comer(
    number: int, price: str, quantity: int = 1, *, held: int | None = None, new: bool = True
) -> Comer:
    wanted = WantedItem(PriceId(price), quantity, None if new else number)
    return Comer(number, wanted, MONTH, date(2027, 2, 28), held)


def taken(places: list[Place], comers: list[Comer]) -> dict[int, int]:
    return {number: each.number for number, each in give_places(places, comers).items()}


BASIC = an_item(price=PriceId("basic"), through=date(2027, 2, 28))
PRO = an_item(price=PriceId("pro"), through=date(2027, 2, 28))


class TestWhoFitsWhere:
    def test_who_is_what_another_was_comes_before_all_others(self) -> None:
        places = [place(1, BASIC), place(2, PRO)]
        assert taken(places, [comer(3, "pro"), comer(4, "basic")]) == {3: 2, 4: 1}
        assert taken(places[1:], [comer(3, "new"), comer(4, "pro")]) == {4: 2}

    def test_then_comes_who_is_what_another_was_when_it_went(self) -> None:
        places = [place(1, BASIC, went=PRO)]
        assert taken(places, [comer(3, "new", held=1, new=False), comer(4, "pro")]) == {4: 1}
        assert taken(places, [comer(3, "basic"), comer(4, "pro")]) == {3: 1}

    def test_who_has_a_place_keeps_it(self) -> None:
        places = [place(1, BASIC), place(2, BASIC)]
        had = comer(3, "new", held=2, new=False)
        assert taken(places, [had, comer(4, "basic", 2)]) == {3: 2, 4: 1}
        same = comer(3, "basic", held=2, new=False)
        assert taken(places, [same, comer(4, "basic")]) == {3: 2, 4: 1}

    def test_who_has_none_and_is_not_new_takes_none_but_its_own(self) -> None:
        places = [place(1, BASIC)]
        assert taken(places, [comer(3, "new", new=False)]) == {}
        assert taken(places, [comer(3, "basic", new=False)]) == {3: 1}

    def test_who_is_new_takes_that_of_its_price_before_another(self) -> None:
        places = [place(1, BASIC), place(2, PRO)]
        assert taken(places, [comer(3, "pro", 7)]) == {3: 2}
        assert taken(places, [comer(3, "new"), comer(4, "pro", 7)]) == {3: 1, 4: 2}

    def test_a_place_of_another_price_is_paid_until_the_same_day(self) -> None:
        later = evolve(BASIC, through=date(2027, 3, 15))
        assert taken([place(1, later)], [comer(3, "new")]) == {}
        assert taken([place(1, later)], [comer(3, "basic", 7)]) == {3: 1}

    def test_a_place_is_counted_as_who_takes_it(self) -> None:
        yearly = evolve(BASIC, cycle=BillingCycle(START, Interval.years(1)))
        assert taken([place(1, yearly)], [comer(3, "basic")]) == {}

    def test_who_stays_is_not_displaced(self) -> None:
        stays = evolve(comer(3, "new", held=1, new=False), stays=True)
        assert taken([place(1, BASIC)], [stays, comer(4, "basic")]) == {3: 1}

    def test_what_was_not_there_has_no_place(self) -> None:
        assert taken([Place(1, ())], [comer(3, "basic")]) == {}
