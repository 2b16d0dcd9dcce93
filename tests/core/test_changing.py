"""What a change in the middle of a period costs and leaves, by rule and by example.

January 2027 has 31 days: what costs 31.00 costs 1.00 a day.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from attrs import evolve

from subscriptions.billing_cycles import BillingCycle, Interval, Period
from subscriptions.catalog import Introductory, Price
from subscriptions.discounts import AmountOff, PercentOff
from subscriptions.errors import ValidationError
from subscriptions.ids import InvoiceId, ProductId
from subscriptions.invoices import Charge, LineKind, LineRef, Part
from subscriptions.lifecycle import (
    Active,
    Conditions,
    Contract,
    Ended,
    EndReason,
    FirstStub,
    Incomplete,
    Item,
    Outcome,
    PaidShare,
    Scheduled,
    Trialing,
    UsageOf,
    WantedItem,
    change_items,
    charge_used,
    settle,
)
from subscriptions.lifecycle.items import Free
from subscriptions.lifecycle.new_items import billed_from
from subscriptions.lifecycle.stretches import free_until
from subscriptions.money import EUR, Money
from subscriptions.pricing import Flat, Graduated, PerUnit, Tier
from subscriptions.proration import Proration
from subscriptions.taxes import TaxRate
from subscriptions.testing.builders import a_coupon, a_price, an_item
from tests.core.ledger import Ledger, charged_minor, noon

JAN, FEB, MAR = date(2027, 1, 1), date(2027, 2, 1), date(2027, 3, 1)
MONTH = Period(JAN, FEB)
BASIC = a_price("basic", name="Basic", model=PerUnit("31.00"))
PRO = a_price("pro", name="Pro", model=PerUnit("62.00"))
YEARLY = a_price("yearly", name="Yearly", model=PerUnit("365.00"), every=Interval.years(1))
LATER = a_price("later", name="Later", model=PerUnit("31.00"), arrears=True)
CALLS = a_price("calls", name="Calls", model=PerUnit("1.00"), arrears=True, meter="calls")
DEARER = a_price("dearer", name="Dearer", model=PerUnit("2.00"), arrears=True, meter="calls")
EVERY = (BASIC, PRO, YEARLY, LATER, CALLS, DEARER)
NONE, NOW = Proration(mode="none"), Proration(mode="invoice_now")


def day(number: int) -> datetime:
    """Return noon of a day of January."""
    return noon(date(2027, 1, number))


def with_items(
    *items: tuple[Price, int], billed: bool = True, more: tuple[Price, ...] = ()
) -> Ledger:
    """Return the ledger of a subscription from 1 January, of which what is due is billed."""
    ledger = Ledger([*EVERY, *[price for price, _ in items], *more], start=JAN)
    made = tuple(
        ledger.item(price, quantity, start=JAN, number=number)
        for number, (price, quantity) in enumerate(items, 1)
    )
    ledger.sub = evolve(ledger.sub, items=made, last_item=len(made))
    if billed:
        ledger.bill(JAN)
    return ledger


def to(price: Price, quantity: int | Decimal = 1, item: int | None = 1) -> WantedItem:
    return WantedItem(price.id, quantity, item)


def said(charges: list[Charge]) -> list[tuple[str, str, int]]:
    """Return what lines are for and what they come to, after discounts."""
    return [(each.kind.value, each.description, charged_minor([each])) for each in charges]


def calls(*counts: int) -> dict[int, list[UsageOf]]:
    """Return the usage of items, by their numbers."""
    return {
        number: [UsageOf(MONTH, Decimal(count), count)] for number, count in enumerate(counts, 1)
    }


class TestAChange:
    def test_what_is_unused_is_given_back_and_charged_anew(self) -> None:
        ledger = with_items((BASIC, 1))
        credit, debit = ledger.change([to(PRO)], day(11))
        assert said([credit, debit]) == [("credit", "Basic", -2100), ("debit", "Pro", 4200)]
        rest = Period(date(2027, 1, 11), FEB)
        assert (credit.period, debit.period) == (rest, rest)
        assert credit.credits == LineRef(InvoiceId("inv_1"), 0)
        assert credit.part == Part(-3100, Fraction(10, 31), Fraction(1), units=31)
        assert debit.part == Part(6200, Fraction(10, 31), Fraction(1), units=31)
        (item,) = ledger.sub.items
        assert (item.price, item.number, item.through, item.billed) == (PRO.id, 1, FEB, 1)
        assert said(ledger.bill()[2:]) == [("period", "Pro", 6200)]

    def test_what_stays_is_left_alone(self) -> None:
        ledger = with_items((BASIC, 1), (PRO, 2))
        before = ledger.sub.items[1]
        new = ledger.change([to(BASIC, 3), to(PRO, 2, 2)], day(11))
        assert {charge.item for charge in new} == {1}
        assert ledger.sub.items[1] == before

    def test_a_credit_has_the_rate_at_which_it_was_charged(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.rate = TaxRate("7")
        credit, debit = ledger.change([to(PRO)], day(11))
        assert (credit.rate, debit.rate) == (TaxRate("19"), TaxRate("7"))

    def test_the_same_again_is_no_change(self) -> None:
        ledger = with_items((BASIC, 1))
        before = ledger.sub.items
        assert ledger.change([to(BASIC)], day(11)) == []
        assert ledger.sub.items == before

    def test_what_waits_and_was_not_used_is_forgotten(self) -> None:
        ledger = with_items((BASIC, 1), (BASIC, 1))
        ledger.change([to(PRO), to(PRO, 1, 2)], day(11))
        ledger.change([to(PRO, 3), to(PRO, 1, 2)], day(11))
        assert said(list(ledger.sub.pending)) == [
            ("credit", "Basic", -2100),
            ("credit", "Basic", -2100),
            ("debit", "Pro", 4200),
            ("debit", "Pro", 12600),
        ]
        ledger.check()

    def test_a_coupon_is_given_back_with_what_it_took_off(self) -> None:
        # 10.00 and 20.00 with 5.00 off: shares of 1.67 and 3.33.
        ten, twenty = a_price("ten", model=Flat("10.00")), a_price("twenty", model=Flat("20.00"))
        coupon = a_coupon(terms=AmountOff(Money(500, EUR))).applied()
        ledger = Ledger([ten, twenty], start=date(2027, 4, 1), coupons=(coupon,))
        items = [
            ledger.item(p, start=date(2027, 4, 1), number=n) for n, p in ((1, ten), (2, twenty))
        ]
        ledger.sub = evolve(ledger.sub, items=tuple(items), last_item=2)
        first, _ = ledger.bill()
        assert charged_minor([first]) == 833
        (credit,) = ledger.change([to(twenty, 1, 2)], noon(date(2027, 4, 16)))
        # Half of 8.33 and not of 10.00; the used half is rounded: 4.17.
        assert credit.amount_minor == -(833 - 417)

    def test_an_upgrade_without_proration_then_a_downgrade_with_it_costs_nothing(self) -> None:
        ledger = with_items((BASIC, 1))
        assert ledger.change([to(PRO)], day(6), NONE) == []
        new = ledger.change([to(BASIC)], day(16))
        assert said(new) == [("credit", "Basic", -1600), ("debit", "Basic", 1600)]

    def test_the_day_of_the_change_may_be_the_old_ones(self) -> None:
        ledger = with_items((BASIC, 1))
        new = ledger.change([to(PRO)], day(11), Proration(change_day="old"))
        assert [each.amount_minor for each in new] == [-2000, 4000]

    def test_a_change_does_not_reach_back_before_another(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.change([to(PRO)], day(11), Proration(unit="second"))
        once = ledger.charged
        # By days it counts from the midnight before, but from that to noon it was Basic.
        ledger.change([to(BASIC, 3)], day(11))
        assert ledger.charged == 1050 + 6150
        ledger.change([to(PRO)], day(11))
        assert ledger.charged == once
        ledger.check()

    def test_nothing_is_given_back_where_the_seller_says_so(self) -> None:
        ledger = with_items((BASIC, 1))
        new = ledger.change([to(PRO)], day(11), Proration(credit="none"))
        assert said(new) == [("debit", "Pro", 4200)]

    @pytest.mark.parametrize(("paid", "given"), [(0, 0), (1550, 1550), (2790, 2100), (3100, 2100)])
    def test_no_more_than_what_was_paid_is_given_back(self, paid: int, given: int) -> None:
        ledger = with_items((BASIC, 1))
        share = {InvoiceId("inv_1"): PaidShare(paid, 3100)}
        new = ledger.change([to(PRO)], day(11), Proration(cap="paid"), paid=share)
        assert -sum(each.amount_minor for each in new if each.kind is LineKind.CREDIT) == given

    def test_what_waits_is_given_back_in_full_for_it_is_on_the_same_invoice(self) -> None:
        ledger = with_items((BASIC, 1))
        share = {InvoiceId("inv_1"): PaidShare(3100, 3100)}
        capped = Proration(cap="paid")
        ledger.change([to(PRO)], day(11), capped, paid=share)
        ledger.change([to(BASIC)], day(21), capped, paid=share)
        # 10 days of 1.00, 10 of 2.00, 11 of 1.00.
        assert ledger.charged == 1000 + 2000 + 1100

    def test_a_free_invoice_counts_as_paid(self) -> None:
        ledger = with_items((BASIC, 1))
        share = {InvoiceId("inv_1"): PaidShare(0, 0)}
        new = ledger.change([to(PRO)], day(11), Proration(cap="paid"), paid=share)
        assert new[0].amount_minor == -2100

    def test_another_interval_begins_with_the_change(self) -> None:
        ledger = with_items((BASIC, 1))
        new = ledger.change([to(YEARLY)], day(11))
        tenth = date(2027, 1, 11)
        assert said(new) == [
            ("credit", "Basic", -2100),
            ("period", "Yearly", 36500),
        ]
        (item,) = ledger.sub.items
        assert item.cycle == BillingCycle(tenth, Interval.years(1))
        assert item.through == date(2028, 1, 11)

    def test_of_a_period_that_another_one_followed_nothing_more_is_given_back(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.change([to(YEARLY)], day(11), Proration(unit="second"))
        once = ledger.charged
        ledger.change([to(YEARLY, 2)], day(11))
        assert ledger.charged == once + 36500, "and not the morning, in which it was Basic"
        assert {debit.price for debit in ledger.sub.debits} == {YEARLY.id}

    def test_another_interval_without_proration_begins_when_what_is_paid_is_over(self) -> None:
        ledger = with_items((BASIC, 1))
        assert ledger.change([to(YEARLY)], day(11), NONE) == []
        assert ledger.sub.items[0].next_period == Period(FEB, date(2028, 2, 1))

    def test_first_periods_are_counted_through_a_change_of_quantity(self) -> None:
        price = a_price(
            "intro", model=PerUnit("31.00"), introductory=(Introductory(2, Flat("3.10")),)
        )
        ledger = with_items((price, 1))
        new = ledger.change([to(price, 2)], day(11))
        assert [each.amount_minor for each in new] == [-210, 210], "still the first period"
        assert new[1].phase == 0
        periods = [charged_minor(ledger.bill()[-1:]) for _ in range(2)]
        assert periods == [310, 6200]

    def test_a_new_price_begins_with_its_first_period(self) -> None:
        price = a_price(
            "intro", model=PerUnit("31.00"), introductory=(Introductory(2, Flat("3.10")),)
        )
        ledger = with_items((BASIC, 1), more=(price,))
        new = ledger.change([to(price)], day(11))
        assert [each.amount_minor for each in new] == [-2100, 210]
        assert [charged_minor(ledger.bill()[-1:]) for _ in range(2)] == [310, 3100]

    def test_a_stub_that_was_charged_in_full_is_given_back_as_such(self) -> None:
        ledger = Ledger(EVERY, start=date(2027, 1, 21))
        first = BillingCycle(JAN, Interval.months(1))
        stub = Item(BASIC.id, 1, first, date(2027, 1, 21), first_stub=FirstStub.FULL)
        ledger.sub = evolve(ledger.sub, items=(stub,))
        (line,) = ledger.bill()
        assert line.amount_minor == 3100
        at = noon(date(2027, 1, 26))
        # 6 of 11 days are left.
        new = ledger.change([to(PRO)], at)
        assert [each.amount_minor for each in new] == [-1691, 3382]
        ledger.change([to(BASIC)], at)
        assert ledger.charged == 3100


class TestWhatIsAddedAndRemoved:
    def test_what_is_added_shares_the_days_and_pays_for_the_rest(self) -> None:
        ledger = with_items((BASIC, 1))
        (debit,) = ledger.change([to(BASIC), to(PRO, 1, None)], day(11))
        assert said([debit]) == [("debit", "Pro", 4200)]
        assert debit.part == Part(6200, Fraction(10, 31), Fraction(1), units=31)
        added = ledger.sub.items[1]
        assert (added.number, added.through, added.billed) == (2, FEB, 1)
        assert ledger.sub.last_item == 2

    def test_a_number_is_not_used_again(self) -> None:
        ledger = with_items((BASIC, 1), (BASIC, 1))
        ledger.change([to(BASIC)], day(6))
        ledger.change([to(BASIC), to(PRO, 1, None), to(PRO, 2, None)], day(11))
        assert [item.number for item in ledger.sub.items] == [1, 3, 4]

    def test_what_begins_with_a_period_is_billed_as_every_other(self) -> None:
        for policy in (Proration(), NONE):
            ledger = with_items((LATER, 1), billed=False)
            new = ledger.change([to(LATER), to(PRO, 1, None)], noon(JAN), policy)
            assert said(new) == [("period", "Pro", 6200)]

    def test_what_begins_with_a_period_that_is_billed_is_a_change_of_it(self) -> None:
        ledger = with_items((BASIC, 1))
        new = ledger.change([to(BASIC), to(PRO, 1, None)], noon(JAN))
        assert said(new) == [("debit", "Pro", 6200)]
        unprorated = with_items((BASIC, 1))
        assert unprorated.change([to(BASIC), to(PRO, 1, None)], noon(JAN), NONE) == []

    def test_without_proration_the_rest_is_free(self) -> None:
        ledger = with_items((BASIC, 1))
        assert ledger.change([to(BASIC), to(PRO, 1, None)], day(11), NONE) == []
        assert (ledger.sub.items[1].through, ledger.sub.items[1].billed) == (FEB, 0)

    def test_a_yearly_item_beside_a_monthly_one_begins_with_its_days(self) -> None:
        ledger = with_items((BASIC, 1))
        (debit,) = ledger.change([to(BASIC), to(YEARLY, 1, None)], day(11))
        added = ledger.sub.items[1]
        assert added.next_period == Period(FEB, date(2028, 2, 1))
        # 21 of the 365 days of the year that ends on 1 February.
        assert (debit.amount_minor, debit.period) == (2100, Period(date(2027, 1, 11), FEB))

    def test_seconds_are_charged_from_the_instant(self) -> None:
        ledger = with_items((BASIC, 1))
        (debit,) = ledger.change([to(BASIC), to(PRO, 1, None)], day(11), Proration(unit="second"))
        assert debit.amount_minor == 4100, "20 days and a half"

    def test_a_setup_fee_comes_with_what_is_added(self) -> None:
        price = a_price("setup", name="Setup", model=PerUnit("31.00"), setup_minor=4900)
        ledger = with_items((BASIC, 1), more=(price,))
        new = ledger.change([to(BASIC), to(price, 1, None)], day(11))
        assert said(new) == [("setup", "Setup", 4900), ("debit", "Setup", 2100)]

    def test_a_coupon_that_counts_for_the_period_counts_for_what_is_added(self) -> None:
        half = evolve(a_coupon(terms=PercentOff(50)).applied(), periods_left=None)
        ledger = Ledger(EVERY, start=JAN, coupons=(half,))
        ledger.bill()
        ledger.move(date(2027, 2, 15), day(6))
        assert said(ledger.change([to(BASIC), to(PRO, 1, None)], noon(date(2027, 2, 5)))) == [
            # 10 of 31 days until 15 February, at half the price.
            ("debit", "Pro", 1000)
        ]
        arrears = Ledger([LATER, PRO], start=JAN, coupons=(half,))
        assert said(arrears.change([to(LATER), to(PRO, 1, None)], day(11))) == [
            ("debit", "Pro", 2100)
        ]

    def test_what_is_removed_is_given_back(self) -> None:
        ledger = with_items((BASIC, 1), (PRO, 1))
        assert said(ledger.change([to(BASIC)], day(11))) == [("credit", "Pro", -4200)]
        assert [debit.item for debit in ledger.sub.debits] == [1, 2]
        assert ledger.sub.debits[1].end == Fraction(10, 31)

    def test_what_is_removed_on_its_first_day_leaves_nothing_to_credit(self) -> None:
        ledger = with_items((BASIC, 1), (PRO, 1))
        assert said(ledger.change([to(BASIC)], noon(JAN))) == [("credit", "Pro", -6200)]
        assert [debit.item for debit in ledger.sub.debits] == [1]

    def test_all_may_be_exchanged_for_another(self) -> None:
        ledger = with_items((BASIC, 1))
        new = ledger.change([to(PRO, 1, None)], day(11))
        assert said(new) == [("credit", "Basic", -2100), ("debit", "Pro", 4200)]
        assert ledger.sub.items[0].number == 2


class TestArrears:
    def test_what_was_used_at_the_old_price_is_charged_and_the_rest_when_it_is_over(self) -> None:
        ledger = with_items((LATER, 1), billed=False)
        (used,) = ledger.change([to(LATER, 3)], day(11))
        assert said([used]) == [("period", "Later", 1000)]
        assert used.period == Period(JAN, date(2027, 1, 11))
        assert said(ledger.bill()) == [("period", "Later", 1000), ("period", "Later", 6300)]

    def test_two_changes_on_one_day_charge_it_once(self) -> None:
        ledger = with_items((LATER, 1), billed=False)
        ledger.change([to(LATER, 3)], day(11))
        assert ledger.change([to(LATER, 1)], day(11)) == []
        ledger.bill()
        assert ledger.charged == 3100

    def test_to_a_price_in_advance(self) -> None:
        ledger = with_items((LATER, 1), billed=False)
        new = ledger.change([to(BASIC)], day(11))
        assert said(new) == [("period", "Later", 1000), ("period", "Basic", 2100)]

    def test_from_a_price_in_advance(self) -> None:
        ledger = with_items((BASIC, 1))
        assert said(ledger.change([to(LATER)], day(11))) == [("credit", "Basic", -2100)]
        assert said(ledger.bill()[1:]) == [("period", "Later", 2100)]

    def test_another_interval_begins_with_the_change(self) -> None:
        yearly = a_price("y", model=Flat("365.00"), every=Interval.years(1), arrears=True)
        ledger = with_items((LATER, 1), billed=False, more=(yearly,))
        assert said(ledger.change([to(yearly)], day(11))) == [("period", "Later", 1000)]
        assert ledger.sub.items[0].next_period == Period(date(2027, 1, 11), date(2028, 1, 11))

    def test_a_stub_keeps_its_end(self) -> None:
        ledger = with_items((LATER, 1), billed=False)
        long = evolve(ledger.sub.items[0], next_end=MAR)
        ledger.sub = evolve(ledger.sub, items=(long,))
        ledger.change([to(LATER, 2)], day(11))
        assert ledger.sub.items[0].next_period == Period(date(2027, 1, 11), MAR)

    def test_what_is_added_is_charged_when_its_period_ends(self) -> None:
        ledger = with_items((BASIC, 1))
        assert ledger.change([to(BASIC), to(LATER, 1, None)], day(11)) == []
        added = ledger.sub.items[1]
        assert (added.next_period, added.due_day) == (Period(date(2027, 1, 11), FEB), FEB)


class TestUsage:
    def test_each_price_has_the_usage_of_its_time(self) -> None:
        ledger = with_items((CALLS, 1), billed=False)
        at = day(11)
        (used,) = ledger.change([to(DEARER)], at, usage=calls(7))
        assert said([used]) == [("usage", "Calls", 700)]
        (item,) = ledger.sub.items
        assert (item.since, item.through) == (at, at.date())
        assert said(ledger.bill(FEB, usage=calls(5))[1:]) == [("usage", "Dearer", 1000)]

    def test_what_was_billed_ahead_is_not_charged_again(self) -> None:
        ledger = with_items((CALLS, 1), billed=False)
        ahead = evolve(ledger.sub.items[0], usage_billed_minor=500)
        ledger.sub = evolve(ledger.sub, items=(ahead,))
        assert said(ledger.change([to(DEARER)], day(11), usage=calls(7))) == [
            ("usage", "Calls", 200)
        ]
        assert ledger.sub.items[0].usage_billed_minor == 0

    def test_usage_of_the_first_day_is_charged_though_no_day_is_over(self) -> None:
        ledger = with_items((CALLS, 1), billed=False)
        (used,) = ledger.change([to(DEARER)], noon(JAN), usage=calls(7))
        assert used.amount_minor == 700

    def test_changes_on_one_day_owe_the_minimum_of_their_days_once(self) -> None:
        price = a_price(
            "least", model=PerUnit("1.00"), arrears=True, meter="calls", minimum_minor=3100
        )
        ledger = with_items((price, 1), billed=False)
        for quantity in (2, 3, 1):
            ledger.change([to(price, quantity)], day(11), usage=calls(0))
        ledger.bill(FEB, usage=calls(0))
        assert ledger.charged == 3100

    def test_what_is_added_counts_from_the_instant(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.change([to(BASIC), to(CALLS, 1, None)], day(11))
        assert ledger.sub.items[1].since == day(11)


class TestTheEnd:
    def outcome(
        self, ledger: Ledger, at: datetime, credit: str = "unused"
    ) -> list[tuple[str, str, int]]:
        policy = Proration(credit=credit)
        return said(list(ledger.settled(at, policy, usage=calls(0, 0, 7)).pending))

    def test_what_was_used_is_charged_and_what_is_unused_given_back(self) -> None:
        ledger = with_items((BASIC, 1), (LATER, 1), (CALLS, 1))
        assert self.outcome(ledger, day(11)) == [
            ("credit", "Basic", -2100),
            ("period", "Later", 1000),
            ("usage", "Calls", 700),
        ]

    def test_what_is_unused_may_be_lost(self) -> None:
        ledger = with_items((BASIC, 1), (LATER, 1), (CALLS, 1))
        assert self.outcome(ledger, day(11), credit="none") == [
            ("period", "Later", 1000),
            ("usage", "Calls", 700),
        ]
        assert ledger.settled(day(11), Proration(credit="none")).items == ledger.sub.items

    def test_what_was_given_back_is_not_paid_any_more(self) -> None:
        ledger = with_items((BASIC, 1))
        outcome = ledger.settled(day(11))
        assert [item.through for item in outcome.items] == [date(2027, 1, 11)]

    def test_what_waits_still_waits(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.change([to(PRO)], day(11))
        assert self.outcome(ledger, day(21)) == [
            ("credit", "Basic", -2100),
            ("debit", "Pro", 4200),
            ("credit", "Pro", -2200),
        ]

    @pytest.mark.parametrize("contract", [Scheduled(JAN), Trialing(FEB)])
    def test_what_has_not_begun_costs_nothing(self, contract: Scheduled | Trialing) -> None:
        ledger = with_items((BASIC, 1), billed=False)
        ledger.sub = evolve(ledger.sub, contract=contract)
        outcome = settle(ledger.sub, ledger.conditions(noon(JAN)))
        assert outcome == Outcome(ledger.sub.items, (), ())


class TestAPause:
    def test_what_was_used_in_arrears_is_owed_and_nothing_is_given_back(self) -> None:
        ledger = with_items((BASIC, 1), (LATER, 1), (CALLS, 1))
        conditions = ledger.conditions(day(11), usage=calls(0, 0, 7))
        outcome = charge_used(ledger.sub, conditions)
        assert said(list(outcome.pending)) == [("period", "Later", 1000), ("usage", "Calls", 700)]
        eleventh = date(2027, 1, 11)
        assert [item.through for item in outcome.items] == [FEB, eleventh, eleventh]
        assert [item.since for item in outcome.items] == [None, None, day(11)]


class TestTheBillingDate:
    def test_a_later_day_is_charged_by_the_days_of_the_next_period(self) -> None:
        ledger = with_items((BASIC, 1))
        (more,) = ledger.move(date(2027, 2, 15), day(11))
        # 14 of the 28 days of February.
        assert said([more]) == [("debit", "Basic", 1550)]
        assert more.period == Period(FEB, date(2027, 2, 15))
        (item,) = ledger.sub.items
        assert item.next_period == Period(date(2027, 2, 15), date(2027, 3, 15))
        assert ledger.bill()[-1].amount_minor == 3100

    def test_an_earlier_day_is_given_back_by_the_days_of_the_present_period(self) -> None:
        ledger = with_items((BASIC, 1))
        (less,) = ledger.move(date(2027, 1, 21), day(11))
        assert said([less]) == [("credit", "Basic", -1100)]
        assert less.period == Period(date(2027, 1, 21), FEB)
        assert ledger.sub.items[0].next_period == Period(date(2027, 1, 21), date(2027, 2, 21))

    def test_what_is_left_of_a_cut_period_is_given_back_once(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.move(date(2027, 1, 21), day(6))
        new = ledger.change([to(PRO)], day(11))
        # 10 days until the 21st, not 21 until February.
        assert said(new) == [("credit", "Basic", -1000), ("debit", "Pro", 2000)]
        ledger.check()
        ledger.change([to(BASIC)], day(11))
        assert ledger.charged == 2000

    def test_what_was_added_to_a_period_is_given_back_with_it(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.move(date(2027, 2, 15), day(6))
        before = ledger.charged
        new = ledger.change([to(PRO)], day(11))
        assert said(new) == [
            ("credit", "Basic", -2100),
            ("debit", "Pro", 4200),
            ("debit", "Pro", 3100),
        ]
        ledger.change([to(BASIC)], day(11))
        ledger.check()
        assert ledger.charged == before

    def test_it_may_move_twice_and_back(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.move(date(2027, 2, 15), day(11))
        ledger.move(FEB, day(11))
        assert ledger.charged == 3100
        assert ledger.sub.items[0].next_period == Period(FEB, MAR)
        ledger.check()

    @pytest.mark.parametrize("unit", ["day", "second", "thirtieths"])
    @pytest.mark.parametrize(
        "days",
        [
            (date(2027, 2, 21),),
            (date(2027, 2, 21), date(2027, 3, 17), date(2027, 2, 24)),
            (date(2027, 2, 24), date(2027, 2, 26), date(2027, 2, 15)),
        ],
    )
    def test_what_was_cut_off_is_charged_again_as_it_was(
        self, days: tuple[date, ...], unit: str
    ) -> None:
        coupons = (
            a_coupon("five", terms=AmountOff(Money.of("5.00", "EUR"))).applied(),
            a_coupon("tenth", terms=PercentOff(10)).applied(),
        )
        ledger = Ledger(EVERY, start=FEB, coupons=coupons)
        item = ledger.item(PRO, 1, start=FEB)
        ledger.sub = evolve(ledger.sub, items=(item,), last_item=1)
        ledger.bill()
        # 62.00 less 5.00 and a tenth, whatever the moves between.
        for on in (*days, MAR):
            ledger.move(on, noon(date(2027, 2, 11)), Proration(unit=unit))
            ledger.check()
        assert ledger.charged == 5130
        assert ledger.sub.items[0].next_period.start == MAR

    def test_the_same_day_costs_nothing(self) -> None:
        ledger = with_items((BASIC, 1))
        assert ledger.move(FEB, day(11)) == []

    @pytest.mark.parametrize("on", [date(2027, 1, 21), date(2027, 2, 15)])
    def test_without_proration_it_costs_nothing(self, on: date) -> None:
        ledger = with_items((BASIC, 1))
        assert ledger.move(on, day(11), NONE) == []
        assert ledger.sub.items[0].through == on

    @pytest.mark.parametrize("on", [date(2027, 1, 21), date(2027, 2, 15)])
    def test_a_change_and_a_change_back_cost_nothing_after_it(self, on: date) -> None:
        for how in (NONE, Proration()):
            ledger = with_items((BASIC, 1))
            ledger.move(on, day(6), how)
            before = ledger.charged
            ledger.change([to(PRO)], day(11))
            assert ledger.charged > before
            ledger.change([to(BASIC)], day(11))
            assert ledger.charged == before

    @pytest.mark.parametrize("on", [date(2027, 1, 21), date(2027, 2, 15)])
    def test_what_is_billed_in_arrears_ends_on_that_day(self, on: date) -> None:
        ledger = with_items((LATER, 1), billed=False)
        assert ledger.move(on, day(11)) == []
        (item,) = ledger.sub.items
        assert (item.next_period, item.due_day) == (Period(JAN, on), on)
        ledger.bill()
        assert ledger.sub.items[0].next_period.start == on

    def test_what_is_billed_in_arrears_and_begins_later_is_counted_from_that_day(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.change([to(LATER)], day(11), NONE)
        assert ledger.sub.items[0].next_period == Period(FEB, MAR)
        ledger.move(date(2027, 1, 21), day(11))
        assert ledger.sub.items[0].next_period == Period(FEB, date(2027, 2, 21))

    def test_a_change_before_the_day_ends_what_is_used_on_it(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.move(date(2027, 2, 15), day(6))
        new = ledger.change([to(LATER)], noon(date(2027, 2, 5)))
        assert said(new) == [("credit", "Basic", -1107)]
        assert ledger.sub.items[0].next_period == Period(date(2027, 2, 5), date(2027, 2, 15))
        ledger.bill()
        # January, 4 of 14 days of the 15.50 until the 15th, and 10 of 31 days of what follows.
        assert ledger.charged == 3100 + 443 + 1000

    def test_it_is_invoiced_at_once_where_the_seller_says_so(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.move(date(2027, 2, 15), day(11), NOW)
        assert ledger.sub.pending == ()
        assert ledger.sub.debits[-1].invoice == InvoiceId("inv_2")


class TestBeforeItIsBilled:
    def ledger(self) -> Ledger:
        ledger = with_items((BASIC, 1), (PRO, 1), billed=False)
        ledger.sub = evolve(ledger.sub, contract=Trialing(JAN))
        return ledger

    def test_all_is_as_if_it_had_been_so_from_the_start(self) -> None:
        ledger = self.ledger()
        at = noon(date(2026, 12, 20))
        assert ledger.change([to(PRO, 2), to(YEARLY, 1, None)], at) == []
        assert [(item.number, item.price, item.quantity) for item in ledger.sub.items] == [
            (1, PRO.id, 2),
            (3, YEARLY.id, 1),
        ]
        assert [item.next_period.start for item in ledger.sub.items] == [JAN, JAN]

    def test_another_interval_keeps_the_first_day(self) -> None:
        ledger = self.ledger()
        ledger.change([to(YEARLY), to(PRO, 1, 2)], noon(date(2026, 12, 20)))
        assert ledger.sub.items[0].next_period == Period(JAN, date(2028, 1, 1))

    def test_a_first_stub_stays_what_was_agreed(self) -> None:
        ledger = self.ledger()
        cycle = BillingCycle(date(2026, 12, 15), Interval.months(1))
        stub = evolve(ledger.sub.items[0], cycle=cycle, first_stub=FirstStub.FULL, next_end=FEB)
        ledger.sub = evolve(ledger.sub, items=(stub,))
        ledger.change([to(BASIC, 2)], noon(date(2026, 12, 20)))
        (item,) = ledger.sub.items
        assert (item.first_stub, item.next_period) == (FirstStub.FULL, MONTH)

    def test_setup_fees_are_those_of_what_it_then_has(self) -> None:
        ten = a_price("ten", name="Ten", setup_minor=1000)
        five = a_price("five", name="Five", setup_minor=500)
        ledger = self.ledger()
        ledger.prices |= {ten.id: ten, five.id: five}
        once = Charge("Once", 700, ledger.rate, kind=LineKind.ONE_OFF)
        ledger.sub = evolve(ledger.sub, pending=(once,))
        at = noon(date(2026, 12, 20))
        ledger.change([to(ten), to(PRO, 1, 2)], at)
        assert said(list(ledger.sub.pending)) == [("one_off", "Once", 700), ("setup", "Ten", 1000)]
        ledger.change([to(five), to(ten, 1, None)], at)
        assert said(list(ledger.sub.pending)) == [
            ("one_off", "Once", 700),
            ("setup", "Five", 500),
            ("setup", "Ten", 1000),
        ]


class TestWhatIsRefused:
    def refused(self, wanted: list[WantedItem], at: datetime) -> str:
        ledger = with_items((BASIC, 1), (PRO, 1))
        with pytest.raises(ValidationError) as error:
            change_items(ledger.sub, wanted, ledger.conditions(at))
        return error.value.field

    def test_an_item_is_named_once_and_is_there(self) -> None:
        assert self.refused([to(BASIC), to(PRO)], day(11)) == "items"
        assert self.refused([to(BASIC, 1, 9)], day(11)) == "item"

    def test_something_is_left(self) -> None:
        assert self.refused([], day(11)) == "items"

    def test_a_change_is_not_before_it_began(self) -> None:
        assert self.refused([to(PRO)], noon(date(2026, 12, 31))) == "at"


def test_conditions_are_values() -> None:
    ledger = with_items((BASIC, 1))
    assert ledger.conditions(day(11)) == Conditions(
        day(11), Proration(), ledger.rate, ledger.prices, {}, {}
    )
    assert isinstance(ledger.sub.contract, Active)


def test_tiers_are_priced_whole_and_cut_after() -> None:
    tiers = Graduated((Tier(up_to=10, unit="1.00"), Tier(unit="0.50")))
    price = a_price("tiers", model=tiers)
    ledger = with_items((price, 12))
    new = ledger.change([to(price, 20)], day(1) + timedelta(days=10))
    assert [each.amount_minor for each in new] == [-(1100 - 355), 1500 - 484]


class TestWhatIsNotGuessed:
    def test_a_change_in_a_period_before_the_one_that_is_billed_is_refused(self) -> None:
        ledger = with_items((BASIC, 1))
        ledger.bill(FEB)
        with pytest.raises(ValidationError, match="at: 2027-02-01 or later, in what is billed"):
            ledger.change([to(PRO)], day(20))
        # Where nothing is given back there is nothing to guess.
        assert said(ledger.change([to(PRO)], day(20), NONE)) == []

    def test_a_coupon_for_one_product_waits_while_there_is_another(self) -> None:
        other = a_price("other", product=ProductId("prod_other"), model=PerUnit("62.00"))
        half = evolve(
            a_coupon(terms=PercentOff(50)).applied(),
            periods_left=None,
            products=(BASIC.product,),
        )
        ledger = Ledger((*EVERY, other), start=JAN, coupons=(half,))
        ledger.bill()
        # 21 of 31 days are left: 31.00 at half the price, and 62.00 at all of it.
        there = ledger.change([to(other)], day(11))
        assert [charged_minor([each]) for each in there] == [-1050, 4200]
        ledger.change([to(BASIC)], day(11))
        assert charged_minor(ledger.sub.pending) == 0


BEGUN, DAY_AFTER = date(2027, 4, 1), noon(date(2027, 4, 2))


@pytest.mark.parametrize(
    "contract", [Active(BEGUN), Incomplete(BEGUN, InvoiceId("inv_1"), DAY_AFTER)]
)
def test_what_runs_is_billed_from_its_beginning(contract: Contract) -> None:
    assert billed_from(contract) == BEGUN


def test_nothing_is_billed_of_what_has_ended() -> None:
    with pytest.raises(AssertionError, match="has ended"):
        billed_from(Ended(DAY_AFTER, EndReason.CANCELED))


def test_a_period_that_is_not_free_does_not_become_free_when_its_end_moves() -> None:
    once = Free(noon(date(2027, 1, 1)), noon(date(2027, 1, 2)))
    item = an_item(meter="calls", free=(once,))
    moved = evolve(item, next_end=date(2027, 3, 20))
    assert free_until(item, moved, "UTC") is moved
