"""Reports that read more than a flow should hold: page by page, and only what they need is kept."""

from __future__ import annotations

from typing import TypeVar

from subscriptions.engine.procedures import Procedure, call
from subscriptions.invoices import INVOICE, Seller
from subscriptions.number_series import NUMBER_SERIES
from subscriptions.records import Kind, Record
from subscriptions.reports.numbers import Link, NumberFinding, findings, link
from subscriptions.storage import Query, Reader, Storage, UnitOfWork

R = TypeVar("R", bound=Record)

PAGE = 1000


def audit_numbers(
    storage: Storage, opened: UnitOfWork | None, *, tenant: str, seller: Seller
) -> Procedure[tuple[NumberFinding, ...]]:
    """Audit every final invoice against its series, in one state of the storage.

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
    series = [record for record in stored if "/invoice/" in record.id]
    links: list[Link] = []
    cursor: str | None = None
    while True:
        query = Query(INVOICE, tenant, after=cursor, limit=PAGE)
        page = yield from call(reader.find, query)
        links += [each for each in map(link, page.items) if each is not None]
        cursor = page.next_cursor
        if cursor is None:
            break
    return findings(links, series, opening=seller.invoice_numbers, opening_id=seller.invoice_series)


def _pages(reader: Reader, kind: Kind[R], tenant: str) -> Procedure[list[R]]:
    records: list[R] = []
    cursor: str | None = None
    while True:
        page = yield from call(reader.find, Query(kind, tenant, after=cursor, limit=PAGE))
        records += page.items
        cursor = page.next_cursor
        if cursor is None:
            return records
