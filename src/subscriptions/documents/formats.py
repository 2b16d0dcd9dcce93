"""How amounts, numbers and days are written in a language: by Babel, with the facts of ISO 4217.

CLDR decides where the symbol stands and what separates digits; how many decimals an amount has is
the currency's minor unit, never CLDR's habit of display. Locales are parsed once, and patterns are
kept for each locale and currency, because both cost far more than writing an amount.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import copy
from datetime import date
from decimal import Decimal
from functools import cache
from typing import cast

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal, format_percent, get_currency_symbol

from subscriptions.money import Currency, minor_to_decimal

FALLBACK = "en"


@cache
def locale_of(language: str) -> Locale:
    """Return the locale of a BCP 47 tag, or of its language, or English.

    >>> str(locale_of("pt-BR")), str(locale_of("de-XX")), str(locale_of("tlh"))
    ('pt_BR', 'de', 'en')
    """
    for tag in (language, language.partition("-")[0]):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(FALLBACK)


@cache
def money_format(locale: Locale, currency: Currency) -> Callable[[int], str]:
    r"""Return how minor units of a currency are written.

    >>> money_format(locale_of("en"), Currency("RSD"))(150050)
    'RSD\xa01,500.50'
    """
    write = _amount_format(locale, currency, currency.exponent)
    exponent = currency.exponent
    return lambda minor: write(minor_to_decimal(minor, exponent))


@cache
def price_format(locale: Locale, currency: Currency) -> Callable[[Decimal], str]:
    """Return how a unit price is written: with more decimals than money has, if it needs them.

    >>> price_format(locale_of("en"), Currency("EUR"))(Decimal("0.0005"))
    '€0.0005'
    """

    def write(price: Decimal) -> str:
        _, _, exponent = price.normalize().as_tuple()
        return _amount_format(locale, currency, max(currency.exponent, -int(exponent)))(price)

    return write


@cache
def _amount_format(locale: Locale, currency: Currency, places: int) -> Callable[[Decimal], str]:
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (places, places)
    code = currency.code
    symbol = re.escape(get_currency_symbol(code, locale))
    # CLDR wants a space between letters and digits: "RSD 1,500.50", but "€1,500.50".
    touching = re.compile(rf"(?<={symbol})(?<=[^\W\d_])(?=\d)|(?<=\d)(?={symbol})(?=[^\W\d_])")

    def write(amount: Decimal) -> str:
        text = pattern.apply(amount, locale, currency=code, currency_digits=False)
        return touching.sub("\xa0", text)

    return write


@cache
def day_format(locale: Locale) -> Callable[[date], str]:
    """Return how a day is written: short, but with the year in full."""
    return lambda day: format_date(day, "medium", locale=locale)


def number_text(locale: Locale, number: int | Decimal) -> str:
    """Return a quantity as it is written, with all its decimals."""
    return format_decimal(number, locale=locale, decimal_quantization=False)


def percent_text(locale: Locale, percent: Decimal) -> str:
    """Return a rate in per cent as it is written.

    >>> percent_text(locale_of("en"), Decimal("5.5"))
    '5.5%'
    """
    return format_percent(percent / 100, locale=locale, decimal_quantization=False)


def country_text(locale: Locale, country: str) -> str:
    """Return the name of a country, or its code where there is none."""
    names = cast("Mapping[str, str]", locale.territories)
    return names.get(country, country)
