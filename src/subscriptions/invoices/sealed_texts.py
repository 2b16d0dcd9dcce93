"""What a seal covers, as one text: every frozen value in its place, and nothing else.

A document that is sealed again after any of these values was changed has another hash. What only
some documents have stands under its name, and takes no place in the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256

from subscriptions.customers import Address
from subscriptions.invoices.invoice import Invoice
from subscriptions.invoices.lines import Line
from subscriptions.invoices.parties import Party, SellerSnapshot
from subscriptions.taxes import TaxGroup, TaxRate

# What separates texts and the parts of a document: no text can hold them.
_UNIT = "\x1f"
_PART = "\x1e"


def sealed_text(
    invoice: Invoice,
    *,
    commitment: str,
    number: str | None,
    finalized_at: datetime | None,
    issued_on: date | None,
    due_on: date | None,
    previous_hash: str,
) -> str:
    """Return what the seal of an invoice covers; of the customer only the `commitment`.

    A billing run seals nearly every record it makes. So what many invoices have in common, the
    seller, the rates and the totals, is written once and remembered.
    """
    seller = "" if invoice.seller is None else _seller(invoice.seller)
    lines = "".join([_line(line) for line in invoice.lines])
    totals = _totals(invoice.taxes, invoice.net_minor, invoice.tax_minor, invoice.total_minor)
    text = (
        f"1{_UNIT}{previous_hash}{_UNIT}{invoice.tenant}{_UNIT}{invoice.id}{_UNIT}{number or ''}"
        f"{_UNIT}{finalized_at!s}{_UNIT}{issued_on!s}{_UNIT}{due_on!s}{_UNIT}{invoice.customer}"
        f"{_UNIT}{invoice.subscription or ''}{_UNIT}{commitment}{_PART}{seller}{_PART}"
        f"{invoice.seller_id}{_UNIT}{invoice.series}{_UNIT}{invoice.currency.code}{_UNIT}"
        f"{invoice.rounding}{lines}{totals}{_UNIT}{invoice.balance_minor}"
    )
    if invoice.replaces is not None:
        text += f"{_PART}replaces{_UNIT}{invoice.replaces}"
    if invoice.granted_minor:
        text += f"{_PART}granted{_UNIT}{invoice.granted_minor}"
    return text


@lru_cache(maxsize=64)
def _seller(seller: SellerSnapshot) -> str:
    return _UNIT.join(seller_texts(seller))


@lru_cache(maxsize=1024)
def _totals(taxes: tuple[TaxGroup, ...], net_minor: int, tax_minor: int, total_minor: int) -> str:
    groups = [
        f"{_PART}{group.category}{_UNIT}{group.percent!s}{_UNIT}{group.reason or ''}{_UNIT}"
        f"{group.base_minor}{_UNIT}{group.tax_minor}"
        for group in taxes
    ]
    names = group_texts(taxes)
    return (
        f"{''.join(groups)}{_UNIT + encode(names) if names else ''}"
        f"{_PART}{net_minor}{_UNIT}{tax_minor}{_UNIT}{total_minor}"
    )


@lru_cache(maxsize=1024)
def _rate(rate: TaxRate) -> str:
    return f"{rate.category}{_UNIT}{rate.percent!s}{_UNIT}{rate.reason or ''}{_UNIT}{rate.name}"


def _line(line: Line) -> str:
    text = (
        f"{_PART}{line.description}{_UNIT}{line.quantity!s}{_UNIT}{line.unit_price!s}{_UNIT}"
        f"{line.amount_minor}{_UNIT}{line.net_minor}{_UNIT}{line.currency.code}{_UNIT}"
        f"{_rate(line.rate)}{_UNIT}{line.behavior}{_UNIT}{line.period!s}{_UNIT}{line.price or ''}"
        f"{_UNIT}{line.product or ''}{_UNIT}{line.kind}{_UNIT}{line.subscription or ''}{_UNIT}"
        f"{line.item!s}{_UNIT}{line.tax_category}"
    )
    if (
        line.discounts
        or line.part is not None
        or line.credits is not None
        or line.usage is not None
        or line.phase is not None
        or line.more_rates
        or line.tax_flag is not None
    ):
        text += _UNIT + encode(_rare_of_line(line))
    return text


def _rare_of_line(line: Line) -> list[object]:
    """Return what only some lines have: each under its name, so that nothing can change places."""
    texts: list[object] = []
    if line.discounts:
        shares = [[each.coupon, each.name, each.amount_minor] for each in line.discounts]
        texts.append(["discounts", shares])
    if line.part is not None:
        part = line.part
        texts.append(["part", part.whole_minor, str(part.begin), str(part.end), part.unit])
        if part.units is not None:
            texts.append(["units", part.units])
    if line.credits is not None:
        texts.append(["credits", line.credits.invoice, line.credits.line])
    if line.usage is not None:
        usage = line.usage
        texts.append(["usage", usage.meter, str(usage.quantity), usage.events, str(usage.before)])
        if usage.before_minor or usage.taken_back:
            texts.append(["usage before", usage.before_minor, usage.taken_back])
        if usage.totals is not None:
            totals = usage.totals
            bounds = [totals.at_minimum, totals.at_maximum]
            events = [str(totals.turnover), totals.with_fixed, totals.free, *bounds]
            texts.append(["event totals", events])
    if line.phase is not None:
        texts.append(["phase", line.phase])
    if line.more_rates:
        rates = [
            [each.category, str(each.percent), each.reason, each.name] for each in line.more_rates
        ]
        texts.append(["more rates", rates])
    if line.tax_flag is not None:
        texts.append(["tax flag", line.tax_flag])
    return texts


def group_texts(groups: Sequence[TaxGroup]) -> list[object]:
    """Return what a seal covers of the names of taxes: nothing for VAT, which has none."""
    names = [[place, group.name] for place, group in enumerate(groups) if group.name]
    return [["tax names", names]] if names else []


def series_texts(seller: str, series: str) -> list[object]:
    """Return what a seal covers of the series of a document: nothing if it names none."""
    return [["seller", seller], ["series", series]] if seller or series else []


def tax_texts(rate: TaxRate, more_rates: Sequence[TaxRate]) -> list[object]:
    """Return what a seal covers of a line's taxes besides its rate: nothing for most lines."""
    texts: list[object] = [["tax name", rate.name]] if rate.name else []
    if more_rates:
        rates = [[each.category, str(each.percent), each.reason, each.name] for each in more_rates]
        texts.append(["more rates", rates])
    return texts


def party_commitment(salt: str, party: Party) -> str:
    """Return the salted SHA-256 of a customer as printed, as hexadecimal digits.

    The texts are joined by a control character that none of them can hold.
    """
    return sha256(_UNIT.join([salt, *party_texts(party)]).encode()).hexdigest()


def _address(address: Address) -> list[str]:
    return [
        address.line1,
        address.line2,
        address.postal_code,
        address.city,
        address.region,
        address.country,
    ]


def seller_texts(seller: SellerSnapshot) -> list[str]:
    """Return what a seal covers of the seller."""
    return [seller.name, *_address(seller.address), seller.tax_id, seller.email, seller.iban]


def party_texts(party: Party) -> list[str]:
    """Return what a seal commits to of the customer."""
    return [
        party.name,
        party.company,
        *_address(party.address),
        party.tax_id,
        party.email or "",
        party.number or "",
        party.language,
    ]


# What is digested is made here, of lists and plain values: nothing can hold itself.
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def digest(content: object) -> str:
    """Return the SHA-256 of lists and plain values, as hexadecimal digits."""
    return sha256(encode(content).encode()).hexdigest()
