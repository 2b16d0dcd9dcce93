"""The VAT rates of the member states of the EU, as data, from 2020 on.

Decided here: nothing. The figures are those of the European Commission, "VAT rates applied in the
Member States of the European Union" and the database "Taxes in Europe" (TEDB), as of January 2026,
with the changes since 2020 on their days. Each entry has a country, a category, a percentage and
the first day; 2020-01-01 means that it was valid then already, and earlier supplies have no rate.

Which supply is in which category is the law of each country and not in the table: "reduced" is the
lowest of the ordinary reduced rates, "intermediate" the higher one where there are two. Rates for
one trade or for some months only, such as those for restaurants in the pandemic, are left out.

**The table ages.** Whoever bills keeps it up to date, with one line for each change:
`EU_VAT.with_rates("DE", {date(2030, 1, 1): TaxRate("20")})`. So he adds categories of his own:
`EU_VAT.with_rates("DE", TaxRate("7"), category="books")`.

Territories: the rates are those of the country as a whole. Monaco counts as France, and EL is GR.
What has a country code of its own outside the VAT territory (Åland, Guadeloupe, Greenland, …) is
outside the EU here. What only a postal code tells (the Canary Islands, Ceuta and Melilla, Büsingen
and Heligoland, Livigno and Campione, Mount Athos, and lower rates in Madeira, the Azores, Corsica,
on Greek islands, in Jungholz and Mittelberg) is not told apart, and Northern Ireland is not in the
EU: for such customers give the rates of a region, a `tax_exemption` or rates on the item.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from subscriptions.taxes.rates import TaxRate
from subscriptions.taxes.table import DatedRates, RatesOfPlace, TaxRates

AS_OF: Final = date(2026, 1, 31)
"""The day of which the table is; what countries changed since is not in it."""

EU_COUNTRIES: Final = frozenset(
    {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    }
)
"""The member states, by their codes of ISO 3166."""

_SINCE_2020 = "2020-01-01"

# Country, category, per cent, valid from.
FIGURES: Final = (
    ("AT", "standard", "20", _SINCE_2020),
    ("AT", "intermediate", "13", _SINCE_2020),
    ("AT", "reduced", "10", _SINCE_2020),
    ("AT", "parking", "13", _SINCE_2020),
    ("BE", "standard", "21", _SINCE_2020),
    ("BE", "intermediate", "12", _SINCE_2020),
    ("BE", "reduced", "6", _SINCE_2020),
    ("BE", "parking", "12", _SINCE_2020),
    ("BG", "standard", "20", _SINCE_2020),
    ("BG", "reduced", "9", _SINCE_2020),
    ("CY", "standard", "19", _SINCE_2020),
    ("CY", "intermediate", "9", _SINCE_2020),
    ("CY", "reduced", "5", _SINCE_2020),
    ("CZ", "standard", "21", _SINCE_2020),
    ("CZ", "intermediate", "15", _SINCE_2020),
    ("CZ", "intermediate", "12", "2024-01-01"),
    ("CZ", "reduced", "10", _SINCE_2020),
    ("CZ", "reduced", "12", "2024-01-01"),
    ("DE", "standard", "19", _SINCE_2020),
    ("DE", "standard", "16", "2020-07-01"),
    ("DE", "standard", "19", "2021-01-01"),
    ("DE", "reduced", "7", _SINCE_2020),
    ("DE", "reduced", "5", "2020-07-01"),
    ("DE", "reduced", "7", "2021-01-01"),
    ("DK", "standard", "25", _SINCE_2020),
    ("EE", "standard", "20", _SINCE_2020),
    ("EE", "standard", "22", "2024-01-01"),
    ("EE", "standard", "24", "2025-07-01"),
    ("EE", "intermediate", "9", _SINCE_2020),
    ("EE", "intermediate", "13", "2025-01-01"),
    ("EE", "reduced", "9", _SINCE_2020),
    ("ES", "standard", "21", _SINCE_2020),
    ("ES", "reduced", "10", _SINCE_2020),
    ("ES", "super_reduced", "4", _SINCE_2020),
    ("FI", "standard", "24", _SINCE_2020),
    ("FI", "standard", "25.5", "2024-09-01"),
    ("FI", "intermediate", "14", _SINCE_2020),
    ("FI", "intermediate", "13.5", "2026-01-01"),
    ("FI", "reduced", "10", _SINCE_2020),
    ("FR", "standard", "20", _SINCE_2020),
    ("FR", "intermediate", "10", _SINCE_2020),
    ("FR", "reduced", "5.5", _SINCE_2020),
    ("FR", "super_reduced", "2.1", _SINCE_2020),
    ("GR", "standard", "24", _SINCE_2020),
    ("GR", "intermediate", "13", _SINCE_2020),
    ("GR", "reduced", "6", _SINCE_2020),
    ("HR", "standard", "25", _SINCE_2020),
    ("HR", "intermediate", "13", _SINCE_2020),
    ("HR", "reduced", "5", _SINCE_2020),
    ("HU", "standard", "27", _SINCE_2020),
    ("HU", "intermediate", "18", _SINCE_2020),
    ("HU", "reduced", "5", _SINCE_2020),
    ("IE", "standard", "23", _SINCE_2020),
    ("IE", "standard", "21", "2020-09-01"),
    ("IE", "standard", "23", "2021-03-01"),
    ("IE", "intermediate", "13.5", _SINCE_2020),
    ("IE", "reduced", "9", _SINCE_2020),
    ("IE", "super_reduced", "4.8", _SINCE_2020),
    ("IE", "parking", "13.5", _SINCE_2020),
    ("IT", "standard", "22", _SINCE_2020),
    ("IT", "intermediate", "10", _SINCE_2020),
    ("IT", "reduced", "5", _SINCE_2020),
    ("IT", "super_reduced", "4", _SINCE_2020),
    ("LT", "standard", "21", _SINCE_2020),
    ("LT", "intermediate", "9", _SINCE_2020),
    ("LT", "intermediate", "12", "2026-01-01"),
    ("LT", "reduced", "5", _SINCE_2020),
    ("LU", "standard", "17", _SINCE_2020),
    ("LU", "standard", "16", "2023-01-01"),
    ("LU", "standard", "17", "2024-01-01"),
    ("LU", "reduced", "8", _SINCE_2020),
    ("LU", "reduced", "7", "2023-01-01"),
    ("LU", "reduced", "8", "2024-01-01"),
    ("LU", "super_reduced", "3", _SINCE_2020),
    ("LU", "parking", "14", _SINCE_2020),
    ("LU", "parking", "13", "2023-01-01"),
    ("LU", "parking", "14", "2024-01-01"),
    ("LV", "standard", "21", _SINCE_2020),
    ("LV", "intermediate", "12", _SINCE_2020),
    ("LV", "reduced", "5", _SINCE_2020),
    ("MT", "standard", "18", _SINCE_2020),
    ("MT", "intermediate", "7", _SINCE_2020),
    ("MT", "reduced", "5", _SINCE_2020),
    ("NL", "standard", "21", _SINCE_2020),
    ("NL", "reduced", "9", _SINCE_2020),
    ("PL", "standard", "23", _SINCE_2020),
    ("PL", "intermediate", "8", _SINCE_2020),
    ("PL", "reduced", "5", _SINCE_2020),
    ("PT", "standard", "23", _SINCE_2020),
    ("PT", "intermediate", "13", _SINCE_2020),
    ("PT", "reduced", "6", _SINCE_2020),
    ("PT", "parking", "13", _SINCE_2020),
    ("RO", "standard", "19", _SINCE_2020),
    ("RO", "standard", "21", "2025-08-01"),
    ("RO", "intermediate", "9", _SINCE_2020),
    ("RO", "intermediate", "11", "2025-08-01"),
    ("RO", "reduced", "5", _SINCE_2020),
    ("RO", "reduced", "11", "2025-08-01"),
    ("SE", "standard", "25", _SINCE_2020),
    ("SE", "intermediate", "12", _SINCE_2020),
    ("SE", "reduced", "6", _SINCE_2020),
    ("SI", "standard", "22", _SINCE_2020),
    ("SI", "intermediate", "9.5", _SINCE_2020),
    ("SI", "reduced", "5", _SINCE_2020),
    ("SK", "standard", "20", _SINCE_2020),
    ("SK", "standard", "23", "2025-01-01"),
    ("SK", "intermediate", "10", _SINCE_2020),
    ("SK", "intermediate", "19", "2025-01-01"),
    ("SK", "reduced", "10", _SINCE_2020),
    ("SK", "reduced", "5", "2025-01-01"),
)
"""Each rate of the table: the country, the category, the percentage, and its first day."""


def _tabled() -> TaxRates:
    table: dict[str, dict[str, dict[date, TaxRate]]] = {}
    for country, category, percent, valid_from in FIGURES:
        dated = table.setdefault(country, {}).setdefault(category, {})
        dated[date.fromisoformat(valid_from)] = TaxRate(percent)
    places: dict[str, RatesOfPlace] = {}
    for country, categories in table.items():
        of_country: dict[str, DatedRates] = dict(categories)
        places[country] = of_country
    return TaxRates(places)


EU_VAT: Final = _tabled()
"""The rates of the EU's member states; no other country has one, and there is no default."""
