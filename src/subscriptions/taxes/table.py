"""Tables of rates: by country, region and category, each from a day on.

Decided here: which rates are valid at a place for what is sold on a day. Never here: whose place
counts (that is in `treatment`), or the figures of a country.

A *category* is a word for what is sold. Every table knows those of EU law, `CATEGORIES`; others,
such as "books", are the host's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, TypeAlias, cast

from attrs import evolve, field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.taxes.rates import TaxCategory, TaxRate
from subscriptions.taxes.totals import check_rates

STANDARD: Final = "standard"
CATEGORIES: Final = (
    STANDARD,
    "intermediate",
    "reduced",
    "super_reduced",
    "parking",
    "zero",
    "exempt",
    "outside_scope",
)
"""What may be sold in every table; where a country has two reduced rates, "intermediate" is the
higher one. A country that says nothing of a category taxes it at its standard rate."""

EVERYWHERE: Final[Mapping[str, TaxRate]] = {
    "zero": TaxRate(0, TaxCategory.ZERO),
    "exempt": TaxRate(0, TaxCategory.EXEMPT, "Exempt from VAT"),
    "outside_scope": TaxRate(0, TaxCategory.OUTSIDE_SCOPE, "Not subject to VAT"),
}
"""The categories that have a rate in every country, unless the country says another."""

Rates: TypeAlias = TaxRate | tuple[TaxRate, ...]
"""One rate, or several that are charged on the same net."""
DatedRates: TypeAlias = Rates | Mapping[date, Rates]
RatesOfPlace: TypeAlias = DatedRates | Mapping[str, DatedRates]
_Dated: TypeAlias = tuple[tuple[date, tuple[TaxRate, ...]], ...]
_Table: TypeAlias = dict[str, dict[str, _Dated]]

_COUNTRY = re.compile(r"[A-Z]{2}")
_PLACE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,39}")

# For VAT, Greece is EL; Monaco is treated as France and the Isle of Man as the United Kingdom.
_SAME: Final = {"EL": "GR", "UK": "GB", "MC": "FR", "IM": "GB"}


def vat_country(country: str) -> str:
    """Return the country whose VAT counts in a country: ISO's code, of Monaco that of France.

    >>> vat_country("EL"), vat_country("MC"), vat_country("DE")
    ('GR', 'FR', 'DE')
    """
    return _SAME.get(country, country)


def check_category(name: str, category: object) -> str:
    """Return the word of a category, or raise `ValidationError`: lower case, without spaces."""
    if not isinstance(category, str) or not _WORD.fullmatch(category):
        raise ValidationError(name, category, "a word in lower case, such as 'standard'")
    return category


def _read_rate(rates: Rates) -> tuple[TaxRate, ...]:
    several = rates if isinstance(rates, tuple) else (rates,)
    if not several:
        raise ValidationError("rates", rates, "at least one TaxRate")
    check_rates(several)
    return several


def _read_dated(place: str, dated: DatedRates) -> _Dated:
    if not isinstance(dated, Mapping):
        return ((date.min, _read_rate(dated)),)
    for day in dated:
        _check_day("valid_from", day)
    if not dated:
        raise ValidationError("rates", dated, f"at least one rate for {place}")
    return tuple([(day, _read_rate(dated[day])) for day in sorted(dated)])


def _read_rates(rates: Mapping[str, RatesOfPlace]) -> _Table:
    table: _Table = {}
    for place, given in rates.items():
        _check_place(place)
        name = f"GR{place[2:]}" if place[:2] == "EL" else place
        if not isinstance(given, Mapping) or not any(isinstance(key, str) for key in given):
            table[name] = {STANDARD: _read_dated(place, cast("DatedRates", given))}
            continue
        by_category = cast("Mapping[str, DatedRates]", given)
        table[name] = {
            check_category("category", category): _read_dated(place, dated)
            for category, dated in by_category.items()
        }
    return table


@frozen
class TaxRates:
    """Rates of countries and regions, for each category from a day on.

    A place is a country (ISO 3166 alpha-2) or a region of one (ISO 3166-2, as "CA-QC"), which
    counts before its country. It has one rate for ever, or one for each day on which it changed,
    or a mapping from categories to those. Several rates on one net are a tuple. A place that is
    not in the table gets `default`, and is an error where there is none: billing without tax by
    accident costs the seller, so it must be said.

    A table is data and never finished: add what a country decides with `with_rates`.

    Raises `ValidationError` for keys that are no places, words or days, and for what is no rate.

    >>> vat = TaxRates({"DE": {date(2007, 1, 1): TaxRate("19"), date(2020, 7, 1): TaxRate("16"),
    ...                        date(2021, 1, 1): TaxRate("19")}, "FR": TaxRate("20")})
    >>> vat.rate_for("DE", date(2020, 12, 31)).percent
    Decimal('16')
    >>> canada = TaxRates({"CA": TaxRate("5", name="GST"), "CA-QC": (
    ...     TaxRate("5", name="GST"), TaxRate("9.975", name="QST"))})
    >>> [str(rate.percent) for rate in canada.rates_for("CA", date(2027, 1, 1), region="QC")]
    ['5', '9.975']
    """

    rates: _Table = field(converter=_read_rates, hash=False)
    default: TaxRate | None = None
    categories: frozenset[str] = field(init=False, eq=False, repr=False)
    """All words for what is sold that the table knows: a word that it does not know is a slip."""
    _has_regions: bool = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        words = [word for of_place in self.rates.values() for word in of_place]
        object.__setattr__(self, "categories", frozenset([*CATEGORIES, *words]))
        object.__setattr__(self, "_has_regions", any("-" in place for place in self.rates))

    def rate_for(self, country: str | None, on: date) -> TaxRate:
        """Return the standard rate of a country that is valid on the day of supply.

        Of several rates on one net that is the first. Raises as `rates_for` does.

        >>> NO_TAX.rate_for("DE", date(2027, 1, 1)).category
        <TaxCategory.OUTSIDE_SCOPE: 'O'>
        """
        return self.rates_for(country, on)[0]

    def rates_for(
        self, country: str | None, on: date, *, category: str = STANDARD, region: str = ""
    ) -> tuple[TaxRate, ...]:
        """Return the rates of a place for what is sold that are valid on the day of supply.

        `region` is the second part of its ISO 3166-2 code; one that is not in the table counts as
        its country. A category of which a place says nothing has its standard rate there.

        Raises `ValidationError` for a country without a rate where there is no default, for a day
        before its first rate, for a category that the table does not know, and for anything that
        is no country code ("de" is not "DE", and must not fall through to a default).
        """
        _check_day("on", on)
        place = self.rates.get(country) if country is not None else None
        if place is None and country is not None:
            place = self.rates.get(vat_country(country))
        found = None if place is None else place.get(category)
        if self._has_regions and region and country is not None:
            name = f"{vat_country(country)}-{region.strip().upper()}"
            regional = self.rates.get(name)
            if regional is not None:
                place, found = regional, regional.get(category, found)
        if found is not None:
            return _valid_on(found, on, country)
        if country is not None:
            _check_country(country)
        if place is None and self.default is None:
            raise ValidationError("country", country, "a country of the tax table")
        check_known(self, category)
        if place is None:
            return (cast("TaxRate", self.default),)
        if category in EVERYWHERE:
            return (EVERYWHERE[category],)
        standard = place.get(STANDARD)
        if standard is None and country is not None:
            standard = self.rates.get(vat_country(country), {}).get(STANDARD)
        if standard is None:
            raise ValidationError("tax_category", category, f"a category with a rate in {country}")
        return _valid_on(standard, on, country)

    def with_rates(self, place: str, rates: DatedRates, *, category: str = STANDARD) -> TaxRates:
        """Return a table with other rates of a category at a place; all else stays.

        Rates by days are added to those that are there, and replace one of the same day; a rate
        for ever replaces them all. So a change that a country decides is one line of the host's:

        >>> vat = TaxRates({"DE": TaxRate("19")}).with_rates("DE", {date(2027, 7, 1): TaxRate(20)})
        >>> [vat.rate_for("DE", date(2027, month, 1)).percent for month in (6, 7)]
        [Decimal('19'), Decimal('20')]

        Raises `ValidationError` as the table itself does.
        """
        (read,) = _read_rates({place: {category: rates}}).items()
        name, ((_, dated),) = read[0], read[1].items()
        before = self.rates.get(name, {})
        if isinstance(rates, Mapping):
            dated = tuple(sorted({**dict(before.get(category, ())), **dict(dated)}.items()))
        raw = {
            key: {word: dict(entries) for word, entries in of_place.items()}
            for key, of_place in {**self.rates, name: {**before, category: dated}}.items()
        }
        return evolve(self, rates=cast("dict[str, RatesOfPlace]", raw))


def check_known(rates: TaxRates, category: str) -> None:
    """Refuse with a `ValidationError` a word for what is sold that a table does not know.

    A table without places knows any word, for nothing is charged by it.
    """
    if rates.rates and category not in rates.categories:
        words = ", ".join(sorted(rates.categories))
        raise ValidationError("tax_category", category, f"one of {words}")


NO_TAX: Final = TaxRates({}, default=EVERYWHERE["outside_scope"])
"""The table of those who name none: every supply is outside the scope of VAT."""


def _valid_on(dated: _Dated, on: date, country: str | None) -> tuple[TaxRate, ...]:
    for valid_from, rates in reversed(dated):
        if valid_from <= on:
            return rates
    raise ValidationError("on", on, f"a day from {dated[0][0]} on, for {country}")


def _check_country(country: str) -> None:
    if not _COUNTRY.fullmatch(country):
        raise ValidationError("country", country, 'an ISO 3166 code of two capitals such as "DE"')


def _check_place(place: object) -> None:
    if not isinstance(place, str) or not _PLACE.fullmatch(place):
        expected = 'an ISO 3166 code of a country, such as "DE", or of a region, such as "CA-QC"'
        raise ValidationError("country", place, expected)


def _check_day(field: str, day: object) -> None:
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ValidationError(field, day, "a date without a time of day")
