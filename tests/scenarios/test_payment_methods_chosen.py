"""Which method pays: the subscription's, the default, the transfer; backups, and what is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from subscriptions import (
    DunningPolicy,
    InvalidTransition,
    Money,
    OneOff,
    Seller,
    UnknownReference,
)
from subscriptions import ValidationError as Refused
from subscriptions.customers import Customer, Grouping
from subscriptions.gateways import Capabilities
from subscriptions.gateways.fake import FakeGateway
from subscriptions.payments import Outcome
from tests.scenarios.shop import GOOD, Shop, eur

SOFT = "tok_insufficient_funds"
HARD = "tok_stolen_card"


def _attach(shop: Shop, customer: Customer, token: str, **given: object) -> str:
    method = shop.billing.payment_methods.attach(
        customer.id,
        token,
        **given,  # type: ignore[arg-type]  # passed on
    )
    return method.id


def _methods(shop: Shop) -> list[tuple[str | None, str]]:
    return [(payment.method, payment.status) for payment in shop.payments()]


# ---- the order of methods -----------------------------------------------------------------------


def test_a_subscriptions_own_method_pays_before_the_default(shop: Shop) -> None:
    ada = shop.customer()
    own = _attach(shop, ada, "tok_mastercard", default=False)
    price = shop.price()
    sub = shop.billing.subscriptions.create(ada.id, [price.id], payment_method=own)
    shop.subscribe(ada, price)
    assert [method for method, _ in _methods(shop)] == [own, ada.default_method]
    assert shop.subscription(sub).payment_method == own


@pytest.mark.parametrize("gone", ["detached", "refused"])
def test_a_method_that_is_gone_falls_through_to_the_default(shop: Shop, gone: str) -> None:
    ada = shop.customer()
    own = _attach(shop, ada, HARD if gone == "refused" else "tok_mastercard", default=False)
    sub = shop.billing.subscriptions.create(ada.id, [shop.price().id])
    shop.billing.subscriptions.set_payment_method(sub.id, own)
    if gone == "detached":
        shop.billing.payment_methods.detach(own)
    shop.time.advance(to=date(2027, 2, 3))
    assert _methods(shop)[-1] == (ada.default_method, "succeeded")
    assert shop.statuses() == ["paid", "paid"]


def test_without_any_method_a_transfer_is_awaited(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.subscribe(ada)
    assert (shop.statuses(), shop.payments()) == (["open"], [])
    assert shop.only_invoice().terms_days == 14


def test_a_subscription_that_is_paid_by_transfer_does_not_fall_through_to_a_card(
    shop: Shop,
) -> None:
    ada = shop.customer()
    transfer = _attach(shop, ada, "DE02", gateway="transfer", default=False)
    shop.billing.subscriptions.create(ada.id, [shop.price().id], payment_method=transfer)
    assert (shop.statuses(), shop.payments()) == (["open"], [])


def test_each_method_is_charged_at_its_own_gateway(
    open_a_shop: Callable[..., Shop],
) -> None:
    debit = FakeGateway()
    shop = open_a_shop(gateways={"debit": debit})
    ada = shop.customer()
    own = _attach(shop, ada, "tok_visa", gateway="debit", default=False)
    price = shop.price()
    shop.billing.subscriptions.create(ada.id, [price.id], payment_method=own)
    shop.subscribe(ada, price)
    assert [payment.gateway for payment in shop.payments()] == ["debit", "card"]
    assert (len(debit.charges), len(shop.gateway.charges)) == (1, 1)


def test_a_new_own_method_pays_what_dunning_looks_after_and_only_that(shop: Shop) -> None:
    ada = shop.customer(SOFT)
    price = shop.price()
    sub = shop.subscribe(ada, price)
    other = shop.subscribe(ada, price)
    own = _attach(shop, ada, "tok_visa", default=False)
    shop.billing.subscriptions.set_payment_method(sub.id, own)
    assert shop.statuses() == ["paid", "open"]
    assert shop.subscription(other).status == "past_due"


def test_a_new_default_does_not_pay_for_a_subscription_with_a_good_method_of_its_own(
    shop: Shop,
) -> None:
    ada = shop.customer()
    own = _attach(shop, ada, SOFT, default=False)
    shop.billing.subscriptions.create(ada.id, [shop.price().id], payment_method=own)
    _attach(shop, ada, "tok_mastercard", default=True)
    assert shop.statuses() == ["open"]


def test_a_method_of_somebody_else_is_refused(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer(name="Bob")
    sub = shop.subscribe(ada)
    with pytest.raises(Refused) as refused:
        shop.billing.subscriptions.set_payment_method(sub.id, bob.default_method)
    assert refused.value.field == "payment_method"
    with pytest.raises(UnknownReference):
        shop.billing.subscriptions.set_payment_method(sub.id, "pm_nobody")
    old = _attach(shop, ada, "tok_amex", default=False)
    shop.billing.payment_methods.detach(old)
    with pytest.raises(InvalidTransition):
        shop.billing.subscriptions.create(ada.id, [shop.price().id], payment_method=old)


def test_a_subscription_that_is_transferred_leaves_the_method_behind(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer(name="Bob")
    own = _attach(shop, ada, "tok_mastercard", default=False)
    sub = shop.billing.subscriptions.create(ada.id, [shop.price().id], payment_method=own)
    shop.billing.subscriptions.transfer(sub.id, to=bob.id)
    assert shop.subscription(sub).payment_method is None
    shop.time.advance(to=date(2027, 2, 2))
    assert shop.payments()[-1].method == bob.default_method


def test_what_is_paid_in_its_own_way_is_not_grouped_with_the_rest(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.customers.update(ada.id, grouping=Grouping.DAY)
    own = _attach(shop, ada, "tok_mastercard", default=False)
    price = shop.price()
    with shop.billing.transaction():
        shop.subscribe(ada, price)
        shop.subscribe(ada, price)
        shop.billing.subscriptions.create(ada.id, [price.id], payment_method=own)
        shop.billing.subscriptions.create(ada.id, [price.id], collection_method="send_invoice")
    shop.time.advance(hours=1)
    assert sorted(shop.totals()) == ["29.00 EUR", "29.00 EUR", "58.00 EUR"]
    assert sorted(method or "" for method, _ in _methods(shop)) == sorted(
        [own, ada.default_method or ""]
    )


# ---- the backup ---------------------------------------------------------------------------------


def _with_backup(shop: Shop, first: str, backup: str) -> tuple[Customer, str]:
    ada = shop.customer(first)
    second = _attach(shop, ada, backup, default=False)
    shop.billing.payment_methods.set_backup(second)
    return ada, second


def test_a_backup_pays_after_a_soft_decline_and_both_attempts_are_listed(shop: Shop) -> None:
    ada, backup = _with_backup(shop, SOFT, "tok_visa")
    sub = shop.subscribe(ada)
    assert _methods(shop) == [(ada.default_method, "declined"), (backup, "succeeded")]
    assert shop.statuses() == ["paid"]
    assert shop.subscription(sub).status == "active"
    assert "dunning.started" not in shop.events()


def test_a_backup_that_is_declined_too_is_tried_once_in_all_the_ladder(shop: Shop) -> None:
    ada, backup = _with_backup(shop, SOFT, "tok_card_declined")
    shop.subscribe(ada)
    shop.time.advance(days=20)
    tried = [method for method, _ in _methods(shop)]
    assert tried.count(backup) == 1
    assert tried.count(ada.default_method) == 5, "the first, and each retry"
    assert tried[:2] == [ada.default_method, backup]


def test_no_backup_after_a_hard_decline(shop: Shop) -> None:
    ada, backup = _with_backup(shop, HARD, "tok_visa")
    shop.subscribe(ada)
    assert backup not in [method for method, _ in _methods(shop)]


def test_a_backup_that_was_declined_for_good_is_never_tried_again(shop: Shop) -> None:
    ada, backup = _with_backup(shop, SOFT, HARD)
    price = shop.price()
    shop.subscribe(ada, price)
    shop.subscribe(ada, price)
    assert [method for method, _ in _methods(shop)].count(backup) == 1


def test_no_backup_while_the_outcome_is_unknown(shop: Shop) -> None:
    ada, backup = _with_backup(shop, "tok_visa", "tok_mastercard")
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(ada)
    assert _methods(shop) == [(ada.default_method, "unknown")]
    shop.time.advance(days=1)
    assert _methods(shop) == [(ada.default_method, "succeeded")]
    assert backup not in [charge.attempt for charge in shop.gateway.charges]


def test_a_policy_may_do_without_backups(shop: Shop) -> None:
    shop.billing.dunning.set_policy(DunningPolicy(try_backup=False))
    ada, backup = _with_backup(shop, SOFT, "tok_visa")
    shop.subscribe(ada)
    assert _methods(shop) == [(ada.default_method, "declined")]
    assert backup


def test_a_late_success_of_the_first_does_not_charge_twice_for_the_invoice(shop: Shop) -> None:
    ada, backup = _with_backup(shop, SOFT, "tok_visa")
    shop.subscribe(ada)
    assert shop.gateway.succeeded_minor(shop.only_invoice().id) == 2900
    assert len([c for c in shop.gateway.charges if c.outcome is Outcome.SUCCEEDED]) == 1
    assert backup


def test_a_backup_is_forgotten_when_it_is_detached_or_no_longer_wanted(shop: Shop) -> None:
    ada, backup = _with_backup(shop, SOFT, "tok_visa")
    shop.billing.payment_methods.set_backup(backup, backup=False)
    assert shop.billing.customers.get(ada.id).backup_method is None
    shop.billing.payment_methods.set_backup(backup)
    shop.billing.payment_methods.detach(backup)
    assert shop.billing.customers.get(ada.id).backup_method is None
    with pytest.raises(InvalidTransition):
        shop.billing.payment_methods.set_backup(backup)


def test_a_method_that_is_default_and_backup_is_forgotten_as_both(shop: Shop) -> None:
    ada = shop.customer()
    assert ada.default_method is not None
    shop.billing.payment_methods.set_backup(ada.default_method)
    shop.billing.payment_methods.detach(ada.default_method)
    after = shop.billing.customers.get(ada.id)
    assert (after.default_method, after.backup_method) == (None, None)


# ---- invoices that are sent ---------------------------------------------------------------------


def test_a_sent_invoice_is_never_charged_though_a_method_exists(shop: Shop) -> None:
    ada = shop.customer()
    sub = shop.billing.subscriptions.create(
        ada.id, [shop.price().id], collection_method="send_invoice"
    )
    invoice = shop.only_invoice()
    assert (invoice.collection_method, invoice.terms_days) == ("send_invoice", 14)
    shop.time.advance(days=30)
    _attach(shop, ada, "tok_mastercard", default=True)
    assert shop.payments() == []
    assert shop.subscription(sub).status in {"past_due", "canceled"}


def test_a_customer_whose_invoices_are_sent_has_his_own_terms(shop: Shop) -> None:
    ada = shop.billing.customers.create(name="Ada", collection_method="send_invoice", terms_days=30)
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])
    assert (invoice.due_on, invoice.status) == (date(2027, 1, 31), "open")
    shop.billing.customers.update(ada.id, terms_days="")
    later = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])
    assert later.due_on == date(2027, 1, 15)
    assert shop.payments() == []


def test_the_subscriptions_word_counts_before_the_customers(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.customers.update(ada.id, collection_method="send_invoice")
    price = shop.price()
    shop.billing.subscriptions.create(ada.id, [price.id], collection_method="charge_automatically")
    shop.subscribe(ada, price)
    assert shop.statuses() == ["paid", "open"]


def test_a_one_off_may_be_sent_with_terms_of_its_own(shop: Shop) -> None:
    ada = shop.customer()
    invoice = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("5.00"))], collection_method="send_invoice", terms_days=7
    )
    assert (invoice.due_on, shop.payments()) == (date(2027, 1, 8), [])
    drafted = shop.billing.invoices.create_one_off(
        ada.id,
        [OneOff("Work", eur("5.00"))],
        collection_method="send_invoice",
        terms_days=9,
        finalize=False,
    )
    final = shop.billing.invoices.finalize(drafted.id)
    assert (final.due_on, shop.payments()) == (date(2027, 1, 10), [])
    with pytest.raises(Refused) as refused:
        shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))], terms_days=7)
    assert refused.value.field == "terms_days"


def test_terms_of_nothing_are_due_at_once_and_still_not_charged(shop: Shop) -> None:
    ada = shop.customer()
    invoice = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("5.00"))], collection_method="send_invoice", terms_days=0
    )
    assert invoice.due_on == date(2027, 1, 1)
    shop.time.advance(days=20)
    assert shop.payments() == []
    assert "will be charged" not in shop.billing.invoices.text(invoice.id)


def test_a_sent_invoice_can_be_charged_by_hand(shop: Shop) -> None:
    ada = shop.customer()
    invoice = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("5.00"))], collection_method="send_invoice"
    )
    shop.billing.invoices.pay(invoice.id)
    assert shop.statuses() == ["paid"]


def test_who_is_sent_invoices_goes_on_after_a_trial(shop: Shop) -> None:
    ada = shop.customer(token=None)
    sub = shop.billing.subscriptions.create(
        ada.id,
        [shop.price().id],
        trial_until=date(2027, 1, 8),
        trial_end="cancel",
        collection_method="send_invoice",
    )
    shop.time.advance(to=date(2027, 1, 9))
    assert (shop.subscription(sub).status, shop.statuses()) == ("active", ["open"])


def test_a_word_that_is_no_way_to_collect_is_refused(shop: Shop) -> None:
    ada = shop.customer()
    sub = shop.subscribe(ada)
    with pytest.raises(Refused) as refused:
        shop.billing.subscriptions.set_collection_method(sub.id, "by_pigeon")
    assert refused.value.field == "collection_method"
    for terms in (-1, 366, True):
        with pytest.raises(Refused):
            shop.billing.customers.update(ada.id, terms_days=terms)


def test_what_is_switched_to_sending_is_not_charged_by_dunning_either(shop: Shop) -> None:
    ada = shop.customer(SOFT)
    sub = shop.subscribe(ada)
    shop.billing.subscriptions.set_collection_method(sub.id, "send_invoice")
    shop.time.advance(days=20)
    assert len(shop.payments()) == 1


# ---- too little to be charged -------------------------------------------------------------------


class _AtLeastHalf(FakeGateway):
    def __init__(self) -> None:
        super().__init__()
        self.capabilities = Capabilities(minimums=(eur("0.50"),))


@pytest.fixture
def picky(open_a_shop: Callable[..., Shop]) -> tuple[Shop, FakeGateway]:
    gateway = _AtLeastHalf()
    return open_a_shop(gateways={"picky": gateway}), gateway


def _owes(shop: Shop, customer: Customer, amount: str) -> str:
    line = [OneOff("Work", eur(amount))]
    return shop.billing.invoices.create_one_off(customer.id, line).id


def _picky_customer(shop: Shop, token: str = GOOD) -> Customer:
    ada = shop.customer(token=None)
    shop.billing.payment_methods.attach(ada.id, token, gateway="picky")
    return ada


def test_what_is_too_little_waits_and_is_never_dunned(picky: tuple[Shop, FakeGateway]) -> None:
    shop, gateway = picky
    ada = _picky_customer(shop)
    id = _owes(shop, ada, "0.49")
    shop.time.advance(days=60)
    invoice = shop.billing.invoices.get(id)
    assert (invoice.status, invoice.small, invoice.dunning) == ("open", True, False)
    assert gateway.charges == ()
    with pytest.raises(Refused) as refused:
        shop.billing.invoices.pay(id)
    assert refused.value.field == "amount"


def test_exactly_the_least_amount_is_charged(picky: tuple[Shop, FakeGateway]) -> None:
    shop, gateway = picky
    _owes(shop, _picky_customer(shop), "0.50")
    assert [charge.amount for charge in gateway.charges] == [eur("0.50")]


def test_small_ones_are_charged_together_once_they_are_enough(
    picky: tuple[Shop, FakeGateway],
) -> None:
    shop, gateway = picky
    ada = _picky_customer(shop)
    for amount in ("0.20", "0.20", "0.20"):
        _owes(shop, ada, amount)
    assert [charge.amount for charge in gateway.charges] == [eur("0.60")]
    assert shop.statuses() == ["paid", "paid", "paid"]
    (payment,) = shop.payments()
    assert sorted(part.amount_minor for part in payment.allocations) == [20, 20, 20]
    assert shop.billing.customers.get(ada.id).small_debts == ()


def test_small_ones_are_charged_with_the_next_invoice(picky: tuple[Shop, FakeGateway]) -> None:
    shop, gateway = picky
    ada = _picky_customer(shop)
    _owes(shop, ada, "0.20")
    shop.subscribe(ada)
    assert [charge.amount for charge in gateway.charges] == [eur("29.20")]
    assert shop.statuses() == ["paid", "paid"]


def test_small_ones_are_charged_with_a_draft_that_becomes_final(
    open_a_shop: Callable[..., Shop],
) -> None:
    gateway = _AtLeastHalf()
    seller = Seller("Acme GmbH", draft_window_hours=1)
    shop = open_a_shop(gateways={"picky": gateway}, seller=seller)
    ada = _picky_customer(shop)
    _owes(shop, ada, "0.20")
    shop.subscribe(ada)
    shop.time.advance(days=1)
    assert [charge.amount for charge in gateway.charges] == [eur("29.20")]
    assert [(each.status, each.parked) for each in shop.invoices()] == [("paid", None)] * 2


def test_a_small_one_waits_on_when_the_charge_with_it_is_declined(
    picky: tuple[Shop, FakeGateway],
) -> None:
    shop, gateway = picky
    ada = _picky_customer(shop, "tok_insufficient_funds_twice")
    small = _owes(shop, ada, "0.20")
    big = _owes(shop, ada, "10.00")
    assert not shop.billing.invoices.get(small).dunning
    assert shop.billing.invoices.get(small).collecting is None
    shop.time.advance(days=10)
    assert shop.billing.invoices.get(big).status == "paid"
    assert shop.billing.invoices.get(small).status == "open"
    assert [str(charge.amount) for charge in gateway.charges] == [
        "10.20 EUR",
        "10.00 EUR",
        "10.00 EUR",
    ]
    _owes(shop, ada, "1.00")
    assert shop.billing.customers.get(ada.id).small_debts == (small,)


def test_a_small_one_that_is_paid_by_transfer_is_not_charged_again(
    picky: tuple[Shop, FakeGateway],
) -> None:
    shop, gateway = picky
    ada = _picky_customer(shop)
    _owes(shop, ada, "0.20")
    shop.billing.payments.record(ada.id, eur("0.20"))
    _owes(shop, ada, "10.00")
    assert [charge.amount for charge in gateway.charges] == [eur("10.00")]
    assert shop.billing.customers.get(ada.id).small_debts == ()


def test_a_small_one_waits_again_when_the_money_was_meant_for_another(
    picky: tuple[Shop, FakeGateway],
) -> None:
    shop, gateway = picky
    ada = _picky_customer(shop)
    small = _owes(shop, ada, "0.20")
    _owes(shop, ada, "10.00")
    (payment,) = shop.payments()
    shop.billing.payments.deallocate(payment.id, small)
    shop.time.advance(days=30)
    again = shop.billing.invoices.get(small)
    assert (again.status, again.small, again.dunning) == ("open", True, False)
    assert shop.billing.customers.get(ada.id).small_debts == (small,)
    _owes(shop, ada, "1.00")
    assert [charge.amount for charge in gateway.charges] == [eur("10.20"), eur("1.20")]
    assert shop.billing.invoices.get(small).status == "paid"


def test_a_small_one_is_dunned_when_it_is_owed_again_and_nothing_is_charged_any_more(
    picky: tuple[Shop, FakeGateway],
) -> None:
    shop, _ = picky
    ada = _picky_customer(shop)
    small = _owes(shop, ada, "0.20")
    _owes(shop, ada, "10.00")
    (payment,) = shop.payments()
    shop.billing.payment_methods.detach(ada.default_method or str(payment.method))
    shop.billing.payments.deallocate(payment.id, small)
    shop.time.advance(days=2)
    again = shop.billing.invoices.get(small)
    assert (again.status, again.small, again.dunning) == ("open", False, True)


@pytest.mark.parametrize("code", ["chargeback", "AM04"])
def test_a_small_one_that_a_bank_took_back_is_dunned(
    picky: tuple[Shop, FakeGateway], code: str
) -> None:
    shop, _ = picky
    ada = _picky_customer(shop)
    small = _owes(shop, ada, "0.20")
    _owes(shop, ada, "10.00")
    (payment,) = shop.payments()
    if code == "chargeback":
        shop.billing.payments.record_dispute(payment.id, reason="fraudulent")
    else:
        shop.billing.payments.record_return(payment.id, code)
    shop.billing.run()
    again = shop.billing.invoices.get(small)
    assert (again.status, again.small, again.dunning) == ("open", False, True)


def test_a_first_payment_that_is_too_small_holds_nothing_up(
    picky: tuple[Shop, FakeGateway],
) -> None:
    shop, _ = picky
    ada = _picky_customer(shop)
    price = shop.price(eur("0.30"))
    sub = shop.billing.subscriptions.create(ada.id, [price.id], require_payment=True)
    assert shop.subscription(sub).status == "active"
    shop.time.advance(days=2)
    assert shop.subscription(sub).status == "active"


def test_an_amount_in_another_currency_has_no_least(open_a_shop: Callable[..., Shop]) -> None:
    shop = open_a_shop(gateways={"picky": _AtLeastHalf()})
    ada = _picky_customer(shop)
    line = [OneOff("Work", Money.of("0.10", "USD"))]
    assert shop.billing.invoices.create_one_off(ada.id, line).collecting is None
    assert shop.statuses() == ["paid"]
