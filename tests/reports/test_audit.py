"""The audit of the books: both its parts in one answer, and the same for both drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from attrs import evolve

from subscriptions import AsyncBilling, Billing, MemoryStorage, Money, OneOff
from subscriptions.decisions import Change
from subscriptions.invoices import INVOICE, Invoice
from subscriptions.money import EUR
from subscriptions.reports.audit import Audit
from subscriptions.reports.ledger import Account, Difference

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)


def _sold(storage: MemoryStorage) -> tuple[Billing, Invoice]:
    billing = Billing(storage=storage, clock=lambda: NOON)
    ada = billing.customers.create(name="Ada Lovelace")
    work = OneOff("Work", Money.of("29.00", "EUR"))
    return billing, billing.invoices.create_one_off(ada.id, [work])


def test_sound_books_have_nothing_in_either_part() -> None:
    billing, _ = _sold(MemoryStorage())
    assert billing.reports.audit() == Audit((), ())
    assert billing.reports.audit().sound


def _forged(forge: Callable[[Invoice], Invoice]) -> tuple[Billing, Invoice]:
    storage = MemoryStorage()
    billing, invoice = _sold(storage)
    forged = evolve(forge(invoice), version=invoice.version + 1)
    with storage.begin() as unit:
        unit.write([Change(INVOICE, invoice, forged)], [])
    return billing, invoice


def test_a_sealed_amount_that_was_changed_is_found_by_both_parts_and_stops_neither() -> None:
    billing, invoice = _forged(lambda invoice: evolve(invoice, net_minor=2800))
    found = billing.reports.audit()
    assert not found.sound
    assert [each.series for each in found.numbers] == [invoice.series]
    assert found.unbalanced == (invoice.id,)
    missing = Difference(Account.RECEIVABLE, invoice.id, Money.of("-29.00", "EUR"))
    assert found.differences == (missing,)
    assert found.numbers == billing.reports.numbers()
    ledger = billing.reports.ledger()
    assert (found.differences, found.unbalanced) == (ledger.differences, ledger.unbalanced)


def test_money_that_nobody_paid_is_found_by_the_ledger_alone() -> None:
    billing, invoice = _forged(lambda invoice: evolve(invoice, paid_minor=100))
    found = billing.reports.audit()
    assert not found.sound
    assert (found.numbers, found.unbalanced) == ((), ())
    difference = Difference(Account.RECEIVABLE, invoice.id, Money.of("1.00", "EUR"))
    assert found.differences == (difference,)


def test_one_part_is_enough_for_books_not_to_be_sound() -> None:
    difference = Difference(Account.RECEIVABLE, "inv_1", Money(1, EUR))
    assert not Audit(differences=(difference,)).sound
    assert not Audit(unbalanced=("inv_1",)).sound


def test_the_asynchronous_face_audits_too() -> None:
    storage = MemoryStorage()
    _sold(storage)
    assert asyncio.run(AsyncBilling(storage=storage).reports.audit()).sound
