"""Reports that read more than a flow should hold: page by page, and only what they need is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from subscriptions.billing_cycles import Period
from subscriptions.credit_notes import CREDIT_NOTE
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.engine.procedures import Procedure, call
from subscriptions.errors import ValidationError
from subscriptions.invoices import INVOICE, Seller
from subscriptions.number_series import NUMBER_SERIES, NumberSeries
from subscriptions.pro_forma import PRO_FORMA, ProForma
from subscriptions.records import Kind, Record
from subscriptions.reports.audit import Audit
from subscriptions.reports.ledger import BOOKED, Books, Ledger
from subscriptions.reports.numbers import (
    NumberFinding,
    findings,
    link,
    link_of_note,
    number_findings,
    range_findings,
)
from subscriptions.reports.oss import Shop
from subscriptions.reports.tax import TaxBooks, TaxReport
from subscriptions.storage import Query, Reader, UnitOfWork

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine

R = TypeVar("R", bound=Record)
T = TypeVar("T")

PAGE = 1000


def audit_numbers(engine: Engine) -> Procedure[tuple[NumberFinding, ...]]:
    """Audit all that has a number against its series: gaps, doubles and changes."""
    sellers = (engine.seller, *engine.sellers.values())
    return (yield from _in_one_state(engine, lambda unit: _audit(unit, engine.tenant, sellers)))


def ledger(engine: Engine, until: date | datetime | None) -> Procedure[Ledger]:
    """Book every record that moves money, page by page."""
    instant = None if until is None else engine.instant(until)
    return (yield from _in_one_state(engine, lambda unit: _books(unit, engine.tenant, instant)))


def audit(engine: Engine) -> Procedure[Audit]:
    """Audit numbers and ledger in one state of the books."""
    sellers = (engine.seller, *engine.sellers.values())

    def both(unit: UnitOfWork) -> Procedure[Audit]:
        numbers = yield from _audit(unit, engine.tenant, sellers)
        books = yield from _books(unit, engine.tenant, None)
        return Audit(numbers, books.differences, books.unbalanced)

    return (yield from _in_one_state(engine, both))


def tax_report(engine: Engine, period: Period) -> Procedure[TaxReport]:
    """Add up the tax of all documents of a period, page by page."""
    given: object = period
    if not isinstance(given, Period):
        raise ValidationError("period", given, "a Period, from its first day to the day after")
    books = TaxBooks(period, Shop(engine.taxes))
    return (yield from _in_one_state(engine, lambda unit: _taxed(unit, books, engine.tenant)))


def _in_one_state(engine: Engine, report: Callable[[UnitOfWork], Procedure[T]]) -> Procedure[T]:
    """Read all of a report in one unit of work, which writes nothing.

    A number that is taken while others are being read would look like a gap. It is the unit of the
    open transaction, or one of its own.
    """
    opened = engine.unit
    if opened is not None:
        return (yield from report(opened))
    unit = yield from call(engine.storage.begin)
    try:
        return (yield from report(unit))
    finally:
        yield from call(unit.rollback)


def _audit(
    reader: Reader, tenant: str, sellers: Sequence[Seller]
) -> Procedure[tuple[NumberFinding, ...]]:
    stored: dict[str, list[NumberSeries]] = {}
    for record in (yield from _pages(reader, NUMBER_SERIES, tenant)):
        # seller/kind/pattern, and a customer's number behind that
        stored.setdefault(record.id.split("/", 2)[1], []).append(record)
    found = findings(
        (yield from _kept(reader, INVOICE, link, tenant)),
        stored.get("invoice", []),
        openings={each.invoice_series: each.invoice_numbers for each in sellers},
    )
    found += findings(
        (yield from _kept(reader, CREDIT_NOTE, link_of_note, tenant)),
        stored.get("credit_note", []),
        openings={each.credit_note_series: each.credit_note_numbers for each in sellers},
    )
    if "pro_forma" in stored:
        given: dict[str, list[str]] = {}
        for series, number in (yield from _kept(reader, PRO_FORMA, _series_and_number, tenant)):
            given.setdefault(series, []).append(number)
        for record in stored["pro_forma"]:
            found += tuple(number_findings(given.get(record.id, []), record))
    if "customer" in stored:
        numbers = yield from _kept(reader, CUSTOMER, _number, tenant)
        ranges = {each.customer_series: each.customer_numbers for each in sellers}
        for record in stored["customer"]:
            if record.id in ranges:
                found += tuple(range_findings(numbers, record, opening=ranges[record.id]))
    return found


def _taxed(reader: Reader, books: TaxBooks, tenant: str) -> Procedure[TaxReport]:
    # What was issued before the period may have been declared void in it.
    until = ("issued_on", books.period.end - timedelta(days=1))
    yield from _each(reader, Query(INVOICE, tenant, until=until, limit=PAGE), books.add)
    yield from _each(reader, Query(CREDIT_NOTE, tenant, until=until, limit=PAGE), books.add)
    return books.close()


def _books(reader: Reader, tenant: str, until: datetime | None) -> Procedure[Ledger]:
    books = Books(until)
    for kind in BOOKED:
        yield from _each(reader, Query(kind, tenant, limit=PAGE), books.add)
    return books.close()


def _series_and_number(pro_forma: ProForma) -> tuple[str, str] | None:
    return None if pro_forma.number is None else (pro_forma.series, pro_forma.number)


def _number(customer: Customer) -> str | None:
    return customer.number


def _kept(
    reader: Reader, kind: Kind[R], keep: Callable[[R], T | None], tenant: str
) -> Procedure[list[T]]:
    """Keep of each page of records only what the audit needs."""
    kept: list[T] = []

    def take(record: R) -> None:
        wanted = keep(record)
        if wanted is not None:
            kept.append(wanted)

    yield from _each(reader, Query(kind, tenant, limit=PAGE), take)
    return kept


def _pages(reader: Reader, kind: Kind[R], tenant: str) -> Procedure[list[R]]:
    records: list[R] = []
    yield from _each(reader, Query(kind, tenant, limit=PAGE), records.append)
    return records


def _each(reader: Reader, query: Query[R], take: Callable[[R], object]) -> Procedure[None]:
    """Hand over every record of a query, of which never more than a page is held."""
    while True:
        page = yield from call(reader.find, query)
        for record in page.items:
            take(record)
        if page.next_cursor is None:
            return
        query = evolve(query, after=page.next_cursor)
