"""Composing a credit note, dividing its total, and the seal that makes it final.

Sealing gives the number and the hash that chains the note to its predecessor in the series, as that
of an invoice does. Seller and customer are frozen as they are on the day of the note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from subscriptions.billing_cycles import local_date
from subscriptions.credit_notes.amounts import Amounts
from subscriptions.credit_notes.credit_note import (
    CREDIT_NOTE,
    CreditNote,
    CreditNoteIssued,
    Division,
)
from subscriptions.customers import Customer
from subscriptions.decisions import Change, Issue, created
from subscriptions.errors import ValidationError
from subscriptions.ids import CreditNoteId, InvoiceId, derived_id
from subscriptions.invoices import ChainBreak, Invoice, Seller
from subscriptions.invoices.sealed_texts import (
    digest,
    group_texts,
    party_commitment,
    seller_texts,
    series_texts,
    tax_texts,
)
from subscriptions.invoices.sealing import chain_breaks, party_of
from subscriptions.money import Money
from subscriptions.records import evolve, plain_text


def credit_note_id(tenant: str, invoice: InvoiceId, ordinal: int) -> CreditNoteId:
    """Derive the id of the `ordinal`-th credit note of an invoice."""
    return CreditNoteId(derived_id("cn", tenant, invoice, str(ordinal)))


def divide(
    invoice: Invoice,
    total: Money,
    *,
    refund: Money | None = None,
    balance: Money | None = None,
    outside: Money | None = None,
    earlier: Sequence[CreditNote] = (),
) -> Division:
    """Divide the total of a credit note: what is owed on the invoice first, the rest as asked for.

    The rest was paid. What credit grants paid of it returns to them and is never given out as
    money; `earlier` credit notes of the invoice gave back some of it. Without any of the three, as
    much as the grants paid returns to them, and what is more goes to the balance. With any of them,
    what is not named is zero, and what they leave returns to the grants.

    Raises `ValidationError` for an amount below zero or of another currency, if the three come to
    more than was paid by other means than grants, and if they leave more than grants paid; without
    grants that is unless they add up to the rest.

    >>> from subscriptions.testing.builders import an_invoice
    >>> paid_in_part = an_invoice(paid_minor=2000)
    >>> divide(paid_in_part, paid_in_part.total)
    Division(open_minor=1451, refund_minor=0, balance_minor=2000, outside_minor=0, granted_minor=0)
    """
    open_minor = min(total.minor, invoice.due_minor)
    rest = Money(total.minor - open_minor, invoice.currency)
    parts = {"refund": refund, "balance": balance, "outside": outside}
    given = {name: part for name, part in parts.items() if part is not None}
    for name, part in given.items():
        if not isinstance(part, Money):
            raise ValidationError(name, part, "a Money, such as Money.of('5.00', 'EUR')")
        if part.currency != invoice.currency or part.minor < 0:
            expected = f"an amount in {invoice.currency} of at least zero"
            raise ValidationError(name, str(part), expected)
    divisions = [note.division for note in earlier]
    returnable = invoice.granted_minor - sum([each.granted_minor for each in divisions])
    out = [each.refund_minor + each.balance_minor + each.outside_minor for each in divisions]
    money_minor = invoice.paid_minor + invoice.balance_minor - sum(out)
    if not given:
        given = {"balance": Money(max(rest.minor - returnable, 0), invoice.currency)}
    minors = {name: part.minor for name, part in given.items()}
    least, most = max(rest.minor - returnable, 0), rest.minor
    if returnable:
        most = max(min(rest.minor, money_minor), least)
    if not least <= sum(minors.values()) <= most:
        names = " + ".join(parts)
        together = Money(sum(minors.values()), invoice.currency)
        raise ValidationError(names, together, _expected(invoice, total, rest, least, most))
    return Division(
        open_minor,
        minors.get("refund", 0),
        minors.get("balance", 0),
        minors.get("outside", 0),
        rest.minor - sum(minors.values()),
    )


def _expected(invoice: Invoice, total: Money, rest: Money, least: int, most: int) -> str:
    if least == most == rest.minor:
        return f"{rest}: what of {total} was paid already"
    low, high = Money(least, invoice.currency), Money(most, invoice.currency)
    return f"{low} to {high}: what of {total} was paid already, and not by grants"


def compose(
    invoice: Invoice,
    amounts: Amounts,
    customer: Customer,
    *,
    ordinal: int,
    division: Division,
    reason: str,
    seller: Seller,
    salt: str,
) -> CreditNote:
    """Compose a credit note of a final invoice; version 0, not yet stored.

    Raises `ValidationError` for an empty reason and for an invoice that is not final.
    """
    number, issued_on = invoice.number, invoice.issued_on
    if number is None or issued_on is None:
        raise ValidationError("invoice", invoice.id, "a final invoice")
    return CreditNote(
        credit_note_id(invoice.tenant, invoice.id, ordinal),
        invoice.tenant,
        0,
        invoice.customer,
        invoice.subscription,
        invoice.id,
        number,
        issued_on,
        ordinal,
        invoice.currency,
        amounts.lines,
        amounts.taxes,
        amounts.net_minor,
        amounts.tax_minor,
        amounts.total_minor,
        plain_text("reason", reason),
        seller.zone,
        division,
        seller.snapshot,
        party_of(customer),
        salt,
        seller_id=seller.id,
        series=seller.credit_notes_of(customer.number)[0],
    )


def issue(note: CreditNote, seller: Seller) -> Issue:
    """Return the document to be numbered, in the seller's series of credit notes."""
    number = None if note.party is None else note.party.number
    series, opening = seller.credit_notes_of(number)
    return Issue(CREDIT_NOTE, None, note, series, opening, seller.zone)


def seal(note: CreditNote, *, number: str, previous_hash: str, at: datetime) -> Change:
    """Give a credit note its number, its day and its hash; called with the series locked.

    The hash covers all of it and the hash of the predecessor; of the customer only a salted
    commitment, so that the chain still verifies when salt and customer are erased.
    """
    issued_on = local_date(at, note.zone)
    commitment = _commitment(note)
    after = evolve(
        note,
        version=note.version + 1,
        number=number,
        issued_at=at,
        issued_on=issued_on,
        commitment=commitment,
        previous_hash=previous_hash,
        hash=_hash(
            note,
            commitment=commitment,
            number=number,
            issued_at=at,
            issued_on=issued_on,
            previous_hash=previous_hash,
        ),
    )
    event = CreditNoteIssued(note.id, note.customer, note.invoice, number, note.total)
    return created(CREDIT_NOTE, after, event)


def content_hash(note: CreditNote) -> str:
    """Return the SHA-256 of a sealed credit note, as hexadecimal digits."""
    return _hash(
        note,
        commitment=_commitment(note),
        number=note.number,
        issued_at=note.issued_at,
        issued_on=note.issued_on,
        previous_hash=note.previous_hash,
    )


def verify_chain(notes: Iterable[CreditNote]) -> Iterator[ChainBreak]:
    """Check sealed credit notes of one series, in order: as `invoices.verify_chain` does."""
    return chain_breaks(
        (
            note.number or note.id,
            content_hash(note) == note.hash and _commitment(note) == note.commitment,
            note.previous_hash,
            note.hash,
        )
        for note in notes
    )


def _commitment(note: CreditNote) -> str:
    party = note.party
    return note.commitment if party is None else party_commitment(note.salt, party)


def _hash(
    note: CreditNote,
    *,
    commitment: str,
    number: str | None,
    issued_at: datetime | None,
    issued_on: date | None,
    previous_hash: str,
) -> str:
    division = note.division
    return digest(
        [
            "1",
            "credit_note",
            previous_hash,
            note.tenant,
            note.id,
            number,
            str(issued_at),
            str(issued_on),
            note.customer,
            note.subscription,
            [note.invoice, note.invoice_number, str(note.invoice_issued_on), note.ordinal],
            commitment,
            seller_texts(note.seller),
            note.currency.code,
            note.reason,
            [
                [
                    line.line,
                    line.description,
                    line.amount_minor,
                    line.net_minor,
                    line.currency.code,
                    line.rate.category,
                    str(line.rate.percent),
                    line.rate.reason,
                    line.behavior,
                    line.kind,
                    str(line.period),
                    *tax_texts(line.rate, line.more_rates),
                ]
                for line in note.lines
            ],
            [
                [
                    group.category,
                    str(group.percent),
                    group.reason,
                    group.base_minor,
                    group.tax_minor,
                ]
                for group in note.taxes
            ],
            note.net_minor,
            note.tax_minor,
            note.total_minor,
            [
                division.open_minor,
                division.refund_minor,
                division.balance_minor,
                division.outside_minor,
                *([division.granted_minor] if division.granted_minor else []),
            ],
            *series_texts(note.seller_id, note.series),
            *group_texts(note.taxes),
        ]
    )
