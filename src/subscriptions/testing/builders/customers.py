"""Builders: who is billed: sellers, customers, their methods, balances and credit grants."""

from __future__ import annotations

from datetime import date

from subscriptions import grants
from subscriptions.balance import BalanceEntry, Cause
from subscriptions.customers import Address, Customer
from subscriptions.grants import Category, Grant, GrantEntry
from subscriptions.ids import BalanceEntryId, CustomerId, GrantEntryId, GrantId, PaymentMethodId
from subscriptions.invoices import Seller
from subscriptions.money import EUR
from subscriptions.payment_methods import MethodDetails, PaymentMethod, Usable
from subscriptions.testing.builders.defaults import AT, TENANT, changed


def a_seller(**changes: object) -> Seller:
    """Return a seller in Berlin."""
    address = Address("Unter den Linden 1", postal_code="10117", city="Berlin", country="DE")
    seller = Seller(
        "Acme GmbH",
        address=address,
        tax_id="DE123456789",
        email="billing@acme.example",
        iban="DE02120300000000202051",
        zone="Europe/Berlin",
    )
    return changed(seller, changes)


def a_customer(id: str = "cus_ada", /, **changes: object) -> Customer:
    """Return a customer with an e-mail address, a number and a token."""
    customer = Customer(
        CustomerId(id),
        TENANT,
        1,
        "Ada Lovelace",
        token=f"token-{id}",
        number=f"C-{id}",
        email="ada@example.com",
        address=Address("1 St James's Square", postal_code="SW1Y 4JH", city="London", country="GB"),
    )
    return changed(customer, changes)


def a_payment_method(id: str = "pm_ada", /, **changes: object) -> PaymentMethod:
    """Return a card that may be charged."""
    details = MethodDetails(f"card-{id}", brand="visa", last4="4242", expires_on=date(2030, 12, 31))
    method = PaymentMethod(
        PaymentMethodId(id), TENANT, 1, CustomerId("cus_ada"), "card", details, Usable(), AT
    )
    return changed(method, changes)


def a_balance_entry(id: str = "bal_ada", /, **changes: object) -> BalanceEntry:
    """Return the entry of a goodwill credit, the first movement of the balance."""
    entry = BalanceEntry(
        BalanceEntryId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        2,
        500,
        500,
        EUR,
        Cause.ADJUSTMENT,
        AT,
        reason="goodwill",
    )
    return changed(entry, changes)


def a_grant(id: str = "grn_ada", /, **changes: object) -> Grant:
    """Return promotional credit of 10.00 EUR that pays everything and never expires."""
    grant = Grant(
        GrantId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        1000,
        1000,
        EUR,
        Category.PROMOTIONAL,
        AT,
        AT,
        state=grants.Active(),
    )
    return changed(grant, changes)


def a_grant_entry(id: str = "gre_ada", /, **changes: object) -> GrantEntry:
    """Return the entry that a grant was made with."""
    entry = GrantEntry(
        GrantEntryId(id),
        TENANT,
        1,
        GrantId("grn_ada"),
        CustomerId("cus_ada"),
        1,
        1000,
        1000,
        EUR,
        grants.Cause.GRANTED,
        AT,
    )
    return changed(entry, changes)
