"""A preview is the commit, or the commit says that it is stale."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from subscriptions import (
    AsyncBilling,
    Billing,
    Interval,
    MemoryStorage,
    Money,
    OneOff,
    Period,
    SqlStorage,
    TaxRate,
    TaxRates,
    ValidationError,
)
from subscriptions.catalog import Price
from subscriptions.customers import Customer
from subscriptions.errors import IdempotencyMismatch, StalePlan
from subscriptions.invoices import Status
from subscriptions.storage import Storage

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(params=["memory", "sqlite"])
def billing(request: pytest.FixtureRequest, tmp_path: Path) -> Billing:
    storage: Storage = (
        MemoryStorage()
        if request.param == "memory"
        else SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
    )
    return Billing(storage=storage, clock=lambda: NOW)


def ada_and_pro(billing: Billing) -> tuple[Customer, Price]:
    price = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    return billing.customers.create(name="Ada Lovelace"), price


def everything(billing: Billing) -> list[str]:
    return [event.id for event in billing.events.list(limit=1000)]


def test_a_preview_writes_nothing_and_the_commit_does_exactly_that(billing: Billing) -> None:
    ada, pro = ada_and_pro(billing)
    before = everything(billing)
    plan = billing.preview.subscriptions.create(ada.id, [(pro.id, 3)], start=date(2027, 1, 31))
    assert everything(billing) == before
    (shown,) = plan.invoices
    assert (shown.total, shown.number) == (Money.of("87.00", "EUR"), None)

    subscription = billing.commit(plan)

    assert subscription == plan.about
    (made,) = billing.invoices.list()
    assert (made.id, made.lines, made.total) == (shown.id, shown.lines, shown.total)
    assert made.number == "INV-2027-00001"


def test_a_plan_is_stale_once_a_record_that_it_rests_on_moved(billing: Billing) -> None:
    ada, pro = ada_and_pro(billing)
    plan = billing.preview.subscriptions.create(ada.id, [pro.id])
    billing.customers.update(ada.id, language="de")
    before = everything(billing)
    with pytest.raises(StalePlan) as stale:
        billing.commit(plan)
    assert (stale.value.kind, stale.value.what) == ("customer", ada.id)
    assert everything(billing) == before


def test_a_plan_is_stale_once_a_record_appeared_that_it_looked_for(billing: Billing) -> None:
    ada, pro = ada_and_pro(billing)
    billing.subscriptions.create(ada.id, [pro.id])
    billing.run(until=date(2027, 2, 20))  # the invoice is overdue: there is a dunning case
    (first, *_) = billing.invoices.list()
    plan = billing.preview.invoices.mark_uncollectible(first.id, reason="insolvent")
    case = billing.dunning.status(first.id)
    billing.dunning.hold(case.id, reason="promised to pay")
    with pytest.raises(StalePlan, match="dunning_case"):
        billing.commit(plan)


def test_a_plan_can_be_committed_once(billing: Billing) -> None:
    ada, pro = ada_and_pro(billing)
    subscription = billing.subscriptions.create(ada.id, [pro.id])
    plan = billing.preview.subscriptions.cancel(subscription.id, when="now")
    assert billing.commit(plan).status == "canceled"
    with pytest.raises(StalePlan):
        billing.commit(plan)


def test_a_preview_raises_what_the_command_would_raise(billing: Billing) -> None:
    ada, _ = ada_and_pro(billing)
    with pytest.raises(ValidationError, match="lines"):
        billing.preview.invoices.create_one_off(ada.id, [])


def test_a_committed_plan_with_a_key_is_replayed_and_not_repeated(billing: Billing) -> None:
    ada, pro = ada_and_pro(billing)
    plan = billing.preview.subscriptions.create(ada.id, [pro.id], idempotency_key="sign-up 1")
    first = billing.commit(plan)
    assert billing.commit(plan) == first
    assert billing.subscriptions.list().total == 1
    with pytest.raises(IdempotencyMismatch):
        billing.subscriptions.create(ada.id, [pro.id, pro.id], idempotency_key="sign-up 1")


def test_a_plan_is_committed_within_a_transaction(billing: Billing) -> None:
    ada, pro = ada_and_pro(billing)
    plan = billing.preview.subscriptions.create(ada.id, [pro.id])

    def sign_up_and_fail() -> None:
        with billing.transaction():
            billing.commit(plan)
            raise RuntimeError("the host failed")

    with pytest.raises(RuntimeError, match="host"):
        sign_up_and_fail()
    assert billing.subscriptions.list().total == 0
    billing.commit(plan)
    assert [i.number for i in billing.invoices.list()] == ["INV-2027-00001"]


def test_asynchronous_hosts_preview_too() -> None:
    async def scenario() -> tuple[Status, Status]:
        billing = AsyncBilling(clock=lambda: NOW)
        ada = await billing.customers.create(name="Ada Lovelace")
        price = await billing.catalog.add_price(
            "Pro", Money.of("29", "EUR"), every=Interval.weeks(1)
        )
        plan = await billing.preview.subscriptions.create(ada.id, [price.id])
        await billing.commit(plan)
        (invoice,) = (await billing.invoices.list()).items
        kept = await billing.subscriptions.preview(plan.about.id, quantities={price.id: 2})
        assert kept.about.items[0].quantity == 2
        note = await billing.credit_notes.preview(invoice.id, reason="Sorry")
        assert note.about.total == invoice.total
        voided = await billing.preview.invoices.void(invoice.id, reason="a mistake")
        return voided.invoices[0].status, (await billing.commit(voided)).status

    assert asyncio.run(scenario()) == (Status.VOID, Status.VOID)


def test_what_would_wait_is_among_the_lines_of_a_plan_with_its_tax(billing: Billing) -> None:
    taxed = Billing(clock=lambda: NOW, taxes=TaxRates({"DE": TaxRate("19")}))
    ada = taxed.customers.create(name="Ada Lovelace", country="DE")
    pro, big = (
        taxed.catalog.add_price(name, Money.of(amount, "EUR"), every=Interval.months(1))
        for name, amount in (("Pro", "28.00"), ("Big", "56.00"))
    )
    start = taxed.preview.subscriptions.create(ada.id, [pro.id], start=date(2027, 2, 1))
    assert (start.lines, start.total) == ((), Money.of("0.00", "EUR"))
    sub = taxed.commit(start)
    taxed.run(until=date(2027, 2, 1))
    half = datetime(2027, 2, 15, tzinfo=UTC)

    plan = taxed.preview.subscriptions.change(sub.id, [big.id], at=half)

    assert plan.invoices == ()
    assert [(line.kind, line.net, line.period) for line in plan.lines] == [
        ("credit", Money.of("-14.00", "EUR"), Period(date(2027, 2, 15), date(2027, 3, 1))),
        ("debit", Money.of("28.00", "EUR"), Period(date(2027, 2, 15), date(2027, 3, 1))),
    ]
    assert plan.total == Money.of("16.66", "EUR")  # 14.00 and 19 %
    # What waits already is on the next invoice, too.
    taxed.commit(plan)
    more = taxed.preview.subscriptions.change(sub.id, quantities={big.id: 2}, at=half)
    assert more.total == Money.of("49.98", "EUR")  # 42.00 and 19 %


def test_what_would_be_invoiced_is_among_the_lines_of_a_plan(billing: Billing) -> None:
    ada, pro = ada_and_pro(billing)
    plan = billing.preview.subscriptions.create(ada.id, [(pro.id, 3)])
    assert (plan.lines, plan.total) == (plan.invoices[0].lines, Money.of("87.00", "EUR"))
    billing.commit(plan)
    (invoice,) = billing.invoices.list()
    # A final invoice has its lines already: nothing more is charged by giving it up.
    given_up = billing.preview.invoices.void(invoice.id, reason="a mistake")
    assert (given_up.lines, given_up.total) == ((), Money.of("0.00", "EUR"))
    draft = billing.invoices.create_one_off(
        ada.id, [OneOff("Work", Money.of("5.00", "EUR"))], finalize=False
    )
    final = billing.preview.invoices.finalize(draft.id)
    assert (final.lines, final.total) == (draft.lines, Money.of("5.00", "EUR"))
    note = billing.preview.credit_notes.create(invoice.id, reason="Sorry")
    with pytest.raises(ValidationError, match=r"plan\.about"):
        assert note.total


def test_each_noun_has_its_previews_too(billing: Billing) -> None:
    ada, pro = ada_and_pro(billing)
    plan = billing.subscriptions.preview.create(ada.id, [pro.id])
    sub = billing.commit(plan)
    three = billing.subscriptions.preview(sub.id, quantities={pro.id: 3})
    assert three.about.items[0].quantity == 3
    assert billing.subscriptions.get(sub.id) == sub
    (invoice,) = billing.invoices.list()
    note = billing.credit_notes.preview(invoice.id, reason="Sorry")
    assert note.about.total == Money.of("29.00", "EUR")
    assert billing.credit_notes.list().total == 0
