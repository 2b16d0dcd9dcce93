"""A balance is the sum of its entries, and is used oldest first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import subscriptions
from subscriptions.balance import BALANCE_ENTRY, BalanceEntry, Cause, move, unused
from subscriptions.customers import CUSTOMER, BalanceMoved, Customer
from subscriptions.decisions import Change
from subscriptions.errors import ValidationError
from subscriptions.ids import InvoiceId, RefundId
from subscriptions.money import EUR, USD, Currency, Money
from subscriptions.testing.builders import a_balance_entry, a_customer

AT = datetime(2027, 1, 31, 12, tzinfo=UTC)


def entry_of(change: Change) -> BalanceEntry:
    assert change.kind is BALANCE_ENTRY
    assert change.before is None
    assert isinstance(change.after, BalanceEntry)
    return change.after


def customer_of(change: Change) -> Customer:
    assert change.kind is CUSTOMER
    assert isinstance(change.after, Customer)
    return change.after


def moved(customer: Customer, minor: int, currency: Currency) -> tuple[Customer, BalanceEntry]:
    change, entry = move(customer, Money(minor, currency), cause=Cause.ADJUSTMENT, at=AT)
    return customer_of(change), entry_of(entry)


def test_an_entry_says_what_moved_why_when_and_what_is_there_after_it() -> None:
    customer = a_customer(balance=(Money(200, EUR),), version=4)
    change, created = move(
        customer,
        Money(300, EUR),
        cause=Cause.REFUND_FAILED,
        at=AT,
        invoice=InvoiceId("inv_1"),
        refund=RefundId("ref_1"),
        reason="the bank sent it back",
    )
    entry = entry_of(created)
    assert (entry.amount, entry.balance) == (Money(300, EUR), Money(500, EUR))
    assert (entry.cause, entry.at, entry.ordinal) == (Cause.REFUND_FAILED, AT, 5)
    assert (entry.invoice, entry.refund) == ("inv_1", "ref_1")
    assert entry.reason == "the bank sent it back"
    assert (entry.customer, entry.tenant, entry.version) == (customer.id, customer.tenant, 1)
    assert customer_of(change).balance == (Money(500, EUR),)
    assert change.events == (
        BalanceMoved(
            customer.id, Money(300, EUR), Money(500, EUR), "refund_failed", InvoiceId("inv_1")
        ),
    )


def test_an_entry_has_an_id_of_its_own_that_follows_from_the_customer() -> None:
    customer = a_customer()
    after, first = moved(customer, 500, EUR)
    _, second = moved(after, 500, EUR)
    assert first.id != second.id
    assert moved(customer, 500, EUR)[1].id == first.id
    assert moved(evolve(customer, tenant="other"), 500, EUR)[1].id != first.id


@pytest.mark.parametrize("minor", [0, -501])
def test_nothing_moves_for_nothing_or_for_more_than_there_is(minor: int) -> None:
    customer = a_customer(balance=(Money(500, EUR), Money(900, USD)))
    with pytest.raises(ValidationError) as refused:
        moved(customer, minor, EUR)
    assert refused.value.field == "amount"


def test_a_reason_is_a_text_without_control_characters() -> None:
    with pytest.raises(ValidationError):
        move(a_customer(), Money(1, EUR), cause=Cause.ADJUSTMENT, at=AT, reason="\x00")


MOVES = st.lists(
    st.tuples(st.integers(-1000, 1000), st.sampled_from([EUR, USD])), min_size=1, max_size=30
)


@given(MOVES)
def test_the_balance_is_the_sum_of_the_entries_never_negative_and_what_is_unused(
    moves: list[tuple[int, Currency]],
) -> None:
    customer = a_customer()
    entries: list[BalanceEntry] = []
    for minor, currency in moves:
        try:
            customer, entry = moved(customer, minor, currency)
        except ValidationError:
            continue
        entries.append(entry)
    for currency in (EUR, USD):
        amounts = [each.amount_minor for each in entries if each.currency == currency]
        running = [sum(amounts[: place + 1]) for place in range(len(amounts))]
        assert all(minor >= 0 for minor in running)
        assert [e.balance_minor for e in entries if e.currency == currency] == running
        there = sum(amounts)
        assert customer.credit_minor(currency) == there
        assert sum(left.minor for _, left in unused(entries) if left.currency == currency) == there
        # An oracle of single cents: each is spent in the order in which it came.
        cents = [
            each.id
            for each in entries
            if each.currency == currency and each.amount_minor > 0
            for _ in range(each.amount_minor)
        ]
        spent = sum(-minor for minor in amounts if minor < 0)
        left = {
            each.id: minor.minor for each, minor in unused(entries) if minor.currency == currency
        }
        assert left == {id: cents[spent:].count(id) for id in set(cents[spent:])}


def test_what_is_used_comes_from_the_oldest_credit_of_its_currency() -> None:
    entries = [
        a_balance_entry("bal_1", amount_minor=500, balance_minor=500),
        a_balance_entry("bal_2", amount_minor=300, balance_minor=300, currency=USD),
        a_balance_entry("bal_3", amount_minor=200, balance_minor=700),
        a_balance_entry("bal_4", amount_minor=-600, balance_minor=100, at=AT + timedelta(days=1)),
    ]
    assert [(credit.id, left) for credit, left in unused(entries)] == [
        ("bal_2", Money(300, USD)),
        ("bal_3", Money(100, EUR)),
    ]
    assert unused([]) == ()


def test_nothing_moves_a_balance_without_an_entry() -> None:
    package = Path(subscriptions.__file__).parent
    callers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "move_balance" in path.read_text(encoding="utf-8")
    }
    assert callers == {"balance.py", "customers/__init__.py", "customers/deciding.py"}
