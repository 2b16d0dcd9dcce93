"""Invoicing: how charges of a subscription come on an invoice, and where that invoice goes.

Its own, or the one of the customer's day; final at once, or a draft while nothing is collected. A
bill that is far off the usual is not made: the account waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from attrs import define

from subscriptions import invoices
from subscriptions.customers import Customer, Grouping
from subscriptions.decisions import Decision, in_turn
from subscriptions.errors import SafetyStop
from subscriptions.ids import InvoiceId, derived_id
from subscriptions.invoices import INVOICE, Charge, Draft, Invoice
from subscriptions.lifecycle import Subscription, Unpaid
from subscriptions.payment_methods import PaymentMethod
from subscriptions.usecases import collection
from subscriptions.usecases.draft_lines import charges_of
from subscriptions.usecases.flows import Context, Flow, Maybe
from subscriptions.usecases.pending_items import take

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
    made: Mapping[str, Invoice],
    *cycle: str,
    alone: bool = False,
) -> Flow[Place]:
    """Return where the charges of a subscription go: `cycle` is what makes the invoice this one.

    `alone` asks for an invoice of its own, though the customer's invoices may be grouped; `made`
    are those of the same decision.
    """
    own = own_place(subscription, owner, *cycle, alone=alone)
    if own is not None:
        return own
    return (yield from place_of_day(subscription, owner, context, made))


def own_place(
    subscription: Subscription, owner: Customer, *cycle: str, alone: bool = False
) -> Place | None:
    """Return the subscription's own invoice; None if the customer's invoices are grouped."""
    if alone or owner.grouping is Grouping.EACH or _is_alone(subscription):
        return Place(InvoiceId(derived_id("inv", subscription.tenant, subscription.id, *cycle)))
    return None


def place_of_day(
    subscription: Subscription, owner: Customer, context: Context, made: Mapping[str, Invoice]
) -> Flow[Place]:
    """Return the customer's invoice of the day and currency, for all his subscriptions.

    Once that is final, what comes later that day goes on the next.
    """
    day, currency = context.today(subscription.zone), subscription.currency.code
    for ordinal in range(_DAY_INVOICES_MAX):
        identity = (owner.tenant, owner.id, "day", str(day), currency, str(ordinal))
        id = InvoiceId(derived_id("inv", *identity))
        found = made.get(id) or (yield from Maybe(INVOICE, id))
        if found is None:
            return Place(id)
        if isinstance(found.state, Draft):
            return Place(id, len(found.lines), found)
    raise SafetyStop(owner.id, f"more than {_DAY_INVOICES_MAX} invoices on {day}")


def keeps_drafts(subscription: Subscription) -> bool:
    """Return whether its invoices stay drafts for now: nothing is to be collected."""
    pause = subscription.pause
    return isinstance(subscription.collection, Unpaid) or (pause is not None and not pause.collect)


def _is_alone(subscription: Subscription) -> bool:
    """Return whether its invoices are its own: they stay drafts, or are paid in another way."""
    return subscription.pays_its_own_way or keeps_drafts(subscription)


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
    renews: bool = False,
) -> Flow[Decision]:
    """Decide to invoice charges: on the customer's balance, by his method, or as a draft.

    `activates` says that the subscription waits for it to be paid, `collect` whether it is final,
    `alone` that nothing else comes on it: neither what is due that day nor what waits. What
    `renews` stays a draft first if the seller looks at his drafts.
    """
    drafted = not collect or keeps_drafts(subscription)
    grouped = owner.grouping is Grouping.DAY and not alone and not _is_alone(subscription)
    window_hours = context.seller_of(owner).draft_window_hours if renews else 0
    final = not drafted and not grouped and not window_hours
    there, taken = owner, Decision()
    if final and owner.pending_items and not alone:
        waiting = yield from take(
            owner,
            place.invoice,
            context,
            currency=subscription.currency,
            subscriptions=(subscription.id,),
        )
        there, taken = waiting.owner, Decision(waiting.changes)
        charges = [*charges, *waiting.charges]
    composed = invoices.compose(
        place.invoice,
        there,
        charges if place.group is None else [*charges_of(place.group), *charges],
        currency=subscription.currency,
        seller=context.seller_of(owner),
        automatic=method is not None,
        subscription=None if grouped else subscription.id,
        rounding=context.rounding if place.group is None else place.group.rounding,
        may_be_negative=True,
        activates=activates,
        sent=final and collection.is_sent(owner, subscription),
    )
    if final:
        issued = collection.issue(composed, there, method, context)
        return issued if not taken.changes else in_turn(taken, issued)
    if drafted:
        return Decision((invoices.draft(composed, before=place.group),))
    # Whoever comes later that day does not put off what is there.
    there_at = None if place.group is None else place.group.finalize_at
    finalize_at = there_at or context.at + timedelta(hours=window_hours)
    return Decision((invoices.draft(composed, before=place.group, finalize_at=finalize_at),))


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
