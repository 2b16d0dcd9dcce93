"""Invoicing: how charges of a subscription come on an invoice, and where that invoice goes.

Its own, or the one of the customer's day; final at once, or a draft while nothing is collected. A
bill that is far off the usual is not made: the account waits for a person.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define

from subscriptions import invoices
from subscriptions.customers import Customer, Grouping
from subscriptions.decisions import Decision
from subscriptions.errors import SafetyStop
from subscriptions.ids import InvoiceId, derived_id
from subscriptions.invoices import INVOICE, Charge, Draft, Invoice
from subscriptions.lifecycle import Subscription, Unpaid
from subscriptions.payment_methods import PaymentMethod
from subscriptions.records import evolve
from subscriptions.usecases import collection
from subscriptions.usecases.flows import Context, Flow, Maybe

_DAY_INVOICES_MAX = 1000


@define
class Place:
    """Where charges go: the invoice, and how many lines it has before them."""

    invoice: InvoiceId
    first_line: int = 0
    group: Invoice | None = None
    """The draft of the customer's day, if it is there already."""


def place_for(
    subscription: Subscription,
    owner: Customer,
    context: Context,
    *cycle: str,
    alone: bool = False,
) -> Flow[Place]:
    """Return where the charges of a subscription go: `cycle` is what makes the invoice this one.

    `alone` asks for an invoice of its own, though the customer's invoices may be grouped.
    """
    own = own_place(subscription, owner, *cycle, alone=alone)
    return own if own is not None else (yield from place_of_day(subscription, owner, context))


def own_place(
    subscription: Subscription, owner: Customer, *cycle: str, alone: bool = False
) -> Place | None:
    """Return the subscription's own invoice; None if the customer's invoices are grouped."""
    if alone or owner.grouping is Grouping.EACH or keeps_drafts(subscription):
        return Place(InvoiceId(derived_id("inv", subscription.tenant, subscription.id, *cycle)))
    return None


def place_of_day(subscription: Subscription, owner: Customer, context: Context) -> Flow[Place]:
    """Return the customer's invoice of the day and currency, for all his subscriptions.

    Once that is final, what comes later that day goes on the next.
    """
    day, currency = context.today(subscription.zone), subscription.currency.code
    for ordinal in range(_DAY_INVOICES_MAX):
        identity = (owner.tenant, owner.id, "day", str(day), currency, str(ordinal))
        id = InvoiceId(derived_id("inv", *identity))
        found = yield from Maybe(INVOICE, id)
        if found is None:
            return Place(id)
        if isinstance(found.state, Draft):
            return Place(id, len(found.lines), found)
    raise SafetyStop(owner.id, f"more than {_DAY_INVOICES_MAX} invoices on {day}")


def keeps_drafts(subscription: Subscription) -> bool:
    """Return whether its invoices stay drafts for now: nothing is to be collected."""
    pause = subscription.pause
    return isinstance(subscription.collection, Unpaid) or (pause is not None and not pause.collect)


def invoice(
    place: Place,
    subscription: Subscription,
    owner: Customer,
    charges: Sequence[Charge],
    context: Context,
    *,
    method: PaymentMethod | None,
    activates: bool = False,
    collect: bool = True,
    alone: bool = False,
) -> Decision:
    """Decide to invoice charges: on the customer's balance, by his method, or as a draft.

    `activates` says that the subscription waits for it to be paid, `collect` whether it is final,
    `alone` that it is not grouped with what else is due that day.
    """
    drafted = not collect or keeps_drafts(subscription)
    grouped = owner.grouping is Grouping.DAY and not alone and not keeps_drafts(subscription)
    if not drafted and not grouped:
        return collection.issue_new(
            place.invoice,
            owner,
            charges,
            method,
            context,
            currency=subscription.currency,
            subscription=subscription.id,
            activates=activates,
        )
    composed = invoices.compose(
        place.invoice,
        owner,
        charges if place.group is None else [*_charges_of(place.group), *charges],
        currency=subscription.currency,
        seller=context.seller,
        automatic=method is not None,
        subscription=None if grouped else subscription.id,
        may_be_negative=True,
    )
    if activates:
        composed = evolve(composed, activates=True)
    if drafted:
        return Decision((invoices.draft(composed, before=place.group),))
    return Decision((invoices.draft(composed, before=place.group, finalize_at=context.at),))


def _charges_of(draft: Invoice) -> list[Charge]:
    """Return what a draft was composed from; the product is not asked for any more."""
    return [
        Charge(
            line.description,
            line.amount_minor,
            line.rate,
            line.behavior,
            line.quantity,
            line.unit_price,
            line.period,
            line.price,
            line.kind,
            None,
            line.subscription,
            line.item,
            line.discounts,
            line.part,
            line.credits,
            line.usage,
            line.phase,
        )
        for line in draft.lines
    ]


def check_safe(subscription: Subscription, charges: Sequence[Charge], context: Context) -> None:
    """Raise `SafetyStop` for a bill that no person would believe without a look.

    That is one of more lines than the bound, or one that comes to a multiple of what the same items
    came to last time. The first bill of an item has nothing to be compared with.
    """
    safety = context.safety
    if safety is None:
        return
    if len(charges) > safety.lines_max:
        raise SafetyStop(subscription.id, f"{len(charges)} lines, at most {safety.lines_max}")
    if safety.times_usual is None:
        return
    least = safety.least_amount * 10**subscription.currency.exponent
    if sum([charge.amount_minor for charge in charges]) <= least:
        return
    last = {item.number: item.last_minor for item in subscription.items if item.last_minor > 0}
    usual = sum(last.values())
    now = sum([charge.amount_minor for charge in charges if charge.item in last])
    if usual and now > least and now > safety.times_usual * usual:
        raise SafetyStop(
            subscription.id, f"{now} minor units, where {usual} were usual: look, then release it"
        )
