"""What waits for an invoice: it waits, is taken once, or is taken back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve

from subscriptions import pending_items
from subscriptions.errors import InvalidTransition
from subscriptions.ids import InvoiceId
from subscriptions.money import EUR, Money
from subscriptions.pending_items import (
    PENDING_ITEM,
    STATUS,
    Invoiced,
    PendingItem,
    PendingItemAdded,
    PendingItemInvoiced,
    PendingItemWithdrawn,
    Waiting,
    Withdrawn,
)
from subscriptions.testing.builders import a_pending_item

NOON = datetime(2027, 2, 1, 12, tzinfo=UTC)
INVOICE = InvoiceId("inv_1")


def test_it_waits_for_its_customer_until_it_is_taken() -> None:
    item = a_pending_item()
    assert (item.status, item.waits_for) == ("waiting", item.customer)
    change = pending_items.add(item)
    assert change.events == (PendingItemAdded(item.id, item.customer, None, Money(10000, EUR)),)
    taken = pending_items.take(item, INVOICE, NOON)
    assert taken.after == evolve(item, state=Invoiced(INVOICE, NOON), version=2)
    assert taken.events == (PendingItemInvoiced(item.id, item.customer, INVOICE),)
    assert isinstance(taken.after, PendingItem)
    assert (taken.after.status, taken.after.waits_for) == ("invoiced", None)


def test_what_is_taken_back_waits_for_nobody() -> None:
    item = a_pending_item()
    change = pending_items.withdraw(item, NOON)
    assert change.after == evolve(item, state=Withdrawn(NOON), version=2)
    assert change.events == (PendingItemWithdrawn(item.id, item.customer),)


@pytest.mark.parametrize("state", [Invoiced(INVOICE, NOON), Withdrawn(NOON)])
def test_only_what_waits_is_taken_or_taken_back(state: Invoiced | Withdrawn) -> None:
    item = a_pending_item(state=state)
    with pytest.raises(InvalidTransition):
        pending_items.take(item, INVOICE, NOON)
    with pytest.raises(InvalidTransition):
        pending_items.withdraw(item, NOON)


def test_columns_say_what_the_record_says() -> None:
    assert {c.name: c.get(a_pending_item()) for c in PENDING_ITEM.columns} == {
        "customer": "cus_ada",
        "waits_for": "cus_ada",
        "status": "waiting",
    }
    assert set(STATUS) == {Waiting, Invoiced, Withdrawn}
