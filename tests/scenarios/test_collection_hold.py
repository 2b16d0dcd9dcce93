"""Money in doubt stops the one account: nothing is charged to it, nothing is lost, nobody guesses.

What the account is billed and when it is due is judged by a twin: a customer of the same shop who
was never held.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from attrs import evolve

from subscriptions import DunningPolicy, InvalidTransition, OneOff, Retries, Seller
from subscriptions.customers import CollectionHeld, CollectionReleased, Customer
from subscriptions.dunning import DunningReminderDue, DunningStarted
from subscriptions.errors import CollectionOnHold, ValidationError
from subscriptions.gateways import Capabilities
from subscriptions.gateways.fake import WEBHOOK_SECRET, FakeGateway
from subscriptions.gateways.fake.messages import write
from subscriptions.invoices import InvoiceHeld, InvoiceOverdue
from subscriptions.lifecycle import SubscriptionPastDue
from subscriptions.money import Money
from subscriptions.payments import Payment, PaymentIntended
from subscriptions.refunds import RefundIntent, RefundSnapshot
from tests.scenarios.shop import Shop, eur

Opened = Callable[..., Shop]


def quarantine(shop: Shop, payment: Payment, amount: Money | None = None) -> None:
    """Let the gateway tell of another amount than it was asked for."""
    (charge,) = [each for each in shop.gateway.charges if each.attempt == payment.id]
    other = eur("92.00") if amount is None else amount
    told = evolve(charge, intent=evolve(charge.intent, amount=other))
    message = write(told, id=f"evt_{payment.id}", at=shop.time.now, secret=WEBHOOK_SECRET)
    shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert shop.billing.payments.get(payment.id).parked is not None


def hold(shop: Shop, customer: Customer) -> None:
    shop.billing.customers.hold_collection(customer.id, reason="lawyers talk")


def release(shop: Shop, customer: Customer) -> None:
    shop.billing.customers.release_collection(customer.id)


def intents(shop: Shop, customer: Customer) -> int:
    events = [event.body for event in shop.billing.events.list(limit=1000)]
    mine = [each for each in events if isinstance(each, PaymentIntended)]
    return len([each for each in mine if each.customer == customer.id])


def bills(shop: Shop, customer: Customer) -> list[tuple[date | None, date | None, str]]:
    """Return when each invoice was issued, when it is due, and what it comes to."""
    found = shop.invoices(customer)
    return [(each.issued_on, each.due_on, str(each.total)) for each in found]


def test_while_a_payment_is_in_quarantine_nothing_is_charged_and_all_is_billed(shop: Shop) -> None:
    price = shop.price()
    ada, twin = shop.customer(), shop.customer()
    shop.subscribe(ada, price)
    shop.subscribe(twin, price)
    (payment,) = [each for each in shop.payments() if each.customer == ada.id]
    quarantine(shop, payment)
    held = shop.billing.customers.get(ada.id).collection_hold
    assert held is not None
    assert (held.in_doubt, held.since) == ((payment.id,), shop.time.now)
    happened = shop.time.advance(days=100)
    assert bills(shop, ada) == bills(shop, twin), "billed and due as if it were charged"
    assert shop.statuses(ada) == ["paid", "open", "open", "open"]
    assert shop.statuses(twin) == ["paid"] * 4
    assert intents(shop, ada) == 1
    assert shop.billing.subscriptions.list(customer=ada.id)[0].status == "active"
    bad = (InvoiceOverdue, DunningStarted, DunningReminderDue, SubscriptionPastDue)
    assert [each for each in happened if isinstance(each, bad)] == []
    assert len([each for each in happened if isinstance(each, InvoiceHeld)]) == 3

    shop.billing.payments.resolve(payment.id, outcome="succeeded", reason="29.00 it was")
    assert shop.billing.customers.get(ada.id).collection_hold is None
    assert shop.statuses(ada) == ["paid"] * 4, "at once"
    shop.time.advance(days=62)
    assert bills(shop, ada) == bills(shop, twin)
    assert shop.statuses(ada) == shop.statuses(twin) == ["paid"] * 6


def test_each_reason_is_told_once_and_its_end_too(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada)
    (payment,) = shop.payments()
    quarantine(shop, payment)
    hold(shop, ada)
    shop.time.advance(days=32)
    shop.billing.unpark("payment", payment.id)
    assert shop.statuses(ada) == ["paid", "open"], "a person holds it still"
    release(shop, ada)
    assert shop.statuses(ada) == ["paid", "paid"]
    told = [
        each.body
        for each in shop.billing.events.list(subject=ada.id)
        if isinstance(each.body, CollectionHeld | CollectionReleased)
    ]
    said = "the gateway says succeeded 92.00 EUR where 29.00 EUR was asked for"
    assert told == [
        CollectionHeld(ada.id, said, payment.id),
        CollectionHeld(ada.id, "lawyers talk"),
        CollectionReleased(ada.id, held=True, in_doubt=payment.id),
        CollectionReleased(ada.id, held=False),
    ]


def test_only_the_one_account_is_stopped(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer(name="Bob")
    price = shop.price()
    shop.subscribe(ada, price)
    shop.subscribe(bob, price)
    hold(shop, ada)
    shop.time.advance(days=40)
    assert shop.statuses(ada) == ["paid", "open"]
    assert shop.statuses(bob) == ["paid", "paid"]


def test_by_hand_nothing_is_charged_either_and_the_error_says_why(shop: Shop) -> None:
    ada = shop.customer()
    hold(shop, ada)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])
    assert (invoice.status, invoice.due_on) == ("open", invoice.issued_on)
    for charge in (
        lambda: shop.billing.invoices.pay(invoice.id),
        lambda: shop.billing.payments.authorize(ada.id, eur("5.00")),
    ):
        with pytest.raises(CollectionOnHold) as refused:
            charge()
        facts = (refused.value.customer, refused.value.reason, refused.value.in_doubt)
        assert facts == (ada.id, "lawyers talk", ())
    assert shop.gateway.charges == ()


def test_what_is_held_by_the_bank_is_not_captured_meanwhile(shop: Shop) -> None:
    ada = shop.customer()
    held = shop.billing.payments.authorize(ada.id, eur("5.00"))
    hold(shop, ada)
    with pytest.raises(CollectionOnHold):
        shop.billing.payments.capture(held.id)
    release(shop, ada)
    assert shop.billing.payments.capture(held.id).status == "succeeded"


def test_what_he_pays_by_himself_is_taken(shop: Shop) -> None:
    ada = shop.customer()
    hold(shop, ada)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])
    shop.billing.payments.record(ada.id, eur("5.00"), invoice=invoice.id)
    assert shop.statuses(ada) == ["paid"]
    release(shop, ada)
    assert shop.gateway.charges == ()


def test_a_ladder_stops_and_goes_on_later_by_the_time_it_was_held(open_a_shop: Opened) -> None:
    shop = open_a_shop()
    shop.billing.dunning.set_policy(DunningPolicy(retries=Retries.after_days(2, 5)))
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    shop.time.advance(days=1)
    hold(shop, ada)
    happened = shop.time.advance(days=20)
    assert intents(shop, ada) == 1
    assert [each for each in happened if isinstance(each, DunningReminderDue)] == []
    case = shop.billing.dunning.status(shop.only_invoice().id)
    assert case.status == "held"
    release(shop, ada)
    shop.time.advance(hours=1)
    assert intents(shop, ada) == 2, "the retry of day 2 is made at once"
    shop.time.advance(days=2)
    assert intents(shop, ada) == 2
    shop.time.advance(days=1)
    assert intents(shop, ada) == 3, "the one of day 5 three days after it"


def test_a_ladder_that_had_nothing_to_do_meanwhile_does_not_move(open_a_shop: Opened) -> None:
    shop = open_a_shop()
    shop.billing.dunning.set_policy(DunningPolicy(retries=Retries.after_days(9)))
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    due_at = shop.billing.dunning.status(shop.only_invoice().id).due_at
    shop.time.advance(days=5)
    due_at = shop.billing.dunning.status(shop.only_invoice().id).due_at
    hold(shop, ada)
    shop.time.advance(days=1)
    release(shop, ada)
    assert shop.billing.dunning.status(shop.only_invoice().id).due_at == due_at


@pytest.mark.parametrize("in_dunning", [True, False])
def test_a_new_method_is_charged_once_he_is_held_no_more(shop: Shop, *, in_dunning: bool) -> None:
    ada = shop.customer("tok_insufficient_funds" if in_dunning else None)
    shop.subscribe(ada)
    hold(shop, ada)
    for _ in range(2):
        shop.billing.payment_methods.attach(ada.id, "tok_visa", default=True)
    assert len(shop.gateway.charges) == (1 if in_dunning else 0)
    release(shop, ada)
    if not in_dunning:
        # Nobody waited for a method: he has his days to transfer, and then it is charged.
        shop.time.advance(days=30)
    assert shop.statuses(ada)[0] == "paid"


def test_a_method_of_a_subscription_is_charged_later_too(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    subscription = shop.subscribe(ada)
    visa = shop.billing.payment_methods.attach(ada.id, "tok_visa", default=False)
    hold(shop, ada)
    shop.billing.subscriptions.set_payment_method(subscription.id, visa.id)
    assert len(shop.gateway.charges) == 1
    release(shop, ada)
    assert shop.statuses(ada) == ["paid"]


def test_who_pays_by_transfer_is_not_reminded_meanwhile(open_a_shop: Opened) -> None:
    shop = open_a_shop(seller=Seller("Acme GmbH", terms_days=7))
    ada = shop.customer(None)
    shop.subscribe(ada)
    hold(shop, ada)
    happened = shop.time.advance(days=20)
    assert [each for each in happened if isinstance(each, DunningStarted)] == []
    assert shop.only_invoice().due_on == date(2027, 1, 8), "of which the due day does not move"
    assert shop.only_invoice().held
    release(shop, ada)
    shop.time.advance(hours=1)
    assert shop.billing.dunning.status(shop.only_invoice().id).status == "running"


def test_a_charge_under_way_that_fails_meanwhile_waits_and_is_made_again(shop: Shop) -> None:
    ada = shop.customer("tok_sepa_debit_returned")
    shop.subscribe(ada)
    hold(shop, ada)
    happened = shop.time.advance(days=20)
    assert [each.status for each in shop.payments()] == ["declined"]
    assert [each for each in happened if isinstance(each, DunningStarted)] == []
    assert shop.only_invoice().held
    shop.billing.payment_methods.attach(ada.id, "tok_visa", default=True)
    release(shop, ada)
    assert shop.statuses() == ["paid"]


def test_a_backup_is_not_tried_meanwhile(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    backup = shop.billing.payment_methods.attach(ada.id, "tok_visa", default=False)
    shop.billing.payment_methods.set_backup(backup.id)
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(ada)
    hold(shop, ada)
    shop.time.advance(days=2)
    assert len(shop.gateway.charges) == 1
    assert shop.only_invoice().held
    release(shop, ada)
    assert shop.statuses() == ["paid"], "the method first, and then the backup"
    assert len(shop.gateway.charges) == 3


def test_an_attempt_that_never_happened_is_made_when_he_is_held_no_more(shop: Shop) -> None:
    ada = shop.customer()
    shop.gateway.time_out_next(executed=False, times=4)
    shop.gateway.ignore_next(times=5)
    shop.subscribe(ada)
    hold(shop, ada)
    shop.time.advance(days=8)
    assert [each.status for each in shop.payments()] == ["void"]
    assert shop.only_invoice().held
    release(shop, ada)
    assert shop.statuses() == ["paid"]


def test_what_is_set_aside_and_never_happened_is_charged_at_once(shop: Shop) -> None:
    ada = shop.customer("tok_sepa_debit")
    shop.subscribe(ada)
    (payment,) = shop.payments()
    quarantine(shop, payment)
    shop.billing.payment_methods.attach(ada.id, "tok_visa", default=True)
    shop.time.advance(days=40)
    assert shop.statuses() == ["open", "open"]
    assert len(shop.gateway.charges) == 1
    resolve = shop.billing.payments.resolve
    resolve(payment.id, outcome="never_happened", reason="given back at the gateway")
    assert shop.statuses() == ["paid", "paid"]
    assert shop.billing.subscriptions.list()[0].status == "active"


def test_two_payments_in_doubt_hold_until_both_are_settled(shop: Shop) -> None:
    ada = shop.customer()
    price = shop.price()
    shop.subscribe(ada, price)
    shop.subscribe(ada, price)
    first, second = shop.payments()
    quarantine(shop, first)
    quarantine(shop, second)
    shop.time.advance(days=32)
    resolve = shop.billing.payments.resolve
    resolve(first.id, outcome="succeeded", reason="29.00 it was")
    assert shop.statuses() == ["paid", "paid", "open", "open"]
    resolve(second.id, outcome="succeeded", reason="29.00 it was")
    assert shop.statuses() == ["paid"] * 4


class _Picky(FakeGateway):
    """Charges no less than half a euro, and speaks of another amount than it is to give back."""

    def __init__(self) -> None:
        super().__init__()
        self.capabilities = Capabilities(minimums=(eur("0.50"),))
        self.doubles = True

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        answer = super().refund(intent)
        return evolve(answer, amount=answer.amount * 2) if self.doubles else answer


def picky_customer(shop: Shop) -> Customer:
    ada = shop.customer(None)
    shop.billing.payment_methods.attach(ada.id, "tok_visa", gateway="picky")
    return shop.billing.customers.get(ada.id)


@pytest.mark.parametrize("how", ["unpark", "succeeded", "never_happened"])
def test_a_refund_in_doubt_holds_him_too(open_a_shop: Opened, how: str) -> None:
    gateway = _Picky()
    shop = open_a_shop(gateways={"picky": gateway})
    ada = picky_customer(shop)
    shop.subscribe(ada)
    (payment,) = shop.payments()
    refund = shop.billing.payments.refund(payment.id, eur("5.00"), reason="goodwill")
    assert refund.parked is not None
    held = shop.billing.customers.get(ada.id).collection_hold
    assert held is not None
    assert held.in_doubt == (refund.id,)
    shop.time.advance(days=32)
    assert shop.statuses() == ["paid", "open"]
    gateway.doubles = False
    if how == "unpark":
        shop.billing.unpark("refund", refund.id)
    else:
        shop.billing.payments.resolve_refund(
            refund.id, outcome=how, reference="re_1", reason="seen in the dashboard"
        )
    assert shop.statuses() == ["paid", "paid"]
    assert list(shop.billing.payments.review()) == []


def test_small_amounts_wait_and_are_charged_with_the_rest(open_a_shop: Opened) -> None:
    gateway = _Picky()
    shop = open_a_shop(gateways={"picky": gateway})
    ada = picky_customer(shop)
    tiny = shop.billing.invoices.create_one_off(ada.id, [OneOff("Stamp", eur("0.20"))])
    assert shop.billing.invoices.get(tiny.id).small
    hold(shop, ada)
    shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])
    shop.time.advance(days=3)
    assert [*gateway.charges] == []
    release(shop, ada)
    (charge,) = gateway.charges
    assert charge.intent.amount == eur("5.20")
    assert shop.statuses() == ["paid", "paid"]


def test_what_waits_to_begin_until_it_is_paid_waits_on(shop: Shop) -> None:
    ada = shop.customer()
    hold(shop, ada)
    subscription = shop.billing.subscriptions.create(
        ada.id, [shop.price().id], require_payment=True
    )
    assert subscription.status == "incomplete"
    shop.time.advance(days=9)
    assert shop.subscription(subscription).status == "incomplete"
    release(shop, ada)
    assert shop.subscription(subscription).status == "active"
    assert shop.statuses() == ["paid"]


def test_who_never_pays_has_his_time_after_the_hold_is_over(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    hold(shop, ada)
    subscription = shop.billing.subscriptions.create(
        ada.id, [shop.price().id], require_payment=True
    )
    shop.time.advance(days=9)
    release(shop, ada)
    shop.time.advance(days=9)
    assert shop.subscription(subscription).status == "expired"
    assert shop.statuses() == ["void"]


def test_a_hold_is_by_a_person_once_and_with_a_reason(shop: Shop) -> None:
    ada = shop.customer()
    with pytest.raises(ValidationError):
        shop.billing.customers.hold_collection(ada.id, reason=" ")
    hold(shop, ada)
    with pytest.raises(InvalidTransition):
        hold(shop, ada)
    release(shop, ada)
    with pytest.raises(InvalidTransition):
        release(shop, ada)


def test_a_release_keeps_to_the_limits_of_the_networks(open_a_shop: Opened) -> None:
    shop = open_a_shop()
    shop.billing.dunning.set_policy(DunningPolicy(retries=Retries.after_days(3)))
    ada = shop.customer("tok_sepa_debit_returned")
    for _ in range(12):
        shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])
    hold(shop, ada)
    shop.time.advance(days=20)
    assert all(each.held for each in shop.invoices())
    release(shop, ada)
    day = [
        each for each in shop.gateway.charges if each.created_at > shop.time.now - timedelta(days=1)
    ]
    assert len(day) <= 10
