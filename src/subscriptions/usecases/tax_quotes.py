"""Invoices that wait for a tax engine: what it is asked, and what its answer decides.

With a tax engine no invoice becomes final by itself: it is a draft that is due at once. The engine
is asked between two transactions, and the answer makes the draft final with the rates quoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from attrs import evolve

from subscriptions import invoices
from subscriptions.catalog import PRICE
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Decision, in_turn, left_by
from subscriptions.invoices import INVOICE, Charge, Draft, Invoice, Taxing
from subscriptions.lifecycle import Activate
from subscriptions.tax_quotes import (
    CHANGED,
    TaxAnswer,
    TaxQuote,
    TaxRequest,
    TaxUnavailable,
    flagged,
    quoted,
    request_for,
)
from subscriptions.taxes import TaxRate
from subscriptions.usecases import collection, receivables, settling
from subscriptions.usecases.draft_lines import charges_of, with_charges
from subscriptions.usecases.flows import Context, Flow, Get, GetMany
from subscriptions.usecases.invoices import advance


def request(id: str, context: Context) -> Flow[TaxRequest]:
    """Return what a tax engine is asked about a draft as it is now."""
    invoice = yield from Get(INVOICE, id)
    owner = yield from Get(CUSTOMER, invoice.customer)
    return (yield from _request(invoice, owner, context))


def settle(
    id: str, asked: TaxRequest | None, answer: TaxAnswer, source: str, context: Context
) -> Flow[Decision]:
    """Decide what an answer makes of a draft: it becomes final, or waits.

    An answer to another question than the draft asks by now is dropped.
    """
    invoice = yield from Get(INVOICE, id)
    waiting = invoice.taxing
    if waiting is None or invoice.due_at is None or invoice.due_at > context.at:
        # Somebody was faster; of a draft that got more lines meanwhile, all is due from the start.
        return (yield from advance(id, context))
    owner = yield from Get(CUSTOMER, invoice.customer)
    if (yield from _request(invoice, owner, context)) != asked:
        return _postponed(invoice, waiting, TaxUnavailable(CHANGED), context)
    credited = yield from _credited(invoice)
    if credited is None:
        return _postponed(invoice, waiting, TaxUnavailable("CREDITS_WHAT_WAITS"), context)
    charges = charges_of(invoice)
    match answer:
        case TaxQuote():
            taxed = quoted(charges, answer, credited)
            reference = f"{source}:{answer.reference}"
        case TaxUnavailable():
            if not context.tax_quotes.falls_back(waiting.tries + 1):
                return _postponed(invoice, waiting, answer, context)
            taxed, reference = flagged(charges, credited), ""
        case other:
            assert_never(other)
    ready = evolve(with_charges(invoice, owner, taxed, context), tax_quote=reference)
    return (yield from _issued(ready, owner, taxed, waiting, evolve(context, quotes_tax=False)))


def _request(invoice: Invoice, owner: Customer, context: Context) -> Flow[TaxRequest]:
    charges = charges_of(invoice)
    ids = tuple(dict.fromkeys([line.price for line in charges if line.price is not None]))
    prices = yield from GetMany(PRICE, ids)
    seller = context.seller_of(owner)
    return request_for(
        invoice,
        charges,
        owner,
        seller=seller,
        categories={price.id: price.tax_category for price in prices},
        on=context.today(seller.zone),
    )


def _credited(invoice: Invoice) -> Flow[dict[int, tuple[TaxRate, ...]] | None]:
    """Return how what each credit takes back was taxed; None if that waits for a quote itself."""
    refs = {n: line.credits for n, line in enumerate(invoice.lines) if line.credits is not None}
    ids = tuple(dict.fromkeys([ref.invoice for ref in refs.values()]))
    found = {each.id: each for each in (yield from GetMany(INVOICE, ids))}
    if any(isinstance(each.state, Draft) for each in found.values()):
        return None
    return {n: found[ref.invoice].lines[ref.line].rates for n, ref in refs.items()}


def _postponed(
    invoice: Invoice, waiting: Taxing, answer: TaxUnavailable, context: Context
) -> Decision:
    tries = waiting.tries + 1
    at = max(context.at, context.now) + context.tax_quotes.wait(tries)
    return Decision((invoices.put_off(invoice, tries=tries, reason=answer.reason, until=at),))


def _issued(
    ready: Invoice, owner: Customer, charges: Sequence[Charge], waiting: Taxing, context: Context
) -> Flow[Decision]:
    """Decide to make a draft final, and what had to wait for that."""
    payer = yield from collection.subscription_of(ready)
    sent = ready.sent or collection.is_sent(owner, payer)
    method = None if sent else (yield from collection.method_of(owner, context, payer))
    composed = collection.composed_for(ready, owner, method, context)
    if sent:
        composed = collection.as_sent(composed)
    decision = collection.issue(composed, owner, method, context)
    final = decision.issues[0].after
    assert isinstance(final, Invoice)
    if waiting.gives_back and final.balance_minor < 0:
        for id in final.subscriptions[:1]:
            there = left_by(decision, owner)
            settled = settling.Settled(tuple(charges))
            back = yield from settling.given_back(there, id, final, settled, context)
            decision = in_turn(decision, back)
    if final.activates and final.total_minor <= final.balance_minor + final.granted_minor:
        # Nothing is to be paid after all, so nothing would ever let the subscription begin.
        for id in final.subscriptions:
            decision = yield from receivables.clear_debts(
                id, (Activate(),), context, so_far=decision
            )
    return decision
