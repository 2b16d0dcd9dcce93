"""What money pays: rules, given amounts, what is left over, corrections, and giving it back."""

from __future__ import annotations

from datetime import date

import pytest

from subscriptions import EUR, InvalidTransition, Money, OneOff, UnknownReference
from subscriptions import ValidationError as Refused
from subscriptions.customers import Customer
from subscriptions.payments import Allocation
from tests.scenarios.shop import Shop, eur


def _owes(shop: Shop, customer: Customer, *amounts: str) -> list[str]:
    ids: list[str] = []
    for amount in amounts:
        line = [OneOff("Work", eur(amount))]
        ids.append(shop.billing.invoices.create_one_off(customer.id, line).id)
        shop.time.advance(hours=1)
    return ids


def _parts(shop: Shop, payment: str) -> dict[str, int]:
    return {
        part.invoice: part.amount_minor for part in shop.billing.payments.get(payment).allocations
    }


# ---- rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "paid"), [("oldest", ["paid", "open", "open"]), ("newest", ["open", "open", "paid"])]
)
def test_money_pays_the_oldest_or_the_newest_first(shop: Shop, rule: str, paid: list[str]) -> None:
    ada = shop.customer(token=None)
    _owes(shop, ada, "10.00", "10.00", "10.00")
    shop.billing.payments.record(ada.id, eur("10.00"), to=rule)
    assert shop.statuses() == paid


def test_money_pays_what_its_text_names_in_that_order(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _, second, third = _owes(shop, ada, "10.00", "10.00", "10.00")
    reference = shop.billing.invoices.get(third).payment_reference
    payment = shop.billing.payments.record(
        ada.id, eur("15.00"), to="reference", text=f"{reference}, inv-2027-00002"
    )
    assert _parts(shop, payment.id) == {third: 1000, second: 500}


def test_money_whose_text_names_nothing_waits_while_something_is_owed(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _owes(shop, ada, "10.00")
    payment = shop.billing.payments.record(ada.id, eur("10.00"), to="reference", text="thanks")
    assert payment.unallocated == eur("10.00")
    (waiting,) = shop.billing.payments.unmatched()
    assert waiting.payment is not None
    assert (waiting.amount, waiting.payment.id) == (eur("10.00"), payment.id)


def test_one_payment_is_split_as_it_is_said_and_one_invoice_is_paid_by_many(shop: Shop) -> None:
    ada = shop.customer(token=None)
    first, second = _owes(shop, ada, "10.00", "20.00")
    payment = shop.billing.payments.record(
        ada.id, eur("12.00"), to={first: eur("2.00"), second: eur("10.00")}
    )
    assert _parts(shop, payment.id) == {first: 200, second: 1000}
    shop.billing.payments.record(ada.id, eur("8.00"), to={first: eur("8.00")})
    shop.billing.payments.record(ada.id, eur("10.00"))
    assert shop.statuses() == ["paid", "paid"]


@pytest.mark.parametrize(
    "split", [{0: "10.01"}, {0: "10.00", 1: "10.00"}, {0: "0.00"}, {0: "-1.00"}]
)
def test_a_split_is_never_more_than_is_there_or_than_is_owed(
    shop: Shop, split: dict[int, str]
) -> None:
    ada = shop.customer(token=None)
    ids = _owes(shop, ada, "10.00", "10.00")
    before = shop.events()
    with pytest.raises(Refused):
        shop.billing.payments.record(
            ada.id, eur("15.00"), to={ids[n]: eur(amount) for n, amount in split.items()}
        )
    assert shop.events() == before


def test_a_rule_or_an_invoice_that_nobody_knows_is_refused(shop: Shop) -> None:
    ada, bob = shop.customer(token=None), shop.customer(token=None, name="Bob")
    (his,) = _owes(shop, bob, "10.00")
    record = shop.billing.payments.record
    with pytest.raises(Refused) as refused:
        record(ada.id, eur("1.00"), to="fairest")
    assert refused.value.field == "rule"
    with pytest.raises(UnknownReference):
        record(ada.id, eur("1.00"), to={"inv_nobody": eur("1.00")})
    with pytest.raises(Refused) as refused:
        record(ada.id, eur("1.00"), to={his: eur("1.00")})
    assert refused.value.field == "invoice"


# ---- what is left over --------------------------------------------------------------------------


def test_the_rest_of_a_named_invoice_waits_while_another_one_is_owed(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _, second = _owes(shop, ada, "10.00", "10.00")
    payment = shop.billing.payments.record(ada.id, eur("15.00"), invoice=second)
    assert (payment.unallocated, payment.balanced) == (eur("5.00"), eur("0.00"))
    shop.billing.payments.allocate(payment.id)
    assert shop.invoices()[0].paid == eur("5.00")
    assert list(shop.billing.payments.unallocated()) == []


def test_what_is_on_the_balance_pays_an_open_invoice_if_it_is_allocated(shop: Shop) -> None:
    ada = shop.customer(token=None)
    payment = shop.billing.payments.record(ada.id, eur("50.00"))
    # The balance is in euros: a dollar invoice is not paid by it, and neither does it pay one.
    dollars = [OneOff("Work", Money.of("5.00", "USD"))]
    invoice = shop.billing.invoices.create_one_off(ada.id, dollars)
    with pytest.raises(Refused):
        shop.billing.payments.allocate(payment.id, {invoice.id: eur("5.00")})
    drafted = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("80.00"))], finalize=False
    )
    shop.billing.invoices.finalize(drafted.id)
    assert shop.billing.invoices.get(drafted.id).balance_applied == eur("50.00")
    with pytest.raises(Refused) as refused:
        shop.billing.payments.allocate(payment.id, {drafted.id: eur("1.00")})
    assert refused.value.field == "to"


def test_allocated_money_comes_off_the_balance_again(shop: Shop) -> None:
    ada = shop.customer(token=None)
    (first,) = _owes(shop, ada, "10.00")
    payment = shop.billing.payments.record(ada.id, eur("30.00"))
    assert payment.balanced == eur("20.00")
    # The invoice was not meant: all of it is wanted for another one.
    shop.billing.payments.deallocate(payment.id, first)
    after = shop.billing.payments.allocate(payment.id, {first: eur("10.00")})
    assert (after.unallocated, after.balanced) == (eur("0.00"), eur("20.00"))
    shop.billing.payments.deallocate(payment.id, first, eur("4.00"))
    late = shop.billing.payments.record(ada.id, eur("1.00"), to={first: eur("1.00")})
    shop.billing.payments.deallocate(late.id, first)
    shop.billing.payments.allocate(late.id)
    again = shop.billing.payments.allocate(payment.id)
    assert again.unallocated == eur("1.00"), "the other one paid a part of what it had paid"
    assert shop.billing.customers.get(ada.id).balance == (eur("20.00"),)


# ---- corrections --------------------------------------------------------------------------------


def test_money_on_the_wrong_invoice_is_taken_back_and_pays_the_right_one(shop: Shop) -> None:
    ada = shop.customer(token=None)
    wrong, right = _owes(shop, ada, "10.00", "10.00")
    payment = shop.billing.payments.record(ada.id, eur("10.00"))
    shop.billing.payments.deallocate(payment.id, wrong)
    assert shop.statuses() == ["open", "open"]
    shop.billing.payments.allocate(payment.id, {right: eur("10.00")})
    assert shop.statuses() == ["open", "paid"]
    assert "invoice.reopened" in shop.events(wrong)
    assert shop.events(payment.id)[-2:] == ["payment.deallocated", "payment.allocated"]


def test_an_invoice_that_is_owed_again_is_dunned_again(shop: Shop) -> None:
    ada = shop.customer(token=None)
    (id,) = _owes(shop, ada, "10.00")
    shop.time.advance(days=20)
    payment = shop.billing.payments.record(ada.id, eur("10.00"))
    assert shop.billing.dunning.status(id).status == "stopped"
    shop.billing.payments.deallocate(payment.id, id)
    shop.time.advance(hours=1)
    assert shop.billing.dunning.status(id).status == "running"
    assert shop.billing.payments.get(payment.id).unallocated == eur("10.00")


def test_only_what_a_payment_pays_can_be_taken_back(shop: Shop) -> None:
    ada = shop.customer(token=None)
    first, second = _owes(shop, ada, "10.00", "10.00")
    payment = shop.billing.payments.record(ada.id, eur("10.00"))
    take_back = shop.billing.payments.deallocate
    with pytest.raises(Refused):
        take_back(payment.id, second)
    with pytest.raises(Refused):
        take_back(payment.id, first, eur("10.01"))
    with pytest.raises(Refused):
        take_back(payment.id, first, Money.of("1.00", "USD"))
    with pytest.raises(UnknownReference):
        take_back("pay_nobody", first)
    with pytest.raises(UnknownReference):
        take_back(payment.id, "inv_nobody")
    assert shop.statuses() == ["paid", "open"]


def test_what_a_credit_note_gave_back_cannot_be_taken_back_as_well(shop: Shop) -> None:
    ada = shop.customer(token=None)
    (id,) = _owes(shop, ada, "10.00")
    payment = shop.billing.payments.record(ada.id, eur("10.00"))
    shop.billing.credit_notes.create(id, amount=eur("4.00"), reason="goodwill")
    with pytest.raises(Refused) as refused:
        shop.billing.payments.deallocate(payment.id, id)
    assert "6.00 EUR" in refused.value.expected
    shop.billing.payments.deallocate(payment.id, id, eur("6.00"))
    assert shop.billing.invoices.get(id).amount_due == eur("6.00")


def test_money_that_was_not_taken_pays_nothing(shop: Shop) -> None:
    ada = shop.customer("tok_card_declined")
    shop.subscribe(ada)
    (declined,) = shop.payments()
    with pytest.raises(InvalidTransition):
        shop.billing.payments.allocate(declined.id)
    with pytest.raises(InvalidTransition):
        shop.billing.payments.deallocate(declined.id, shop.only_invoice().id)


# ---- giving it back -----------------------------------------------------------------------------


def _charged_twice(shop: Shop) -> tuple[Customer, str]:
    """Return a debit that came after its invoice had been paid by transfer."""
    ada = shop.customer("tok_sepa_debit")
    shop.subscribe(ada)
    shop.billing.payments.record(ada.id, eur("29.00"))
    shop.time.advance(days=7)
    (debit,) = shop.billing.payments.unallocated()
    assert debit.unallocated == eur("29.00")
    return ada, debit.id


def _balance(shop: Shop, customer: Customer) -> int:
    return shop.billing.customers.get(customer.id).credit_minor(EUR)


def test_what_was_taken_twice_waits_until_somebody_says_what_it_is_for(shop: Shop) -> None:
    ada, debit = _charged_twice(shop)
    assert _balance(shop, ada) == 0
    shop.billing.payments.put_on_balance(debit, eur("9.00"))
    assert _balance(shop, ada) == 900
    shop.billing.payments.put_on_balance(debit)
    assert _balance(shop, ada) == 2900
    with pytest.raises(Refused):
        shop.billing.payments.put_on_balance(debit)
    with pytest.raises(Refused):
        shop.billing.payments.put_on_balance(debit, Money.of("1.00", "USD"))


def test_a_refund_takes_off_the_balance_what_the_payment_put_there(shop: Shop) -> None:
    ada, debit = _charged_twice(shop)
    shop.billing.payments.put_on_balance(debit, eur("20.00"))
    refund = shop.billing.payments.refund(debit, eur("12.00"), reason="charged twice")
    assert (refund.status, refund.off_balance_minor) == ("succeeded", 300)
    assert _balance(shop, ada) == 1700
    shop.billing.payments.refund(debit, reason="charged twice")
    assert _balance(shop, ada) == 0
    after = shop.billing.payments.get(debit)
    assert (after.refunded, after.unallocated) == (eur("29.00"), eur("0.00"))


def test_a_refund_that_fails_returns_to_the_balance(shop: Shop) -> None:
    ada, debit = _charged_twice(shop)
    shop.billing.payments.put_on_balance(debit)
    shop.gateway.fail_refund_next("account_closed")
    refund = shop.billing.payments.refund(debit, eur("12.00"), reason="charged twice")
    assert refund.status == "failed"
    assert _balance(shop, ada) == 2900
    assert shop.billing.payments.get(debit).balanced == eur("29.00")


def test_what_of_a_surplus_was_used_up_is_not_taken_off_again(shop: Shop) -> None:
    ada, debit = _charged_twice(shop)
    shop.billing.payments.put_on_balance(debit)
    _owes(shop, ada, "25.00")
    refund = shop.billing.payments.refund(debit, reason="asked for")
    assert (refund.amount, refund.off_balance_minor) == (eur("29.00"), 400)
    assert _balance(shop, ada) == 0


# ---- history ------------------------------------------------------------------------------------


def test_the_history_of_an_invoice_tells_every_attempt_with_its_code(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    invoice = shop.only_invoice()
    shop.gateway.time_out_next(executed=False)
    shop.time.advance(days=2)
    shop.billing.payments.record(ada.id, eur("29.00"))
    told = shop.billing.payments.history(invoice.id)
    assert [(each.outcome, each.code, each.hard) for each in told] == [
        ("declined", "insufficient_funds", False),
        ("declined", "insufficient_funds", False),
        ("succeeded", "", False),
    ]
    assert [each.tries for each in told] == [0, 1, 0]
    assert told[0].message == "Insufficient funds"
    assert told[0].at.date() == date(2027, 1, 1)
    assert told[2].paid == invoice.total
    assert [step.type for step in told[0].steps] == ["payment.intended", "payment.failed"]


def test_payments_are_listed_by_what_became_of_them(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    shop.billing.payments.record(ada.id, eur("29.00"))
    assert [x.status for x in shop.billing.payments.list(status="declined")] == ["declined"]
    found = shop.billing.payments.list(status="succeeded", customer=ada.id)
    assert [x.allocations for x in found] == [(Allocation(shop.only_invoice().id, 2900),)]
    with pytest.raises(Refused):
        shop.billing.payments.list(status="happy")
