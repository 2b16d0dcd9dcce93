"""The one-stop shop: what is told of supplies to consumers in other member states of the EU.

A row is one line of the return of the Union scheme (Directive 2006/112/EC, title XII chapter 6
section 3): quarter, member state of consumption, rate, base, tax. A correction in a later quarter
names the quarter that it corrects, as the return does. Amounts stand in the documents' currency;
the return is in euros, at the rate of the last day of the quarter, which is left to the host.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from subscriptions.frozen import frozen
from subscriptions.money import Currency, Money
from subscriptions.taxes import EU_COUNTRIES, TaxCategory, TaxPolicy, TaxRates, vat_country


@frozen
class OssRow:
    """What is told for one member state, rate and quarter; `corrects` names an earlier quarter."""

    seller: str
    quarter: str
    corrects: str | None
    country: str
    percent: Decimal
    currency: Currency
    base_minor: int
    tax_minor: int

    @property
    def base(self) -> Money:
        """The taxable amount."""
        return Money(self.base_minor, self.currency)

    @property
    def tax(self) -> Money:
        """The tax owed to the member state."""
        return Money(self.tax_minor, self.currency)


@frozen
class Shop:
    """Which supplies are told to the one-stop shop: those that the policy taxes by its rules."""

    taxes: TaxRates | TaxPolicy

    def tells(
        self, category: TaxCategory, *, seller_country: str, country: str, supplied_on: date
    ) -> bool:
        """Return whether tax of a category that a seller charged in a country is told there.

        With a plain table each customer is taxed by his country, so that is every other one.
        """
        seller, place = vat_country(seller_country), vat_country(country)
        if category is not TaxCategory.STANDARD or place == seller:
            return False
        if seller not in EU_COUNTRIES or place not in EU_COUNTRIES:
            return False
        if isinstance(self.taxes, TaxRates):
            return True
        return place not in self.taxes.registrations and self.taxes.uses_oss(supplied_on)
