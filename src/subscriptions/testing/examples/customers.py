"""Examples: customers, their balances, credit grants and payment methods."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from subscriptions import balance, customers, grants, payment_methods
from subscriptions.customers import Address
from subscriptions.ids import DisputeId, GrantId, PriceId, ProductId
from subscriptions.money import EUR, USD, Money
from subscriptions.records import Metadata
from subscriptions.tax_ids import TaxIdCheck
from subscriptions.taxes import TaxExemption
from subscriptions.testing.builders import (
    AT,
    START,
    a_balance_entry,
    a_customer,
    a_grant,
    a_grant_entry,
    a_payment_method,
)
from subscriptions.testing.examples.example import (
    CREDIT_NOTE,
    DISPUTE,
    INVOICE,
    LATER,
    METHOD,
    PAYMENT,
    REFUND,
    SUBSCRIPTION,
    Example,
)


def of_customers() -> Iterator[Example]:
    """Yield examples of customers."""
    yield Example("customer", customers.CUSTOMER, a_customer())
    full = a_customer(
        "cus_full",
        balance=(Money(500, EUR), Money(7, USD)),
        grouping=customers.Grouping.DAY,
        billing_anchor=START,
        version=7,
        external_id="crm-4711",
        company="Analytical Engines Ltd",
        address=Address("1 Square", "Flat 2", "SW1Y 4JH", "London", "Westminster", "GB"),
        tax_id="GB999999973",
        language="pt-BR",
        zone="America/Sao_Paulo",
        default_method=METHOD,
        tags=("founder", "vip"),
        metadata=Metadata({"z": "1", "a": "", "emoji": "🧾"}),
    )
    yield Example("customer.full", customers.CUSTOMER, full)
    paying = a_customer(
        "cus_paying",
        collection_method=customers.CollectionMethod.SEND_INVOICE,
        backup_method=METHOD,
        terms_days=30,
        small_debts=(INVOICE,),
    )
    yield Example("customer.paying", customers.CUSTOMER, paying)
    holding = a_customer("cus_holding", version=4, grants=(a_grant(), _full_grant("grn_held")))
    yield Example("customer.holding", customers.CUSTOMER, holding)
    checked = TaxIdCheck(
        "DE136695976",
        valid=True,
        at=LATER,
        last_valid_at=AT,
        request_id="WAPIAAAAW1",
        name="Analytical Engines",
        address="1 Square, London",
        source="vies",
        tries=2,
        reason="MS_UNAVAILABLE",
    )
    yield Example(
        "customer.tax_id_checked",
        customers.CUSTOMER,
        a_customer(
            "cus_checked", tax_id="DE136695976", tax_id_check=checked, tax_id_check_at=LATER
        ),
    )
    exempt = TaxExemption("Exempt: diplomatic mission", "15-1", START, date(2027, 12, 31))
    yield Example(
        "customer.exempt", customers.CUSTOMER, a_customer("cus_exempt", tax_exemption=exempt)
    )
    doubted = customers.CollectionHold(AT, "lawyers talk", (PAYMENT, REFUND))
    yield Example(
        "customer.on_hold", customers.CUSTOMER, a_customer("cus_on_hold", collection_hold=doubted)
    )
    bare = a_customer("cus_bare", number=None, email=None, address=Address())
    yield Example("customer.bare", customers.CUSTOMER, bare)


def of_balance() -> Iterator[Example]:
    """Yield examples of entries of balances."""
    for cause in balance.Cause:
        used = cause in {balance.Cause.APPLIED, balance.Cause.REFUND}
        entry = a_balance_entry(
            f"bal_{cause.value}",
            cause=cause,
            amount_minor=-500 if used else 500,
            balance_minor=0 if used else 500,
            invoice=None if cause is balance.Cause.ADJUSTMENT else INVOICE,
            refund=REFUND if "refund" in cause.value else None,
            reason="goodwill" if cause is balance.Cause.ADJUSTMENT else "",
        )
        yield Example(f"balance_entry.{cause.value}", balance.BALANCE_ENTRY, entry)


def of_grants() -> Iterator[Example]:
    """Yield examples of credit grants and their entries."""
    yield Example("grant", grants.GRANT, a_grant())
    states: dict[str, grants.GrantState] = {
        "pending": grants.Pending(),
        "used_up": grants.UsedUp(LATER),
        "expired": grants.Expired(LATER),
        "voided": grants.Voided(LATER, "given by mistake"),
    }
    for name, state in states.items():
        ended = a_grant(f"grn_{name}", state=state, left_minor=1000 if name == "pending" else 0)
        yield Example(f"grant.{name}", grants.GRANT, ended)
    yield Example("grant.full", grants.GRANT, _full_grant("grn_full"))
    for cause in grants.Cause:
        entry = a_grant_entry(
            f"gre_{cause.value}",
            cause=cause,
            amount_minor=400 if cause is grants.Cause.RETURNED else -400,
            left_minor=600,
            ordinal=2,
            invoice=INVOICE if cause in {grants.Cause.APPLIED, grants.Cause.RETURNED} else None,
            credit_note=CREDIT_NOTE if cause is grants.Cause.RETURNED else None,
            into=GrantId("grn_next") if cause is grants.Cause.ROLLED_OVER else None,
        )
        yield Example(f"grant_entry.{cause.value}", grants.GRANT_ENTRY, entry)


def of_payment_methods() -> Iterator[Example]:
    """Yield examples of payment methods."""
    states: tuple[payment_methods.MethodState, ...] = (
        payment_methods.Usable(),
        payment_methods.Refused("stolen_card", LATER),
        payment_methods.Held((DISPUTE, DisputeId("dp_2")), LATER),
        payment_methods.Detached(LATER),
    )
    for state in states:
        method = a_payment_method(f"pm_{_word(state)}", state=state)
        yield Example(f"payment_method.{_word(state)}", payment_methods.PAYMENT_METHOD, method)
    details = payment_methods.MethodDetails("transfer", type="bank_transfer", automatic=False)
    transfer = a_payment_method("pm_transfer", gateway="transfer", details=details)
    yield Example("payment_method.transfer", payment_methods.PAYMENT_METHOD, transfer)


def _full_grant(id: str) -> grants.Grant:
    scope = grants.Scope(
        (ProductId("pro"),), (PriceId("pro_monthly"),), (SUBSCRIPTION,), metered=True
    )
    return a_grant(
        id,
        version=3,
        left_minor=600,
        category=grants.Category.PAID,
        expires_at=LATER,
        priority=7,
        scope=scope,
        rollover=grants.Rollover(50, Money(300, EUR), 90, 3),
        name="Prepaid usage",
        reason="Order 4711",
        origin=GrantId("grn_before"),
        parked="DomainError: looked odd",
    )


def _word(state: payment_methods.MethodState) -> str:
    return type(state).__name__.lower()
