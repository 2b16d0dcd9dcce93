"""Whose money a line of a statement is: proposals with their reasons, the likeliest first.

Decided here: what a line names, what its amount fits, who sent it, and how sure that makes. A line
is exact only if it names owed invoices of one customer and brings what they come to, to the cent;
everything else is for a person. Never here: what is booked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from attrs import field

from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, InvoiceId
from subscriptions.money import Currency
from subscriptions.payment_references import KnownNumbers, known_numbers, references_in
from subscriptions.statements.line import StatementLine

PROPOSALS_MAX = 10
"""How many proposals a person is shown for one line."""


class Reason(StrEnum):
    """What speaks for a proposal."""

    REFERENCE = "reference"
    """It holds the RF reference of the invoice."""
    NUMBER = "number"
    """It holds the number of the invoice."""
    AMOUNT = "amount"
    """It brings exactly what is owed."""
    NAME = "name"
    """Who sent it has the customer's name."""
    IBAN = "iban"
    """The customer has paid from this account before."""


class Confidence(StrEnum):
    """How sure a proposal is, the surest first."""

    EXACT = "exact"
    """It names the invoices, and brings what they come to."""
    NAMED = "named"
    """It names the invoices, but brings another amount, or names those of several customers."""
    AMOUNT_AND_PAYER = "amount_and_payer"
    AMOUNT = "amount"


@frozen
class Candidate:
    """An invoice that a line may pay. `names` are the customer's and his company's.

    One that was `given_up` is paid by who names it; nothing else speaks for it.
    """

    invoice: InvoiceId
    customer: CustomerId
    number: str
    reference: str
    due_minor: int
    currency: Currency
    names: tuple[str, ...] = ()
    given_up: bool = False


@frozen
class Proposal:
    """A customer whose money it may be, the invoices that it may pay, and why."""

    customer: CustomerId
    invoices: tuple[InvoiceId, ...]
    confidence: Confidence
    reasons: tuple[Reason, ...]


@frozen
class Candidates:
    """Open invoices, to be found by what a line says. Made by `candidates`."""

    by_reference: Mapping[str, Sequence[Candidate]] = field(repr=False)
    by_number: Mapping[str, Sequence[Candidate]] = field(repr=False)
    by_amount: Mapping[tuple[str, int], Sequence[Candidate]] = field(repr=False)
    by_customer: Mapping[tuple[str, str], Sequence[Candidate]] = field(repr=False)
    numbers: KnownNumbers = field(repr=False)


def candidates(found: Iterable[Candidate]) -> Candidates:
    """Return what finds these invoices; those of which nothing is owed are left out."""
    by_reference: dict[str, list[Candidate]] = {}
    by_number: dict[str, list[Candidate]] = {}
    by_amount: dict[tuple[str, int], list[Candidate]] = {}
    by_customer: dict[tuple[str, str], list[Candidate]] = {}
    for each in found:
        if each.due_minor <= 0:
            continue
        code = each.currency.code
        by_reference.setdefault(each.reference, []).append(each)
        by_number.setdefault(each.number, []).append(each)
        if each.given_up:
            continue
        by_amount.setdefault((code, each.due_minor), []).append(each)
        by_customer.setdefault((code, each.customer), []).append(each)
    return Candidates(by_reference, by_number, by_amount, by_customer, known_numbers(by_number))


def propose(
    line: StatementLine,
    among: Candidates,
    *,
    paid_before: frozenset[CustomerId] = frozenset(),
) -> tuple[Proposal, ...]:
    """Return whose money a line may be, the likeliest first; at most `PROPOSALS_MAX`.

    `paid_before` are the customers who have paid from the same account. Money that went out is
    nobody's.
    """
    if line.amount.minor <= 0:
        return ()
    found = _of_named(line, among, paid_before)
    if not found:
        found = _of_amount(line, among, paid_before)
    order = [*Confidence]
    found.sort(key=lambda each: (order.index(each.confidence), -len(each.reasons)))
    return tuple(found[:PROPOSALS_MAX])


def _of_named(
    line: StatementLine, among: Candidates, paid_before: frozenset[CustomerId]
) -> list[Proposal]:
    code = line.amount.currency.code
    text = f"{line.reference}\n{line.text}"
    hits = [(Reason.REFERENCE, among.by_reference.get(x, ())) for x in references_in(text)]
    hits += [(Reason.NUMBER, among.by_number[number]) for number in among.numbers.named_in(text)]
    hits = [(why, [x for x in those if x.currency.code == code]) for why, those in hits]
    # One number of two sellers, say: nobody may guess which of them is meant.
    sure = all(len(those) < 2 for _, those in hits)  # noqa: PLR2004 - more than one
    reasons: dict[InvoiceId, set[Reason]] = {}
    invoices: dict[CustomerId, dict[InvoiceId, Candidate]] = {}
    for why, those in hits:
        for each in those:
            reasons.setdefault(each.invoice, set()).add(why)
            invoices.setdefault(each.customer, {})[each.invoice] = each
    found: list[Proposal] = []
    for customer, named in invoices.items():
        speaks = {why for id in named for why in reasons[id]}
        due_minor = sum([each.due_minor for each in named.values()])
        fits = due_minor == line.amount.minor
        exact = sure and fits and len(invoices) == 1
        speaks |= {Reason.AMOUNT} if fits else set()
        speaks |= _payer(line, customer, [*named.values()], paid_before)
        confidence = Confidence.EXACT if exact else Confidence.NAMED
        found.append(Proposal(customer, tuple(named), confidence, _in_order(speaks)))
    return found


def _of_amount(
    line: StatementLine, among: Candidates, paid_before: frozenset[CustomerId]
) -> list[Proposal]:
    code, minor = line.amount.currency.code, line.amount.minor
    wanted = [[each] for each in among.by_amount.get((code, minor), ())]
    for customer in sorted(paid_before):
        # Somebody who is known may pay all that he owes at once.
        owed = [*among.by_customer.get((code, customer), ())]
        if len(owed) > 1 and sum([each.due_minor for each in owed]) == minor:
            wanted.append(owed)
    found: list[Proposal] = []
    for those in wanted:
        customer = those[0].customer
        payer = _payer(line, customer, those, paid_before)
        confidence = Confidence.AMOUNT_AND_PAYER if payer else Confidence.AMOUNT
        ids = tuple([each.invoice for each in those])
        found.append(Proposal(customer, ids, confidence, _in_order({Reason.AMOUNT} | payer)))
    return found


def _payer(
    line: StatementLine,
    customer: CustomerId,
    those: Sequence[Candidate],
    paid_before: frozenset[CustomerId],
) -> set[Reason]:
    speaks: set[Reason] = set()
    if customer in paid_before:
        speaks.add(Reason.IBAN)
    if any(same_name(line.name, name) for each in those for name in each.names):
        speaks.add(Reason.NAME)
    return speaks


def _in_order(reasons: set[Reason]) -> tuple[Reason, ...]:
    return tuple([each for each in Reason if each in reasons])


# What stands beside a name and does not make it another one.
_ADDITIONS = frozenset(
    re.findall(
        r"[a-z]+",
        "herr frau mr mrs ms dr prof und and or oder gmbh ag ug kg ohg gbr co ev eg se mbh ltd"
        " limited llc inc corp plc sa sarl srl spa bv nv oy ab as",
    )
)


def same_name(one: str, other: str) -> bool:
    """Return whether two names may be of one payer, as banks write them.

    Capital letters, accents, titles, legal forms and the order of words make no difference; one may
    have further words if the other has two at least.

    >>> same_name("MUELLER, JOERG DR.", "Jörg Müller"), same_name("Ada", "Ada Lovelace")
    (True, False)
    """
    first, second = _words(one), _words(other)
    fewer = min(first, second, key=len)
    if not fewer:
        return False
    return first == second or (len(fewer) > 1 and fewer == first & second)


def _words(name: str) -> frozenset[str]:
    plain = "".join(
        [each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each)]
    )
    folded = re.sub(r"([aou])e", r"\1", plain.casefold())
    return frozenset(re.findall(r"[^\W_]+", folded)) - _ADDITIONS
