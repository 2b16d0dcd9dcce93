"""Builders: subscriptions, what they have and what is planned."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from subscriptions.billing_cycles import BillingCycle, Interval, Period
from subscriptions.ids import CustomerId, InvoiceId, PriceId, ProductId, SubscriptionId
from subscriptions.invoices import Charge, LineKind, LineRef, Part
from subscriptions.lifecycle import Active, Debit, Item, Planned, PlannedItem, Subscription
from subscriptions.migrations import Migration, migration_id
from subscriptions.money import EUR
from subscriptions.proration import Proration
from subscriptions.taxes import TaxBehavior, TaxRate
from subscriptions.testing.builders.defaults import START, TENANT, changed


def an_item(**changes: object) -> Item:
    """Return one unit of the price, of which the first month is billed."""
    item = Item(PriceId("price_pro"), 1, BillingCycle(START, Interval.months(1)), date(2027, 2, 28))
    return changed(item, changes)


def a_subscription(id: str = "sub_ada", /, **changes: object) -> Subscription:
    """Return a running subscription of which the first month is billed."""
    subscription = Subscription(
        SubscriptionId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        EUR,
        "Europe/Berlin",
        (an_item(),),
        Active(START),
    )
    return changed(subscription, changes)


def a_debit(**changes: object) -> Debit:
    """Return what the item was charged for its first month, all of it still standing."""
    debit = Debit(
        1,
        PriceId("price_pro"),
        Period(START, date(2027, 2, 28)),
        2900,
        TaxRate(Decimal(19)),
        TaxBehavior.EXCLUSIVE,
        0,
        InvoiceId("inv_ada"),
    )
    return changed(debit, changes)


def a_pending_credit(**changes: object) -> Charge:
    """Return a credit of 10.00 EUR for unused time that waits for the next invoice."""
    charge = Charge(
        "Pro",
        -1000,
        TaxRate(Decimal(19)),
        period=Period(date(2027, 2, 18), date(2027, 2, 28)),
        price=PriceId("price_pro"),
        kind=LineKind.CREDIT,
        product=ProductId("prod_pro"),
        subscription=SubscriptionId("sub_ada"),
        item=1,
        part=Part(-2900, Fraction(18, 28), Fraction(1)),
        credits=LineRef(InvoiceId("inv_ada"), 0),
    )
    return changed(charge, changes)


def a_plan(**changes: object) -> Planned:
    """Return a change to five units that takes effect in June."""
    items = (PlannedItem(PriceId("price_pro"), 5, 1),)
    return changed(Planned(date(2027, 6, 1), items, Proration(), cause="seats"), changes)


def a_move(**changes: object) -> Planned:
    """Return a plan of a migration: to the next version of the price in June, told in May."""
    price, to = PriceId("price_pro"), PriceId("price_pro_2")
    move = PlannedItem(to, None, 1, instead_of=price)
    plan = Planned(
        date(2027, 6, 1),
        (move,),
        Proration(mode="none"),
        cause=a_migration().id,
        announce_on=date(2027, 5, 1),
    )
    return changed(plan, changes)


def a_migration(**changes: object) -> Migration:
    """Return a migration to the next version of a price in June."""
    price, to, on = PriceId("price_pro"), PriceId("price_pro_2"), date(2027, 6, 1)
    migration = Migration(migration_id(TENANT, price, to, on), TENANT, 1, price, to, on)
    return changed(migration, changes)
