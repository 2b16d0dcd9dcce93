"""Tables of rates: places, categories and days; and the figures of the EU."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from subscriptions.errors import ValidationError
from subscriptions.taxes import (
    CATEGORIES,
    EU_COUNTRIES,
    EU_VAT,
    NO_TAX,
    TaxCategory,
    TaxRate,
    TaxRates,
    check_known,
)
from subscriptions.taxes.europe import AS_OF, FIGURES
from subscriptions.taxes.table import DatedRates

Wrong: TypeAlias = Any

DAY = date(2026, 6, 1)
GST, QST = TaxRate(5, name="GST"), TaxRate("9.975", name="QST")
OUTSIDE = TaxRate(0, TaxCategory.OUTSIDE_SCOPE, "Not registered there")
GERMANY: dict[str, DatedRates] = {
    "standard": {date(2007, 1, 1): TaxRate(19), date(2020, 7, 1): TaxRate(16)},
    "books": TaxRate(7),
}
TABLE = TaxRates(
    {
        "DE": GERMANY,
        "FR": TaxRate(20),
        "CA": GST,
        "CA-QC": (GST, QST),
        "CA-YT": {"books": TaxRate(3)},
        "US-NY": TaxRate(4),
        "LU": {"books": TaxRate(3)},
    },
    default=OUTSIDE,
)


@pytest.mark.parametrize(
    ("country", "region", "category", "percents"),
    [
        ("DE", "", "standard", "16"),
        ("DE", "", "books", "7"),
        ("DE", "BY", "books", "7"),
        ("FR", "", "books", "20"),
        ("MC", "", "standard", "20"),
        ("CA", "", "standard", "5"),
        ("CA", "BC", "standard", "5"),
        ("CA", "QC", "standard", "5 9.975"),
        ("CA", " qc", "standard", "5 9.975"),
        ("CA", "QC", "books", "5 9.975"),
        ("CA", "YT", "books", "3"),
        ("CA", "YT", "standard", "5"),
        ("US", "NY", "standard", "4"),
        ("US", "TX", "standard", "0"),
        ("US", "", "reduced", "0"),
        ("DE", "", "zero", "0"),
        ("DE", "", "exempt", "0"),
        ("CA", "QC", "outside_scope", "0"),
        ("LU", "", "books", "3"),
    ],
)
def test_a_region_counts_before_its_country_and_a_category_before_the_standard(
    country: str, region: str, category: str, percents: str
) -> None:
    found = TABLE.rates_for(country, DAY, category=category, region=region)
    assert " ".join([str(rate.percent) for rate in found]) == percents


def test_what_is_sold_in_every_table_has_its_category_of_en_16931() -> None:
    kinds = {word: TABLE.rates_for("DE", DAY, category=word)[0].category for word in CATEGORIES}
    assert kinds == {
        "standard": "S",
        "intermediate": "S",
        "reduced": "S",
        "super_reduced": "S",
        "parking": "S",
        "zero": "Z",
        "exempt": "E",
        "outside_scope": "O",
    }


REFUSED: list[tuple[str, Callable[[], object]]] = [
    ("tax_category", lambda: TABLE.rates_for("DE", DAY, category="bocks")),
    ("tax_category", lambda: TABLE.rates_for("US", DAY, category="bocks")),
    ("tax_category", lambda: TABLE.rates_for("LU", DAY, category="standard")),
    ("tax_category", lambda: check_known(TABLE, "bocks")),
    ("country", lambda: EU_VAT.rates_for("US", DAY)),
    ("country", lambda: EU_VAT.rates_for(None, DAY)),
    ("on", lambda: EU_VAT.rates_for("DE", date(2019, 12, 31))),
    ("country", lambda: TaxRates({"CA-Quebec": GST})),
    ("country", lambda: TaxRates({7: GST})),  # type: ignore[dict-item]
    ("category", lambda: TaxRates({"DE": {"Books": TaxRate(7)}})),
    ("rates", lambda: TaxRates({"DE": ()})),
    ("rates", lambda: TaxRates({"DE": {"books": {}}})),
    ("more_rates", lambda: TaxRates({"CA": (GST, GST)})),
    ("more_rates", lambda: TaxRates({"CA": "5"})),  # type: ignore[dict-item]
]


@pytest.mark.parametrize("place", range(len(REFUSED)))
def test_what_is_wrong_is_named(place: int) -> None:
    field, ask = REFUSED[place]
    with pytest.raises(ValidationError) as refused:
        ask()
    assert refused.value.field == field


def test_a_table_without_places_knows_any_word() -> None:
    check_known(NO_TAX, "bocks")
    assert NO_TAX.rates_for("DE", DAY, category="bocks") == (NO_TAX.default,)


def test_a_host_adds_and_replaces_rates_and_the_table_stays_as_it_was() -> None:
    later = EU_VAT.with_rates("DE", {date(2030, 1, 1): TaxRate(20)})
    days = [date(2020, 7, 1), date(2029, 12, 31), date(2030, 1, 1)]
    assert [later.rate_for("DE", day).percent for day in days] == [16, 19, 20]
    assert EU_VAT.rate_for("DE", days[2]).percent == 19
    forever = later.with_rates("DE", TaxRate(21))
    assert {forever.rate_for("DE", day).percent for day in days} == {21}
    mended = EU_VAT.with_rates("DE", {date(2021, 1, 1): TaxRate(18)})
    assert mended.rate_for("DE", DAY).percent == 18
    books = EU_VAT.with_rates("EL", TaxRate(6), category="books")
    assert books.rates_for("GR", DAY, category="books")[0].percent == 6
    assert books.rate_for("GR", DAY).percent == 24
    assert "books" in books.categories
    assert "books" not in EU_VAT.categories
    regional = EU_VAT.with_rates("PT-20", TaxRate(16))
    assert regional.rates_for("PT", DAY, region="20")[0].percent == 16
    assert regional.rates_for("PT", DAY)[0].percent == 23


# --- the figures --------------------------------------------------------------------------------

# By hand, from the list of the Commission: the standard rates at the end of the table.
STANDARD = {
    "AT": "20",
    "BE": "21",
    "BG": "20",
    "CY": "19",
    "CZ": "21",
    "DE": "19",
    "DK": "25",
    "EE": "24",
    "ES": "21",
    "FI": "25.5",
    "FR": "20",
    "GR": "24",
    "HR": "25",
    "HU": "27",
    "IE": "23",
    "IT": "22",
    "LT": "21",
    "LU": "17",
    "LV": "21",
    "MT": "18",
    "NL": "21",
    "PL": "23",
    "PT": "23",
    "RO": "21",
    "SE": "25",
    "SI": "22",
    "SK": "23",
}

CHANGES = [
    ("DE", "standard", date(2020, 7, 1), "19", "16"),
    ("DE", "standard", date(2021, 1, 1), "16", "19"),
    ("DE", "reduced", date(2020, 7, 1), "7", "5"),
    ("DE", "reduced", date(2021, 1, 1), "5", "7"),
    ("IE", "standard", date(2020, 9, 1), "23", "21"),
    ("IE", "standard", date(2021, 3, 1), "21", "23"),
    ("LU", "standard", date(2023, 1, 1), "17", "16"),
    ("LU", "standard", date(2024, 1, 1), "16", "17"),
    ("EE", "standard", date(2024, 1, 1), "20", "22"),
    ("EE", "standard", date(2025, 7, 1), "22", "24"),
    ("FI", "standard", date(2024, 9, 1), "24", "25.5"),
    ("SK", "standard", date(2025, 1, 1), "20", "23"),
    ("RO", "standard", date(2025, 8, 1), "19", "21"),
    ("CZ", "reduced", date(2024, 1, 1), "10", "12"),
    ("FI", "intermediate", date(2026, 1, 1), "14", "13.5"),
    ("LT", "intermediate", date(2026, 1, 1), "9", "12"),
]


def test_every_member_state_has_its_standard_rate() -> None:
    assert len(EU_COUNTRIES) == 27
    expected = {country: Decimal(percent) for country, percent in STANDARD.items()}
    assert {c: EU_VAT.rate_for(c, AS_OF).percent for c in EU_COUNTRIES} == expected
    assert all(EU_VAT.rate_for(c, date(2020, 1, 1)).percent >= 15 for c in EU_COUNTRIES)


@pytest.mark.parametrize(("country", "category", "day", "before", "after"), CHANGES)
def test_a_change_counts_from_its_day_on(
    country: str, category: str, day: date, before: str, after: str
) -> None:
    eve = EU_VAT.rates_for(country, day - timedelta(days=1), category=category)
    morning = EU_VAT.rates_for(country, day, category=category)
    assert (eve[0].percent, morning[0].percent) == (Decimal(before), Decimal(after))


def test_reduced_rates_are_below_the_standard_rate_and_in_their_order() -> None:
    order = ["super_reduced", "reduced", "intermediate", "standard"]
    for country in EU_COUNTRIES:
        known = {category for place, category, _, _ in FIGURES if place == country}
        for _, _, _, day in FIGURES:
            on = date.fromisoformat(day)
            found = [
                EU_VAT.rates_for(country, on, category=word)[0].percent
                for word in order
                if word in known
            ]
            assert found == sorted(found), (country, on)


def test_each_figure_is_there_once_and_none_repeats_the_one_before() -> None:
    keys = [(place, category, day) for place, category, _, day in FIGURES]
    assert len(set(keys)) == len(keys)
    assert max(day for _, _, day in keys) <= AS_OF.isoformat()
    for index, (place, category, percent, _) in enumerate(FIGURES[1:], start=1):
        if FIGURES[index - 1][:2] == (place, category):
            assert FIGURES[index - 1][2] != percent
