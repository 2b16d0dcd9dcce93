"""The ledger: what each record books adds up to zero, and what records claim is what is booked."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
from attrs import evolve

from subscriptions import AsyncBilling, Billing, Interval, Money, OneOff, Seller, TaxRate, TaxRates
from subscriptions.balance import BALANCE_ENTRY
from subscriptions.customers import CUSTOMER
from subscriptions.errors import ValidationError
from subscriptions.invoices import INVOICE, Draft, Uncollectible, Void
from subscriptions.money import EUR
from subscriptions.payments import PAYMENT, Decline, Declined, Payment
from subscriptions.records import AnyKind
from subscriptions.refunds import Pending
from subscriptions.reports.ledger import (
    BOOKED,
    Account,
    Entry,
    Ledger,
    Posting,
    entries,
    ledger_of,
)
from subscriptions.storage import Query
from subscriptions.testing import TestClock, counting_ids
from subscriptions.testing.builders import (
    a_credit_note,
    a_customer,
    a_draft,
    a_payment,
    a_refund,
    an_invoice,
)
from subscriptions.testing.examples import examples

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)


def _eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def _busy() -> Billing:
    """A seller to whom everything happened that moves money."""
    clock = TestClock(datetime(2027, 1, 1, 9, tzinfo=UTC))
    billing = Billing(
        seller=Seller("Acme"),
        taxes=TaxRates({"DE": TaxRate("19")}),
        clock=clock,
        ids=counting_ids(),
    )
    pro = billing.catalog.add_price("Pro", _eur("29"), every=Interval.months(1))
    ada = billing.customers.create(name="Ada Lovelace", country="DE")
    billing.payment_methods.attach(ada.id, "tok_visa")
    billing.balance.adjust(ada.id, _eur("10"), reason="welcome")
    billing.subscriptions.create(ada.id, [pro.id])
    bob = billing.customers.create(name="Bob", country="DE")
    billing.run(until=date(2027, 2, 10))
    for _ in range(2):
        billing.invoices.create_one_off(bob.id, [OneOff("Work", _eur("29"))])
    first, second = (x for x in billing.invoices.list(customer=ada.id))
    billing.credit_notes.create(first.id, amount=_eur("5"), reason="late", refund=_eur("5"))
    billing.credit_notes.create(second.id, amount=_eur("4"), reason="late")
    (taken, _) = billing.payments.list(customer=ada.id)
    billing.payments.refund(taken.id, _eur("1"), reason="goodwill")
    owed, other = (x for x in billing.invoices.list(customer=bob.id))
    billing.payments.record(bob.id, _eur("20"), invoice=owed.id)
    billing.credit_notes.create(owed.id, amount=_eur("3"), reason="late")
    billing.invoices.mark_uncollectible(owed.id, reason="gone")
    billing.invoices.void(other.id, reason="twice")
    billing.payments.record(bob.id, _eur("100"))
    return billing


def _records(billing: Billing) -> list[Any]:
    storage = billing.engine.storage
    return [
        record
        for kind in BOOKED
        for record in storage.find(Query(kind, "default", limit=1000)).items
    ]


def test_what_happened_is_booked_on_every_account_and_adds_up_to_zero() -> None:
    ledger = _busy().reports.ledger()
    assert ledger.differences == ()
    assert {account for account, _ in ledger.sums} == {
        Account.CASH,
        Account.REVENUE,
        Account.TAX,
        Account.BALANCE,
        Account.GIVEN_BACK,
        Account.ADJUSTMENTS,
        Account.WRITTEN_OFF,
    }
    assert sum(amount.minor for amount in ledger.sums.values()) == 0
    # By hand: 24.51 and 34.51 from Ada, less 5.00 and 1.00 given back; 20.00 and 100.00 from Bob.
    assert ledger.sum(Account.CASH) == _eur("173.02")
    # 34.51 less 20.00 and 3.00 was given up; Bob's 100.00 pays nothing and is to his credit, as
    # 4.00 are to Ada's.
    assert ledger.sum(Account.WRITTEN_OFF) == _eur("11.51")
    assert ledger.sum(Account.DEPOSITS) == _eur("0.00")
    assert ledger.sum(Account.BALANCE) == _eur("-104.00")
    assert ledger.sum(Account.GIVEN_BACK) == _eur("1.00")
    assert ledger.sum(Account.RECEIVABLE) == _eur("0.00")


def test_each_entry_of_every_example_record_adds_up_to_zero() -> None:
    kinds = {kind.record for kind in BOOKED if kind is not CUSTOMER}
    booked: list[Any] = [each.record for each in examples() if type(each.record) in kinds]
    made = [entry for record in booked for entry in entries(record)]
    assert len(made) > 10
    for entry in made:
        assert sum(posting.amount_minor for posting in entry.postings) == 0


def test_the_order_of_records_changes_nothing() -> None:
    records = _records(_busy())
    assert ledger_of(reversed(records)) == ledger_of(records)


def test_the_ledger_of_a_day_knows_only_what_was_booked_by_then() -> None:
    billing = _busy()
    january = billing.reports.ledger(date(2027, 1, 31))
    assert january.sum(Account.CASH) == _eur("24.51")
    assert january.sum(Account.REVENUE) == _eur("-29.00")
    assert january.sum(Account.BALANCE) == _eur("0.00")
    assert january.differences == ()
    assert sum(amount.minor for amount in january.sums.values()) == 0
    assert billing.reports.ledger(date(2026, 12, 31)).sums == {}
    assert billing.reports.ledger(date(2027, 3, 31)).sums == billing.reports.ledger().sums


def test_drafts_and_attempts_book_nothing() -> None:
    assert entries(a_draft()) == ()
    declined = Declined(NOON, Decline("insufficient_funds"), hard=False)
    assert entries(a_payment(state=declined, allocations=())) == ()
    assert entries(a_refund(state=Pending(NOON, NOON))) == ()
    assert entries(a_credit_note(number=None, issued_at=None)) == ()


def test_an_entry_that_does_not_add_up_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="postings"):
        Entry(NOON, "inv", "x", a_customer().id, EUR, (Posting(Account.CASH, 1, "card"),))


@pytest.mark.parametrize(
    ("kind", "change", "account"),
    [
        (INVOICE, {"paid_minor": 1}, Account.RECEIVABLE),
        (INVOICE, {"balance_minor": 1}, Account.RECEIVABLE),
        (INVOICE, {"credited_minor": 1}, Account.RECEIVABLE),
        (CUSTOMER, {"balance": (Money(1, EUR),)}, Account.BALANCE),
        (BALANCE_ENTRY, {"amount_minor": 77}, Account.BALANCE),
        (PAYMENT, {"allocations": ()}, Account.RECEIVABLE),
    ],
)
def test_a_record_that_was_changed_by_itself_is_found(
    kind: AnyKind, change: dict[str, object], account: Account
) -> None:
    # Of a paid invoice nothing is due, whatever its parts are: an open one says how much.
    records: list[Any] = [an_invoice("inv_alone"), *_records(_busy())]
    assert ledger_of(records).differences == ()
    victim = next(each for each in records if type(each) is kind.record and _is_open(each))
    changed = [evolve(each, **change) if each is victim else each for each in records]
    assert account in {each.account for each in ledger_of(changed).differences}


def _is_open(record: Any) -> bool:  # noqa: ANN401 - any of the records
    return not isinstance(record, Payment) or bool(record.allocations)


def test_what_is_given_up_is_no_longer_receivable_and_void_is_as_if_never_issued() -> None:
    given_up = an_invoice(state=Uncollectible(NOON, "gone"))
    assert ledger_of([given_up]).sum(Account.WRITTEN_OFF) == given_up.total
    assert ledger_of([an_invoice(state=Void(NOON, "twice"))]).sums == {}
    assert ledger_of([an_invoice(state=Draft(), finalized_at=None)]).sums == {}


def test_the_asynchronous_face_gives_the_same() -> None:
    async def story() -> Ledger:
        billing = AsyncBilling(clock=TestClock(NOON), ids=counting_ids())
        ada = await billing.customers.create(name="Ada Lovelace")
        await billing.payments.record(ada.id, _eur("5"))
        return await billing.reports.ledger()

    assert asyncio.run(story()).sum(Account.BALANCE) == _eur("-5.00")
