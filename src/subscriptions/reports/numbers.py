"""The audit of numbers: each is there, once, in order, on a document that nobody changed.

All series of all sellers are audited: of invoices and credit notes, one for each customer where
numbers are a customer's own, of numbered pro-forma invoices, and the range of customers' numbers.
Documents of one series form a chain: each was sealed with the hash of the one before it, and the
series keeps the hash of the last. So the chain says in which order they were made final, whatever
their numbers say, and the audit of the numbers is held against that order. An audit finds; it never
repairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TypeAlias

from attrs import evolve

from subscriptions import credit_notes
from subscriptions.credit_notes import CreditNote
from subscriptions.frozen import frozen
from subscriptions.invoice_numbering import Ahead, Double, Finding, Foreign, Gap, Series, audit
from subscriptions.invoices import ChainBreak, Invoice, verify_chain
from subscriptions.number_series import NumberSeries


@frozen
class Link:
    """What the audit needs of one final document: few words, so that a million of them fit."""

    number: str
    hash: str
    previous_hash: str
    finalized_at: datetime
    issued_on: date
    changed: ChainBreak | None
    series: str = ""


@frozen
class NumberFinding:
    """Something wrong with the numbers or the documents of a series; an empty `series` is none."""

    series: str
    finding: Finding | ChainBreak


_Chain: TypeAlias = list[Link]


def link_of_note(note: CreditNote) -> Link | None:
    """Return the link of a credit note, having checked its content; None if it is not sealed."""
    if note.number is None or note.issued_at is None or note.issued_on is None:
        return None
    changed = next(credit_notes.verify_chain([note]), None)
    return Link(
        note.number,
        note.hash,
        note.previous_hash,
        note.issued_at,
        note.issued_on,
        changed,
        note.series,
    )


def link(invoice: Invoice) -> Link | None:
    """Return the link of a final invoice, having checked its content; None for a draft."""
    if invoice.number is None or invoice.finalized_at is None or invoice.issued_on is None:
        return None
    changed = next(verify_chain([invoice]), None)
    return Link(
        invoice.number,
        invoice.hash,
        invoice.previous_hash,
        invoice.finalized_at,
        invoice.issued_on,
        changed,
        invoice.series,
    )


def findings(
    links: Iterable[Link], series: Sequence[NumberSeries], *, openings: Mapping[str, Series]
) -> tuple[NumberFinding, ...]:
    """Return what is wrong with final documents of one kind and their series, or an empty tuple.

    `openings` are the sellers' series as they start, by their ids: one that went on from elsewhere
    begins after its last number there.
    """
    found: list[NumberFinding] = []
    chains = _chains(list(links))
    belonging = _belonging(chains, series)
    for record in series:
        mine = belonging.get(record.id, [])
        found += [NumberFinding(record.id, each) for each in _broken(mine, record)]
        ordered = [each for chain in mine for each in chain]
        numbers = [each.number for each in ordered]
        first = None
        opening = openings.get(record.id)
        if ordered and opening is not None and opening.last_counter is not None:
            first = opening.next(on=ordered[0].issued_on)[1].last_counter
        found += [
            NumberFinding(record.id, each) for each in audit(record.series, numbers, first=first)
        ]
    for chain in belonging.get("", []):
        found += [NumberFinding("", each) for each in _broken([chain], None)]
        found += [
            NumberFinding("", Foreign(each.number, position)) for position, each in enumerate(chain)
        ]
    return tuple(found)


def number_findings(numbers: Sequence[str], record: NumberSeries) -> Iterator[NumberFinding]:
    """Return what is wrong with numbers of papers that are not chained, in the order given."""
    for each in audit(record.series, numbers):
        yield NumberFinding(record.id, each)


def range_findings(
    numbers: Sequence[str], record: NumberSeries, *, opening: Series
) -> Iterator[NumberFinding]:
    """Return which numbers of a range nobody has, and which two have.

    Numbers that were given by hand are nobody's business: they may be ahead of the range, look
    otherwise, and come in any order. One that was changed by hand leaves a gap, to be explained.
    """
    ahead = {each.number for each in audit(record.series, numbers) if isinstance(each, Ahead)}
    first = None
    if opening.last_on is not None:
        first = opening.next(on=opening.last_on)[1].last_counter
    given = [number for number in numbers if number not in ahead]
    for each in audit(record.series, given, first=first):
        if isinstance(each, Gap | Double):
            yield NumberFinding(record.id, each)


def _chains(links: Sequence[Link]) -> list[_Chain]:
    """Follow each chain from its beginning; a sound series is one chain, a broken one several."""
    following: dict[str, list[Link]] = {}
    for each in links:
        following.setdefault(each.previous_hash, []).append(each)
    hashes = {each.hash for each in links}
    heads = [each for each in links if not each.previous_hash or each.previous_hash not in hashes]
    # Where two documents name one predecessor, the second begins a chain of its own.
    for previous, successors in following.items():
        if previous in hashes:
            heads += successors[1:]
    heads.sort(key=lambda each: each.finalized_at)
    return [list(_from(head, following)) for head in heads]


def _from(head: Link, following: dict[str, list[Link]]) -> Iterator[Link]:
    present: Link | None = head
    while present is not None:
        yield present
        successors = following.get(present.hash)
        present = successors[0] if successors else None


def _belonging(chains: Sequence[_Chain], series: Sequence[NumberSeries]) -> dict[str, list[_Chain]]:
    """Say which series each chain belongs to: by its end, else by its name or its numbers' look."""
    known = {each.id for each in series}
    ends: dict[str, str] = {each.last_hash: each.id for each in series if each.last_hash}
    belonging: dict[str, list[_Chain]] = {}
    for chain in chains:
        id = ends.get(chain[-1].hash)
        if id is None and chain[0].series in known:
            id = chain[0].series
        if id is None:
            looks = (record.id for record in series if _fits(record.series, chain[0].number))
            id = next(looks, "")
        belonging.setdefault(id, []).append(chain)
    return belonging


def _fits(series: Series, number: str) -> bool:
    bare = evolve(series, last_counter=None, last_on=None)
    return not any(isinstance(finding, Foreign) for finding in audit(bare, [number]))


def _broken(chains: Sequence[_Chain], series: NumberSeries | None) -> Iterator[ChainBreak]:
    for position, chain in enumerate(chains):
        for each in chain:
            if each.changed is not None:
                yield each.changed
        if chain[0].previous_hash:
            yield ChainBreak(chain[0].number, "the document before it is missing or was changed")
        elif position:
            yield ChainBreak(chain[0].number, "it begins a series that had begun before")
    if series is not None and series.last_hash:
        ends = {chain[-1].hash for chain in chains}
        if series.last_hash not in ends:
            last = chains[-1][-1].number if chains else series.id
            yield ChainBreak(
                last, "the last document of the series is missing, or others follow it"
            )
