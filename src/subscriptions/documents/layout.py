"""How a document is set as plain text: its parties, facts and amounts, in lines of 76 characters.

What stands in a document is said by the module of each; so are its words, by `words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from unicodedata import east_asian_width

from babel import Locale

from subscriptions.credit_notes import CreditLine
from subscriptions.customers import Address
from subscriptions.documents.formats import country_text, money_format, percent_text
from subscriptions.documents.words import Words
from subscriptions.invoices import Line, Party, SellerSnapshot
from subscriptions.money import Currency
from subscriptions.taxes import TaxBehavior, TaxCategory, TaxGroup

WIDTH = 76
_AMOUNT_WIDTH = 16


def page(*blocks: Iterable[str]) -> str:
    """Set blocks of lines with an empty line between them; no line is too long."""
    fitting = [[line for each in block for line in broken(each)] for block in blocks]
    return "\n\n".join("\n".join(block) for block in fitting if block) + "\n"


def heading(
    seller: SellerSnapshot | None, title: str, words: Words, locale: Locale
) -> Iterator[str]:
    """Write what a document is, and who sends it."""
    name = "" if seller is None else seller.name
    yield from wrapped(name, title.upper()) if name else (apart("", title.upper()),)
    if seller is None:
        return
    yield from _address(seller.address, locale)
    if seller.tax_id:
        yield f"{words.tax_id} {seller.tax_id}"
    if seller.email:
        yield seller.email


def recipient(party: Party | None, words: Words, locale: Locale) -> Iterator[str]:
    """Write whom a document is for."""
    if party is None:
        return
    if party.company:
        yield party.company
    yield party.name
    yield from _address(party.address, locale)
    if party.tax_id:
        yield f"{words.tax_id} {party.tax_id}"


def facts(pairs: Sequence[tuple[str, str | None]], *, indent: int = 0) -> Iterator[str]:
    """Write names and values below each other; what has no value is left out."""
    shown = [(name, value) for name, value in pairs if value is not None]
    width = max((_columns(name) for name, _ in shown), default=0) + 2
    for name, value in shown:
        yield f"{' ' * indent}{name}{' ' * (width - _columns(name))}{value}"


def taxes(
    groups: Iterable[TaxGroup], currency: Currency, words: Words, locale: Locale
) -> Iterator[str]:
    """Write the tax of each category and rate, and why there is none."""
    write = money_format(locale, currency)
    for group in groups:
        base = words.on_base.format(base=write(group.base_minor))
        name = f"{group.name or words.tax} {percent_text(locale, group.percent)} {base}"
        if group.category is TaxCategory.OUTSIDE_SCOPE:
            yield from broken(words.reason(group.category, group.reason))
            continue
        yield apart(name, write(group.tax_minor))
        if reason := words.reason(group.category, group.reason):
            yield from indented(reason)


def contains_tax(line: Line | CreditLine) -> bool:
    """Return whether the amount of a line, as it is written, contains a tax."""
    if line.behavior is not TaxBehavior.INCLUSIVE:
        return False
    return any(rate.percent for rate in (line.rate, *line.more_rates))


def prices_with_tax(lines: Iterable[Line | CreditLine]) -> tuple[bool, bool]:
    """Return whether tax is in all amounts that bear one, and whether it is in some of them only.

    Of an amount that bears none it is not said that it contains one.
    """
    bearing = [x for x in lines if any(rate.percent for rate in (x.rate, *x.more_rates))]
    inside = sum(map(contains_tax, bearing))
    return 0 < inside == len(bearing), 0 < inside < len(bearing)


def _address(address: Address, locale: Locale) -> Iterator[str]:
    yield from filter(None, (address.line1, address.line2))
    place = " ".join(filter(None, (address.postal_code, address.city, address.region)))
    if place:
        yield place
    if address.country:
        yield country_text(locale, address.country)


def wrapped(text: str, amount: str, *, indent: int = 0) -> Iterator[str]:
    """Break a long description, and set the amount at the end of its first line."""
    margin = " " * indent
    room = WIDTH - indent - max(_columns(amount) + 2, _AMOUNT_WIDTH)
    first, *rest = broken(text, room)
    yield apart(margin + first, amount)
    for each in rest:
        yield margin + each


def indented(text: str) -> Iterator[str]:
    """Break a text that stands under a line, two characters in."""
    for each in broken(text, WIDTH - 2):
        yield f"  {each}"


def broken(text: str, room: int = WIDTH) -> Iterator[str]:
    """Break a text between words, so that each line fits."""
    while text:
        first, text = _cut(text, room)
        yield first


def _cut(text: str, room: int) -> tuple[str, str]:
    if _columns(text) <= room:
        return text, ""
    fits = next(end for end in range(1, len(text)) if _columns(text[: end + 1]) > room)
    at = text.rfind(" ", 0, fits + 1)
    return (
        (text[:at], text[at + 1 :]) if text[:at].strip() and at > 0 else (text[:fits], text[fits:])
    )


def apart(left: str, right: str) -> str:
    """Set two texts at the two ends of a line."""
    gap = WIDTH - _columns(left) - _columns(right)
    return f"{left}{' ' * max(gap, 1)}{right}"


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
