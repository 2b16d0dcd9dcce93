"""The unknown outcome to its end: silence, replays, reconciling, a person, and what comes after."""

from __future__ import annotations

from datetime import timedelta

import pytest

from subscriptions import MemoryStorage
from subscriptions.gateways import Reconciled
from subscriptions.gateways.fake import FakeGateway
from subscriptions.payments import (
    ChargeIntent,
    Payment,
    PaymentOutcomeUnknown,
    PaymentSnapshot,
    charge_intent,
)
from subscriptions.refunds import RefundUnknown
from subscriptions.review import ReviewItem, ReviewNeeded
from subscriptions.storage import Storage
from tests.scenarios.shop import Shop, audit, eur, open_shop

LONG = 99
SILENT_DAYS = 5


def review(shop: Shop) -> list[ReviewItem]:
    return list(shop.billing.payments.review())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the gateway is asked, in order: to charge, or what it did."""
    asked: list[str] = []
    charge, reconcile = FakeGateway.charge, FakeGateway.reconcile

    def counted_charge(self: FakeGateway, intent: ChargeIntent, /) -> PaymentSnapshot:
        asked.append("charge")
        return charge(self, intent)

    def counted_reconcile(
        self: FakeGateway, intent: ChargeIntent, gateway_ref: str | None, /
    ) -> Reconciled:
        asked.append("reconcile")
        return reconcile(self, intent, gateway_ref)

    monkeypatch.setattr(FakeGateway, "charge", counted_charge)
    monkeypatch.setattr(FakeGateway, "reconcile", counted_reconcile)
    return asked


def silence(shop: Shop, *, executed: bool) -> Payment:
    """Let a first charge be unknown for days, though the gateway is asked again and again."""
    shop.gateway.time_out_next(executed=executed, times=LONG)
    shop.gateway.ignore_next(times=LONG)
    shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    assert payment.status == "unknown"
    return payment


def books(shop: Shop) -> list[str]:
    """Return what is wrong with the books of the library: not with what a person said wrongly."""
    return [each for each in audit(shop) if not each.endswith("took no money")]


@pytest.mark.parametrize("executed", [True, False], ids=["charged", "not charged"])
@pytest.mark.parametrize("outcome", ["succeeded", "never_happened"])
def test_silence_ends_with_a_persons_word_and_the_gateways_after_it(
    storage: Storage, asked: list[str], outcome: str, *, executed: bool
) -> None:
    shop = open_shop(storage)
    payment = silence(shop, executed=executed)

    _asked_for_days(shop, payment, asked, executed=executed)
    _said(shop, payment, asked, outcome, executed=executed)
    _told(shop, payment, outcome, executed=executed)


def _asked_for_days(shop: Shop, payment: Payment, asked: list[str], *, executed: bool) -> None:
    # Inside the window the same charge is sent again with its key, outside it is asked about.
    window = shop.gateway.capabilities.replay_window
    shop.time.expect(*[PaymentOutcomeUnknown] * 4).advance(hours=22)
    assert shop.time.now - payment.intended_at < window
    assert asked == ["charge"] * 4
    happened = shop.time.advance(days=SILENT_DAYS)
    assert set(asked[4:]) == {"reconcile"}
    assert len(asked) == 4 + SILENT_DAYS, "daily, without end"
    assert len(shop.gateway.charges) == (1 if executed else 0)

    # After three days a person is told, once; nobody is dunned, and nothing is past due.
    assert [each.matter for each in review(shop)] == ["outcome_unknown"]
    assert len([each for each in happened if isinstance(each, ReviewNeeded)]) == 1
    assert shop.statuses() == ["open"]
    assert list(shop.billing.dunning.list()) == []
    assert shop.billing.subscriptions.list()[0].status == "active"
    assert books(shop) == []


def _said(shop: Shop, payment: Payment, asked: list[str], outcome: str, *, executed: bool) -> None:
    # He says what he saw: the books follow him, and nothing is charged by his word.
    shop.gateway.forget_scripts()
    before = len(asked)
    shop.billing.payments.resolve(
        payment.id,
        outcome=outcome,
        reference=shop.gateway.charges[0].reference if executed else "ch_seen",
        reason="seen in the dashboard",
    )
    assert asked[before:] == []
    assert review(shop) == []
    believed = outcome == "succeeded"
    assert shop.statuses() == (["paid"] if believed else ["open"])
    assert shop.billing.subscriptions.list()[0].status == ("active" if believed else "past_due")
    assert len(list(shop.billing.dunning.list(status="running"))) == (0 if believed else 1)
    assert books(shop) == []


def _told(shop: Shop, payment: Payment, outcome: str, *, executed: bool) -> None:
    # Then the gateway tells of it.
    believed = outcome == "succeeded"
    if not executed:
        shop.gateway.decline_next("insufficient_funds")
        shop.gateway.charge(charge_intent(payment))
    shop.deliver_webhooks()
    after = shop.billing.payments.get(payment.id)
    if executed:
        assert after.status == "succeeded", "a success wins, whatever was said"
        assert shop.statuses() == ["paid"]
        assert shop.billing.subscriptions.list()[0].status == "active"
        assert list(shop.billing.dunning.list(status="running")) == []
        assert review(shop) == []
        assert audit(shop) == []
        return
    assert after.status == ("succeeded" if believed else "void")
    assert [each.matter for each in review(shop)] == (["contradicted"] if believed else [])
    assert books(shop) == []
    if believed:
        (item,) = review(shop)
        assert (item.subject, item.customer, item.amount) == (
            payment.id,
            payment.customer,
            eur("29.00"),
        )
        assert item.facts == "a person said succeeded, gateway card says declined_soft"
        shop.billing.sweep()
        assert [each.id for each in review(shop)] == [item.id], "once is enough"
        shop.billing.payments.record_return(payment.id, "AM04")
        shop.billing.payments.close_review(item.id, reason="the person was mistaken")
        assert shop.statuses() == ["open"]
        return
    shop.time.advance(days=9)
    assert shop.statuses() == ["paid"], "dunning charges it anew"
    assert audit(shop) == []


def test_a_late_success_is_kept_where_the_invoice_was_paid_otherwise(shop: Shop) -> None:
    payment = silence(shop, executed=True)
    shop.time.advance(days=4)
    shop.gateway.forget_scripts()
    resolve = shop.billing.payments.resolve
    resolve(payment.id, outcome="never_happened", reason="not in the dashboard")
    shop.billing.invoices.pay(shop.only_invoice().id)
    assert shop.statuses() == ["paid"]
    shop.deliver_webhooks()
    late = shop.billing.payments.get(payment.id)
    assert (late.status, late.unallocated) == ("succeeded", eur("29.00"))
    assert len(shop.gateway.charges) == 2, "which nobody can undo but by giving it back"
    shop.billing.payments.refund(payment.id, reason="charged twice")
    assert shop.billing.payments.get(payment.id).refunded == eur("29.00")


def test_a_sweep_finds_the_contradiction_that_no_message_told_of(storage: Storage) -> None:
    shop = open_shop(storage)
    payment = silence(shop, executed=False)
    shop.time.advance(days=4)
    shop.gateway.forget_scripts()
    shop.billing.payments.resolve(
        payment.id, outcome="succeeded", reference="ch_seen", reason="seen"
    )
    shop.gateway.decline_next("insufficient_funds")
    shop.gateway.charge(charge_intent(payment))
    shop.billing.sweep()
    assert [each.matter for each in review(shop)] == ["contradicted"]
    events = shop.events()
    shop.billing.sweep()
    assert shop.events() == events


# ---- refunds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("executed", [True, False], ids=["made", "not made"])
@pytest.mark.parametrize("outcome", ["succeeded", "never_happened"])
def test_a_person_says_what_became_of_a_refund_and_the_gateway_after_him(
    storage: Storage, outcome: str, *, executed: bool
) -> None:
    shop = open_shop(storage)
    shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    shop.deliver_webhooks()
    shop.gateway.time_out_refund_next(executed=executed, times=LONG)
    shop.gateway.ignore_next(times=LONG)
    refund = shop.billing.payments.refund(payment.id, eur("9.00"), reason="goodwill")
    happened = shop.time.advance(days=4)
    assert any(isinstance(each, RefundUnknown) for each in happened)
    assert [each.subject for each in review(shop)] == [refund.id]
    shop.gateway.forget_scripts()
    reference = shop.gateway.refunds[0].reference if executed else "re_seen"
    resolved = shop.billing.payments.resolve_refund(
        refund.id, outcome=outcome, reference=reference, reason="seen in the dashboard"
    )
    believed = outcome == "succeeded"
    assert resolved.status == ("succeeded" if believed else "failed")
    assert review(shop) == []
    now = shop.billing.payments.get(payment.id)
    given_back = eur("9.00") if believed else eur("0.00")
    assert (now.refunded, now.refundable) == (given_back, eur("29.00") - given_back)
    events = shop.events()
    shop.time.advance(days=2)
    assert shop.events() == events, "nobody asks any more"
    shop.deliver_webhooks()
    contradicted = executed and not believed
    assert [each.matter for each in review(shop)] == (["contradicted"] if contradicted else [])
    if believed == executed:
        assert audit(shop) == []


# ---- sweeping before a run -----------------------------------------------------------------------


def test_a_run_with_a_sweep_is_a_sweep_and_a_run() -> None:
    def opened() -> Shop:
        shop = open_shop(MemoryStorage())
        shop.gateway.time_out_next(executed=True, times=LONG)
        shop.gateway.ignore_next(times=LONG)
        shop.subscribe(shop.customer())
        shop.clock.now += timedelta(days=20)
        return shop

    apart, together = opened(), opened()
    swept = apart.billing.sweep()
    ran = apart.billing.run()
    report = together.billing.run(sweep=True)
    assert report.swept == swept
    assert swept.merged == 1
    assert (report.events, report.days, report.until) == (ran.events, ran.days, ran.until)
    assert ran.swept is None
    assert together.events() == apart.events()
    assert together.statuses() == apart.statuses()
