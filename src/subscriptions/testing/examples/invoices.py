"""Examples: invoices with every line and tax, what corrects them, and their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from attrs import evolve

from subscriptions import credit_notes, customers, invoices, number_series, pending_items, pro_forma
from subscriptions.billing_cycles import Period
from subscriptions.discounts import DiscountShare
from subscriptions.ids import CouponId, PriceId, SubscriptionId
from subscriptions.invoice_numbering import Reset, Series
from subscriptions.money import EUR, Money, Rounding
from subscriptions.pricing import EventTotals
from subscriptions.proration import ProrationUnit
from subscriptions.taxes import TaxableLine, TaxBehavior, TaxCategory, TaxFlag, TaxRate, tax_totals
from subscriptions.testing.builders import (
    START,
    a_credit_note,
    a_customer,
    a_draft,
    a_number_series,
    a_pending_item,
    a_pro_forma,
    a_seller,
    an_invoice,
)
from subscriptions.testing.examples.example import (
    COUPON,
    INVOICE,
    LATER,
    PAYMENT,
    QUEBEC,
    SUBSCRIPTION,
    Example,
)


def of_invoices() -> Iterator[Example]:
    """Yield examples of invoices."""
    made = {
        "draft": a_draft("inv_draft"),
        "open": an_invoice("inv_open"),
        "paid": an_invoice("inv_paid", state=invoices.Paid(LATER), paid_minor=3451, version=2),
        "void": an_invoice("inv_void", state=invoices.Void(LATER, "a mistake"), version=2),
        "uncollectible": an_invoice(
            "inv_uncollectible", state=invoices.Uncollectible(LATER, "insolvent"), version=3
        ),
        "collecting": an_invoice("inv_collecting", collecting=PAYMENT, attempts=2),
        "dunning": an_invoice("inv_dunning", dunning=True, paid_minor=1),
        "parked": an_invoice("inv_parked", parked="UnreadableRecord: customer"),
        "every_tax": _with_every_tax(an_invoice("inv_every_tax")),
        "balance": an_invoice("inv_balance", balance_minor=451, activates=True),
        "granted": an_invoice("inv_granted", balance_minor=451, granted_minor=1000),
        "credited": an_invoice("inv_credited", credited_minor=1451),
        "disputed": an_invoice("inv_disputed", disputed=(PAYMENT,), reopened=2, dunning=True),
        "replaced": an_invoice(
            "inv_replaced", state=invoices.Void(LATER, "x"), replaced_by=INVOICE, version=3
        ),
        "replacing": an_invoice(
            "inv_replacing", replaces=INVOICE, sendings=(invoices.Sending(LATER, "a@example.com"),)
        ),
        "sent": an_invoice(
            "inv_sent", collection_method=customers.CollectionMethod.SEND_INVOICE, terms_days=30
        ),
        "small": an_invoice("inv_small", small=True),
        "held": an_invoice("inv_held", held=True),
        "charged_with_small": an_invoice("inv_charged_with_small", charge_at=LATER),
        "several_taxes": _with_several_taxes(an_invoice("inv_several_taxes")),
        "taxing": a_draft(
            "inv_taxing",
            finalize_at=LATER,
            taxing=invoices.Taxing(2, "ConnectionError", gives_back=True),
        ),
        "quoted": an_invoice("inv_quoted", tax_quote="fake:quote-1"),
        "every_line": _with_every_line(a_draft("inv_every_line", finalize_at=LATER)),
    }
    for name, invoice in made.items():
        yield Example(f"invoice.{name}", invoices.INVOICE, invoice)


def of_credit_notes() -> Iterator[Example]:
    """Yield examples of credit notes."""
    yield Example("credit_note", credit_notes.CREDIT_NOTE, a_credit_note())
    every = _with_every_tax(an_invoice())
    paid = evolve(every, paid_minor=every.total_minor, state=invoices.Paid(LATER))
    given_back = Money(paid.total_minor - 300, EUR)
    note = credit_notes.compose(
        paid,
        credit_notes.of_lines(paid, []),
        a_customer(),
        ordinal=2,
        division=credit_notes.divide(
            paid, paid.total, refund=Money(100, EUR), balance=Money(200, EUR), outside=given_back
        ),
        reason="a mistake",
        seller=a_seller(),
        salt="salt",
    )
    sealed = credit_notes.seal(note, number="CN-2", previous_hash="0" * 64, at=LATER).after
    yield Example("credit_note.every_tax", credit_notes.CREDIT_NOTE, sealed)
    taxed = _with_several_taxes(an_invoice())
    amounts = credit_notes.of_lines(taxed, [], {0: Money(500, EUR)})
    part = a_credit_note("cn_several_taxes", lines=amounts.lines, taxes=amounts.taxes)
    part = evolve(
        part,
        net_minor=amounts.net_minor,
        tax_minor=amounts.tax_minor,
        total_minor=amounts.total_minor,
        division=credit_notes.Division(amounts.total_minor, 0, 0, 0),
    )
    part = evolve(part, hash=credit_notes.content_hash(part))
    yield Example("credit_note.several_taxes", credit_notes.CREDIT_NOTE, part)
    granted = credit_notes.Division(3000, 0, 0, 0, 451)
    returned = a_credit_note("cn_granted", division=granted)
    yield Example("credit_note.granted", credit_notes.CREDIT_NOTE, returned)
    yield Example(
        "credit_note.erased",
        credit_notes.CREDIT_NOTE,
        a_credit_note("cn_erased", party=None, salt=""),
    )
    for rounding in Rounding:
        invoice = a_draft(f"inv_{rounding.value}", rounding=rounding)
        yield Example(f"invoice.{rounding.value}", invoices.INVOICE, invoice)


def of_pending_items() -> Iterator[Example]:
    """Yield examples of pending items."""
    states: tuple[pending_items.ItemState, ...] = (
        pending_items.Waiting(),
        pending_items.Invoiced(INVOICE, LATER),
        pending_items.Withdrawn(LATER),
    )
    for state in states:
        word = pending_items.STATUS[type(state)]
        waiting = a_pending_item(f"item_{word}", subscription=SUBSCRIPTION, state=state)
        yield Example(f"pending_item.{word}", pending_items.PENDING_ITEM, waiting)
    taxed = a_pending_item("item_taxed", tax_category="books", tax_rates=QUEBEC)
    yield Example("pending_item.taxed", pending_items.PENDING_ITEM, taxed)
    yield Example("pro_forma", pro_forma.PRO_FORMA, a_pro_forma())
    numbered = a_pro_forma("pf_numbered", number="PF-1")
    yield Example("pro_forma.numbered", pro_forma.PRO_FORMA, numbered)


def of_number_series() -> Iterator[Example]:
    """Yield examples of number series."""
    for reset in Reset:
        series = Series(
            "{prefix}-{customer}-{year}{month}-{counter:03}",
            reset=reset,
            start=10,
            prefix="RE",
            customer="K7",
        )
        stands = a_number_series(f"series_{reset.value}", series=series, last_hash="", last_at=None)
        yield Example(f"number_series.{reset.value}", number_series.NUMBER_SERIES, stands)
    yield Example("number_series.running", number_series.NUMBER_SERIES, a_number_series())


def _with_every_tax(invoice: invoices.Invoice) -> invoices.Invoice:
    rates = [
        TaxRate(Decimal("20.0975"))
        if category is TaxCategory.STANDARD
        else TaxRate(Decimal(0), category)
        if category is TaxCategory.ZERO
        else TaxRate(Decimal(0), category, f"reason {category.value}")
        for category in TaxCategory
    ]
    behaviors = [TaxBehavior.INCLUSIVE, *[TaxBehavior.EXCLUSIVE] * (len(rates) - 1)]
    totals = tax_totals(
        [TaxableLine(1000, r, b) for r, b in zip(rates, behaviors, strict=True)],
        rounding=invoice.rounding,
    )
    lines = tuple(
        invoices.Line(
            f"line {rate.category.value}",
            Decimal("1.50"),
            None,
            1000,
            net_minor,
            EUR,
            rate,
            behavior,
            None,
            None,
        )
        for rate, behavior, net_minor in zip(rates, behaviors, totals.line_nets_minor, strict=True)
    )
    changed = evolve(
        invoice,
        lines=lines,
        taxes=totals.groups,
        net_minor=totals.net_minor,
        tax_minor=totals.tax_minor,
        total_minor=totals.gross_minor,
    )
    return evolve(changed, hash=invoices.content_hash(changed))


def _with_several_taxes(invoice: invoices.Invoice) -> invoices.Invoice:
    """Return an invoice on which a line bears two taxes, and each kind of evidence was missing."""
    charges = [
        invoices.Charge(f"line {flag.value}", 1000, QUEBEC[0], more_rates=QUEBEC[1:], tax_flag=flag)
        for flag in TaxFlag
    ]
    composed = invoices.compose(
        invoice.id, a_customer(), charges, currency=EUR, seller=a_seller(), automatic=False
    )
    changed = evolve(
        invoice,
        lines=composed.lines,
        taxes=composed.taxes,
        net_minor=composed.net_minor,
        tax_minor=composed.tax_minor,
        total_minor=composed.total_minor,
    )
    return evolve(changed, hash=invoices.content_hash(changed))


def _with_every_line(invoice: invoices.Invoice) -> invoices.Invoice:
    """Return a customer's invoice of two subscriptions, on which a line of every kind stands."""
    month, rate = Period(START, date(2027, 2, 28)), TaxRate(Decimal(19))
    rest = Period(date(2027, 2, 10), month.end)
    welcome = DiscountShare(COUPON, "Welcome", 580)
    twice = (welcome, DiscountShare(CouponId("cpn_forever"), "Friend", 232))
    special: dict[invoices.LineKind, dict[str, object]] = {
        invoices.LineKind.PERIOD: {"amount_minor": 2900, "discounts": twice, "phase": 1},
        invoices.LineKind.CREDIT: {
            "amount_minor": -1491,
            "period": rest,
            "part": invoices.Part(-2320, Fraction(10, 28), Fraction(1)),
            "credits": invoices.LineRef(INVOICE, 0),
        },
        invoices.LineKind.DEBIT: {
            "period": rest,
            "part": invoices.Part(1556, Fraction(1, 3), Fraction(1), ProrationUnit.THIRTIETHS, 30),
        },
        invoices.LineKind.USAGE: {
            "usage": invoices.Measured(
                "api_calls", Decimal("1000.5"), 12, before_minor=200, taken_back=1
            ),
        },
        invoices.LineKind.LATE_USAGE: {
            "usage": invoices.Measured(
                "api_calls",
                Decimal(1010),
                13,
                Decimal("1000.5"),
                totals=EventTotals(Decimal("900.5"), 3, 2, 5, 3),
            ),
        },
        invoices.LineKind.TRUE_UP: {
            "part": invoices.Part(2000, Fraction(), Fraction(1, 86_400), ProrationUnit.SECOND),
        },
        invoices.LineKind.SETUP: {"period": None},
        invoices.LineKind.ONE_OFF: {"period": None, "subscription": None, "item": None},
    }
    lines = tuple(
        evolve(
            invoices.Line(
                f"line {kind.value}",
                1,
                None,
                1000,
                1000,
                EUR,
                rate,
                TaxBehavior.EXCLUSIVE,
                month,
                PriceId("price_pro"),
                kind,
                SUBSCRIPTION if place else SubscriptionId("sub_full"),
                place + 1,
            ),
            **special[kind],  # type: ignore[arg-type]  # each is a field of a line
        )
        for place, kind in enumerate(invoices.LineKind)
    )
    lines = tuple(evolve(line, net_minor=line.amount_minor - line.discount_minor) for line in lines)
    totals = tax_totals(
        [TaxableLine(line.net_minor, line.rate, line.behavior) for line in lines],
        rounding=invoice.rounding,
    )
    return evolve(
        invoice,
        subscription=None,
        lines=lines,
        taxes=totals.groups,
        net_minor=totals.net_minor,
        tax_minor=totals.tax_minor,
        total_minor=totals.gross_minor,
    )
