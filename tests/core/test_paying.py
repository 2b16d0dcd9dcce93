"""What customers, subscriptions and invoices say of who pays, how, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from subscriptions import customers, invoices, lifecycle
from subscriptions.customers import (
    BackupMethodChanged,
    CollectionMethod,
    Customer,
    DefaultMethodChanged,
    SmallDebtsChanged,
)
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.gateways import Capabilities
from subscriptions.gateways.minimums import STRIPE
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, PaymentMethodId
from subscriptions.invoices import (
    HoldCollection,
    Invoice,
    LeaveForLater,
    Open,
    ReleaseCollection,
    StartCollection,
    StartDunning,
    TakeBack,
)
from subscriptions.lifecycle import SetPayment, Subscription, SubscriptionPaymentSet, Transfer
from subscriptions.money import CHF, EUR, Money
from subscriptions.testing.builders import (
    AT,
    a_customer,
    a_draft,
    a_seller,
    a_subscription,
    an_invoice,
)

CARD, OTHER = PaymentMethodId("pm_card"), PaymentMethodId("pm_other")


def test_a_backup_is_chosen_once_and_another_time_nothing_happens() -> None:
    chosen = customers.set_backup_method(a_customer(), CARD)
    assert chosen is not None
    assert chosen.events == (BackupMethodChanged(CustomerId("cus_ada"), CARD),)
    assert isinstance(chosen.after, Customer)
    assert customers.set_backup_method(chosen.after, CARD) is None


def test_a_method_is_forgotten_as_whatever_it_was() -> None:
    both = a_customer(default_method=CARD, backup_method=CARD)
    gone = customers.forget_method(both, CARD)
    assert gone is not None
    assert [type(event) for event in gone.events] == [DefaultMethodChanged, BackupMethodChanged]
    assert isinstance(gone.after, Customer)
    assert (gone.after.default_method, gone.after.backup_method) == (None, None)
    assert customers.forget_method(both, OTHER) is None


def test_the_small_debts_of_a_customer_are_noted_once() -> None:
    ids = (InvoiceId("inv_1"), InvoiceId("inv_2"))
    noted = customers.set_small_debts(a_customer(), ids)
    assert noted is not None
    assert noted.events == (SmallDebtsChanged(CustomerId("cus_ada"), ids),)
    assert isinstance(noted.after, Customer)
    assert customers.set_small_debts(noted.after, ids) is None


@pytest.mark.parametrize("days", [-1, 366, True, "14"])
def test_terms_are_days_of_at_most_a_year(days: object) -> None:
    with pytest.raises(ValidationError) as refused:
        a_customer(terms_days=days)
    assert refused.value.field == "terms_days"


def test_a_word_that_is_no_way_to_collect_is_refused() -> None:
    sent = customers.read_collection_method("send_invoice")
    assert sent is CollectionMethod.SEND_INVOICE
    with pytest.raises(ValidationError):
        customers.read_collection_method("by_pigeon")


def test_a_customers_own_terms_count_before_the_sellers() -> None:
    seller = evolve(a_seller(), terms_days=14)
    assert invoices.terms_of(a_customer(), seller) == 14
    assert invoices.terms_of(a_customer(terms_days=0), seller) == 0


# ---- subscriptions ------------------------------------------------------------------------------


def _done(sub: Subscription, *commands: lifecycle.Command) -> Subscription:
    after = lifecycle.decide(sub, *commands).after
    assert isinstance(after, Subscription)
    return after


def test_a_subscription_has_a_way_to_pay_of_its_own_until_it_is_taken_away() -> None:
    sub = a_subscription()
    assert not sub.pays_its_own_way
    own = _done(sub, SetPayment(CARD, CollectionMethod.SEND_INVOICE))
    assert (own.payment_method, own.collection_method) == (CARD, CollectionMethod.SEND_INVOICE)
    assert own.pays_its_own_way
    assert _done(sub, SetPayment(None, CollectionMethod.SEND_INVOICE)).pays_its_own_way
    assert not _done(own, SetPayment(None, None)).pays_its_own_way
    (event,) = lifecycle.decide(sub, SetPayment(CARD, None)).events
    assert event == SubscriptionPaymentSet(sub.id, sub.customer, CARD, None)


def test_who_gets_a_subscription_does_not_get_the_method_of_who_had_it() -> None:
    own = a_subscription(payment_method=CARD)
    assert _done(own, Transfer(CustomerId("cus_bob"), "UTC")).payment_method is None


# ---- invoices -----------------------------------------------------------------------------------


def _decided(invoice: Invoice, *commands: invoices.Command) -> Invoice:
    after = invoices.decide(invoice, *commands).after
    assert isinstance(after, Invoice)
    return after


def test_an_invoice_has_a_reference_once_it_has_a_number() -> None:
    assert a_draft().payment_reference is None
    reference = an_invoice(number="539007547034").payment_reference
    assert reference == "RF18539007547034"


def test_an_invoice_that_is_left_for_later_is_due_no_more() -> None:
    invoice = an_invoice(state=Open())
    assert invoice.due_at is not None
    left = _decided(invoice, LeaveForLater())
    assert (left.small, left.due_at) == (True, None)
    for refused in (left, an_invoice(state=Open(), dunning=True)):
        with pytest.raises(InvalidTransition):
            invoices.decide(refused, LeaveForLater())


@pytest.mark.parametrize(
    "command", [LeaveForLater(), StartCollection(PaymentId("pay_1")), StartDunning()]
)
def test_what_is_to_be_charged_with_small_ones_is_due_then_and_only_once(
    command: invoices.Command,
) -> None:
    soon = AT + timedelta(minutes=1)
    invoice = an_invoice(state=Open(), charge_at=soon)
    assert invoice.due_at == soon
    assert _decided(invoice, command).charge_at is None


def test_an_invoice_that_is_held_is_due_no_more_until_it_is_released() -> None:
    invoice = an_invoice(state=Open(), charge_at=AT)
    held = _decided(invoice, HoldCollection())
    assert (held.held, held.charge_at, held.due_at) == (True, None, None)
    with pytest.raises(InvalidTransition):
        invoices.decide(held, HoldCollection())
    soon = AT + timedelta(minutes=1)
    assert _decided(held, ReleaseCollection(soon)).due_at == soon
    released = _decided(held, ReleaseCollection())
    assert (released.held, released.due_at) == (False, an_invoice(state=Open()).due_at)
    with pytest.raises(InvalidTransition):
        invoices.decide(released, ReleaseCollection())


@pytest.mark.parametrize(
    "command",
    [StartCollection(PaymentId("pay_1")), TakeBack(PaymentId("pay_1"), 1, held=False)],
)
def test_what_is_charged_or_owed_again_is_held_no_more(command: invoices.Command) -> None:
    assert not _decided(an_invoice(state=Open(), held=True, paid_minor=1), command).held


def test_an_invoice_says_whether_it_is_sent() -> None:
    assert not an_invoice().sent
    assert an_invoice(collection_method=CollectionMethod.SEND_INVOICE).sent


# ---- the least amounts --------------------------------------------------------------------------


def test_a_gateway_says_its_least_amount_by_currency() -> None:
    picky = Capabilities(minimums=(Money.of("0.50", "EUR"),))
    assert (picky.minimum_minor(EUR), picky.minimum_minor(CHF)) == (50, 1)
    assert Capabilities().minimum_minor(EUR) == 1


def test_each_currency_of_a_table_has_one_least_amount_above_zero() -> None:
    codes = [amount.currency.code for amount in STRIPE]
    assert len(set(codes)) == len(codes)
    assert codes == sorted(codes)
    assert all(amount.minor > 0 for amount in STRIPE)
    assert Money.of("0.50", "EUR") in STRIPE
