"""Composing an invoice from charges, and the seal that makes it final.

Sealing freezes seller, customer, lines and tax, gives the number and the hash that chains the
document to its predecessor in the series. The arithmetic of tax is in `taxes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from subscriptions.billing_cycles import local_date
from subscriptions.customers import CollectionMethod, Customer
from subscriptions.decisions import Change, Issue
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import InvoiceId, PaymentId, SubscriptionId
from subscriptions.invoices.events import (
    InvoiceDrafted,
    InvoiceFinalized,
    InvoicePaid,
    InvoiceTaxPending,
)
from subscriptions.invoices.invoice import INVOICE, Draft, Invoice, Open, Paid, Taxing
from subscriptions.invoices.lines import Charge, Line
from subscriptions.invoices.parties import Party, Seller
from subscriptions.invoices.sealed_texts import party_commitment, sealed_text
from subscriptions.money import Currency, Money, Rounding
from subscriptions.records import evolve
from subscriptions.taxes import TaxableLine, TaxBehavior, TaxRate, TaxTotals, tax_totals

_SENT, _CHARGED = CollectionMethod.SEND_INVOICE, CollectionMethod.CHARGE_AUTOMATICALLY


def totals_of(charges: Sequence[Charge], *, rounding: Rounding = Rounding.HALF_UP) -> TaxTotals:
    """Return net, tax and total of charges by EN 16931; raises `ValidationError` for none."""
    if len(charges) == 1 and not charges[0].more_rates:
        only = charges[0]
        return _totals_of_one(_taxable(only), only.rate, only.behavior, rounding)
    if not charges:
        raise ValidationError("lines", (), "at least one line")
    return tax_totals(
        [
            TaxableLine(_taxable(each), each.rate, each.behavior, each.more_rates)
            for each in charges
        ],
        rounding=rounding,
    )


# A billing run meets few distinct amounts: most invoices have one line, of one of a few prices.
@lru_cache(maxsize=4096)
def _totals_of_one(
    amount_minor: int, rate: TaxRate, behavior: TaxBehavior, rounding: Rounding
) -> TaxTotals:
    return tax_totals([TaxableLine(amount_minor, rate, behavior)], rounding=rounding)


def compose(
    id: InvoiceId,
    customer: Customer,
    charges: Sequence[Charge],
    *,
    currency: Currency,
    seller: Seller,
    automatic: bool,
    subscription: SubscriptionId | None = None,
    rounding: Rounding = Rounding.HALF_UP,
    may_be_negative: bool = False,
    activates: bool = False,
    sent: bool = False,
) -> Invoice:
    """Compose a draft from charges: lines, tax by EN 16931, totals; version 0, not yet stored.

    `automatic` says that it is charged at once, so that it is due on the day it is issued; `sent`
    that it never is, and `activates` that a subscription waits for it to be paid.

    Raises `ValidationError` for no charges, and for a negative total unless it may be: then the
    customer is owed it.
    """
    totals = totals_of(charges, rounding=rounding)
    if totals.gross_minor < 0 and not may_be_negative:
        raise ValidationError(
            "lines", Money(totals.gross_minor, currency), "lines whose total is not negative"
        )
    lines = tuple(
        [
            Line(
                each.description,
                each.quantity,
                each.unit_price,
                each.amount_minor,
                net_minor,
                currency,
                each.rate,
                each.behavior,
                each.period,
                each.price,
                each.kind,
                each.subscription,
                each.item,
                each.discounts,
                each.part,
                each.credits,
                each.usage,
                each.phase,
                each.product,
                each.more_rates,
                each.tax_flag,
                each.tax_category,
            )
            for each, net_minor in zip(charges, totals.line_nets_minor, strict=True)
        ]
    )
    return Invoice(
        id,
        customer.tenant,
        0,
        customer.id,
        subscription,
        currency,
        lines,
        totals.groups,
        totals.net_minor,
        totals.tax_minor,
        totals.gross_minor,
        rounding,
        seller.zone,
        0 if automatic else terms_of(customer, seller),
        activates=activates,
        collection_method=_SENT if sent else _CHARGED,
    )


def terms_of(customer: Customer, seller: Seller) -> int:
    """Return how many days a customer has who pays by himself: his own terms, or the seller's."""
    return seller.terms_days if customer.terms_days is None else customer.terms_days


def draft(
    invoice: Invoice, *, before: Invoice | None = None, finalize_at: datetime | None = None
) -> Change:
    """Decide to keep a composed invoice as a draft: a new one, or instead of the one `before`.

    With `finalize_at` it becomes final by itself at that instant.
    """
    version = 1 if before is None else before.version + 1
    after = evolve(invoice, version=version, finalize_at=finalize_at)
    return Change(
        INVOICE, before, after, (InvoiceDrafted(invoice.id, invoice.customer, invoice.total),)
    )


def wait_for_quote(invoice: Invoice, *, at: datetime) -> Change:
    """Decide to keep a composed invoice as a draft until a tax engine was asked, which is due now.

    `invoice` is new, or a stored draft with what was changed of it.
    """
    before = invoice if invoice.version else None
    return draft(evolve(invoice, taxing=Taxing()), before=before, finalize_at=at)


def put_off(invoice: Invoice, *, tries: int, reason: str, until: datetime) -> Change:
    """Decide that a draft waits on, because nobody could say how it is taxed."""
    waiting = Taxing() if invoice.taxing is None else invoice.taxing
    after = evolve(
        invoice,
        version=invoice.version + 1,
        taxing=evolve(waiting, tries=tries, reason=reason[:200]),
        finalize_at=until,
    )
    event = InvoiceTaxPending(invoice.id, invoice.customer, reason[:200], tries)
    return Change(INVOICE, invoice, after, (event,))


def finalize(
    invoice: Invoice,
    customer: Customer,
    *,
    seller: Seller,
    salt: str,
    collecting: PaymentId | None = None,
) -> Issue:
    """Decide to make an invoice final: it takes its number when it is committed.

    Freezes seller and customer as they are now. `collecting` names the attempt that is intended
    with it. Raises `InvalidTransition` unless it is a draft.
    """
    if not isinstance(invoice.state, Draft):
        raise InvalidTransition(f"invoice {invoice.id}", invoice.status, "finalize")
    series, opening = seller.invoices_of(customer.number)
    after = evolve(
        invoice,
        seller=seller.snapshot,
        party=party_of(customer),
        zone=seller.zone,
        salt=salt,
        attempts=0 if collecting is None else 1,
        collecting=collecting,
        seller_id=seller.id,
        series=series,
    )
    before = invoice if invoice.version else None
    return Issue(INVOICE, before, after, series, opening, seller.zone)


def party_of(customer: Customer) -> Party:
    """Return a customer as printed on a document of now."""
    return Party(
        customer.name,
        customer.company,
        customer.address,
        customer.tax_id,
        customer.email,
        customer.number,
        customer.language,
    )


def seal(
    invoice: Invoice, *, before: Invoice | None, number: str, previous_hash: str, at: datetime
) -> Change:
    """Give an invoice its number, its dates and its hash; called with the series locked.

    The hash covers all that is frozen and the hash of the predecessor; of the customer only a
    salted commitment, which is kept: the chain still verifies when salt and customer are erased.
    An invoice of which nothing is to be paid, because it is zero or the customer's balance and
    grants cover it, is paid at once.
    """
    issued_on = local_date(at, invoice.zone)
    due_on = issued_on + timedelta(days=invoice.terms_days)
    commitment = _commitment(invoice)
    events: tuple[object, ...] = (
        InvoiceFinalized(
            invoice.id,
            invoice.customer,
            invoice.subscription,
            number,
            invoice.total,
            due_on,
        ),
    )
    settled = invoice.total_minor <= invoice.balance_minor + invoice.granted_minor
    if settled:
        paid = InvoicePaid(
            invoice.id, invoice.customer, invoice.subscription, number, invoice.total
        )
        events = (*events, paid)
    after = evolve(
        invoice,
        version=invoice.version + len(events),
        state=Paid(at) if settled else Open(),
        number=number,
        finalized_at=at,
        issued_on=issued_on,
        due_on=due_on,
        previous_hash=previous_hash,
        commitment=commitment,
        hash=_hash(
            invoice,
            commitment=commitment,
            number=number,
            finalized_at=at,
            issued_on=issued_on,
            due_on=due_on,
            previous_hash=previous_hash,
        ),
    )
    return Change(INVOICE, before, after, events)


def _taxable(charge: Charge) -> int:
    if not charge.discounts:
        return charge.amount_minor
    return charge.amount_minor - sum([share.amount_minor for share in charge.discounts])


def content_hash(invoice: Invoice) -> str:
    """Return the SHA-256 of what is frozen in a final invoice, as hexadecimal digits."""
    return _hash(
        invoice,
        commitment=_commitment(invoice),
        number=invoice.number,
        finalized_at=invoice.finalized_at,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        previous_hash=invoice.previous_hash,
    )


def _hash(
    invoice: Invoice,
    *,
    commitment: str,
    number: str | None,
    finalized_at: datetime | None,
    issued_on: date | None,
    due_on: date | None,
    previous_hash: str,
) -> str:
    return sha256(
        sealed_text(
            invoice,
            commitment=commitment,
            number=number,
            finalized_at=finalized_at,
            issued_on=issued_on,
            due_on=due_on,
            previous_hash=previous_hash,
        ).encode()
    ).hexdigest()


def _commitment(invoice: Invoice) -> str:
    """Return the salted digest of the customer as printed; what is kept of it after an erasure."""
    party = invoice.party
    return invoice.commitment if party is None else party_commitment(invoice.salt, party)


@frozen
class ChainBreak:
    """A document that does not fit: its content was changed, or its predecessor is another."""

    number: str
    finding: str


def verify_chain(invoices: Iterable[Invoice]) -> Iterator[ChainBreak]:
    """Check final invoices of one series, in the order of their finalisation.

    Yields a finding for each document whose content does not give its hash, and for each whose
    predecessor's hash is not the one it was sealed with.
    """
    return chain_breaks(
        (
            invoice.number or invoice.id,
            content_hash(invoice) == invoice.hash and _commitment(invoice) == invoice.commitment,
            invoice.previous_hash,
            invoice.hash,
        )
        for invoice in invoices
    )


def chain_breaks(documents: Iterable[tuple[str, bool, str, str]]) -> Iterator[ChainBreak]:
    """Check a chain of documents: for each its number, whether its seal holds, and both hashes.

    The hashes are that of the document before it, and its own.
    """
    previous: str | None = None
    for number, holds, previous_hash, own_hash in documents:
        if not holds:
            yield ChainBreak(number, "its content was changed after it was sealed")
        if previous is not None and previous_hash != previous:
            yield ChainBreak(number, "it was not sealed after the document before it")
        previous = own_hash
