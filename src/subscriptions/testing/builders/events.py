"""Builders: events, and commands that were carried out."""

from __future__ import annotations

from subscriptions import customers
from subscriptions.decisions import created
from subscriptions.events import Recorded, record
from subscriptions.idempotency import CommandRecord, command_id
from subscriptions.testing.builders.customers import a_customer
from subscriptions.testing.builders.defaults import AT, TENANT, changed


def an_event(**changes: object) -> Recorded:
    """Return the first event of the customer."""
    customer = a_customer()
    body = customers.CustomerCreated(customer.id, customer.number or "")
    return changed(record(created(customers.CUSTOMER, customer, body), at=AT)[0], changes)


def a_command(key: str = "sign-up-1", /, **changes: object) -> CommandRecord:
    """Return the record of a command that came with an idempotency key."""
    command = CommandRecord(
        command_id(TENANT, key), TENANT, 1, "customers.create", "f" * 64, "customer", "cus_ada", AT
    )
    return changed(command, changes)
