"""Reports that read more than a flow should hold: page by page, and only what they need is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from subscriptions.credit_notes import CREDIT_NOTE
from subscriptions.engine.procedures import Procedure, call
from subscriptions.invoices import INVOICE, Seller
from subscriptions.number_series import NUMBER_SERIES
from subscriptions.records import Kind, Record
from subscriptions.reports.ledger import BOOKED, Books, Ledger
from subscriptions.reports.numbers import Link, NumberFinding, findings, link, link_of_note
from subscriptions.storage import Query, Reader, Storage, UnitOfWork

R = TypeVar("R", bound=Record)

PAGE = 1000


def audit_numbers(
    storage: Storage, opened: UnitOfWork | None, *, tenant: str, seller: Seller
) -> Procedure[tuple[NumberFinding, ...]]:
    """Audit every final invoice and credit note against its series, in one state of the storage.

    A number that is taken while others are being read would look like a gap, so this is done in a
    unit of work: that of the open transaction, or one of its own, which writes nothing.
    """
    if opened is not None:
        return (yield from _audit(opened, tenant, seller))
    unit = yield from call(storage.begin)
    try:
        return (yield from _audit(unit, tenant, seller))
    finally:
        yield from call(unit.rollback)


def _audit(reader: Reader, tenant: str, seller: Seller) -> Procedure[tuple[NumberFinding, ...]]:
    stored = yield from _pages(reader, NUMBER_SERIES, tenant)
    invoices = findings(
        (yield from _links(reader, INVOICE, link, tenant)),
        [record for record in stored if "/invoice/" in record.id],
        opening=seller.invoice_numbers,
        opening_id=seller.invoice_series,
    )
    notes = findings(
        (yield from _links(reader, CREDIT_NOTE, link_of_note, tenant)),
        [record for record in stored if "/credit_note/" in record.id],
        opening=seller.credit_note_numbers,
        opening_id=seller.credit_note_series,
    )
    return (*invoices, *notes)


def ledger(
    storage: Storage, opened: UnitOfWork | None, *, tenant: str, until: datetime | None
) -> Procedure[Ledger]:
    """Book every record that moves money, in one state of the storage, page by page."""
    if opened is not None:
        return (yield from _books(opened, tenant, until))
    unit = yield from call(storage.begin)
    try:
        return (yield from _books(unit, tenant, until))
    finally:
        yield from call(unit.rollback)


def _books(reader: Reader, tenant: str, until: datetime | None) -> Procedure[Ledger]:
    books = Books(until)
    for kind in BOOKED:
        cursor: str | None = None
        while True:
            page = yield from call(reader.find, Query(kind, tenant, after=cursor, limit=PAGE))
            for record in page.items:
                books.add(record)
            cursor = page.next_cursor
            if cursor is None:
                break
    return books.close()


def _links(
    reader: Reader, kind: Kind[R], link_of: Callable[[R], Link | None], tenant: str
) -> Procedure[list[Link]]:
    """Keep of each page of documents only the links."""
    links: list[Link] = []
    cursor: str | None = None
    while True:
        page = yield from call(reader.find, Query(kind, tenant, after=cursor, limit=PAGE))
        links += [each for each in map(link_of, page.items) if each is not None]
        cursor = page.next_cursor
        if cursor is None:
            return links


def _pages(reader: Reader, kind: Kind[R], tenant: str) -> Procedure[list[R]]:
    records: list[R] = []
    cursor: str | None = None
    while True:
        page = yield from call(reader.find, Query(kind, tenant, after=cursor, limit=PAGE))
        records += page.items
        cursor = page.next_cursor
        if cursor is None:
            return records
