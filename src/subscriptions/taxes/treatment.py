"""The tax treatment of a supply: who sells what to whom, when, and so which rates it bears and why.

Decided here: the order in which the rules count, the country whose tax it is, and the reason that
the document prints. Never here: the figures (those are in `table` and `europe`), or whether a tax
id is valid (that is in `tax_ids`, and comes as what is known of it).

The first rule that fits decides, and what it says replaces all that stands below it:

1. **The item**: rates that are given with it are its rates.
2. **The product**: what is exempt or outside the scope by its category is so wherever it is sold.
3. **The customer**: an exemption of his own, with its reason; then the place. In the seller's
   country it is taxed there, tax id or not. In another member state a business with a valid VAT id
   owes the tax itself. Anybody else there is taxed where he is (OSS), or where the seller is, for
   one below the threshold of 10 000 EUR. Outside the EU it is outside the scope, goods are an
   export, unless the seller is registered there.
4. **The seller**: where he would charge his own country's tax, a small business charges none.

What is not proven is taxed. Where that is for lack of evidence the treatment has a `flag`, so that
a person may look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final, cast

from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.tax_ids import Standing
from subscriptions.taxes.europe import EU_COUNTRIES
from subscriptions.taxes.rates import TaxCategory, TaxRate
from subscriptions.taxes.table import (
    EVERYWHERE,
    TaxRates,
    check_category,
    check_known,
    vat_country,
)


class TaxFlag(StrEnum):
    """What was missing, so that tax was charged."""

    ID_NOT_CHECKED = "id_not_checked"
    """Nobody has said whether the tax id is valid, or not lately."""
    ID_INVALID = "id_invalid"
    """The tax id is not valid."""
    ID_OF_SELLERS_COUNTRY = "id_of_sellers_country"
    """The customer is abroad, but his tax id is one of the seller's country."""
    NO_SELLER_ID = "no_seller_id"
    """The seller has no VAT id, without which no customer can be made to owe the tax."""
    NO_COUNTRY = "no_country"
    """The customer's country is not known; it was taxed in the seller's."""
    NOT_QUOTED = "not_quoted"
    """The tax engine could not be asked for too long; the table of rates was used."""


@frozen
class TaxTreatment:
    """The rates that a supply bears, and what of the evidence was missing.

    Several rates are charged on the same net. Each rate without tax has the reason that is printed.
    """

    rates: tuple[TaxRate, ...]
    flag: TaxFlag | None = None

    @property
    def rate(self) -> TaxRate:
        """The first rate, which is nearly always the only one."""
        return self.rates[0]

    @property
    def more_rates(self) -> tuple[TaxRate, ...]:
        """The rates on the same net besides the first."""
        return self.rates[1:]


@frozen
class Supply:
    """What the treatment of a supply depends on.

    `seller_country` and `seller_tax_id` (whether he has one) are the seller's, `country` and
    `region` the customer's, an empty text where it is not known. `standing` is what is known of
    his tax id on the day; None where he gave none, for to the tax he is a consumer then.
    `exemption` is the reason of his exemption, if he has one on the day. `category` says what is
    sold, `on` is the day of supply. `rates` are those that the item itself was given; an empty
    tuple is none. `tax_id_country` is the country of his tax id, as its prefix says.
    """

    seller_country: str
    on: date
    country: str = ""
    region: str = ""
    category: str = "standard"
    standing: Standing | None = None
    exemption: str | None = None
    seller_tax_id: bool = True
    rates: tuple[TaxRate, ...] = ()
    tax_id_country: str = ""


def _read_countries(countries: object) -> frozenset[str]:
    if isinstance(countries, str) or not isinstance(countries, (frozenset, set, tuple, list)):
        raise ValidationError("countries", countries, "several country codes, such as {'CH'}")
    given = cast("Iterable[object]", countries)
    return frozenset([vat_country(str(each)) for each in given])


@frozen
class SmallBusiness:
    """The scheme of small businesses (Directive 2006/112/EC, title XII): no tax, and why.

    It counts in the seller's own country, and in other member states where he is in the scheme of
    Article 284 as well.

    >>> SmallBusiness("Exempt as a small business, § 19 UStG").countries
    frozenset()
    """

    reason: str
    countries: frozenset[str] = field(default=frozenset[str](), converter=_read_countries)

    rate: TaxRate = field(init=False, eq=False, repr=False)
    """No tax, with the reason."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "rate", TaxRate(0, TaxCategory.EXEMPT, self.reason))


REASONS: Final[Mapping[TaxCategory, str]] = {
    TaxCategory.REVERSE_CHARGE: (
        "Reverse charge: the customer owes the VAT, Article 196 of Directive 2006/112/EC"
    ),
    TaxCategory.INTRA_COMMUNITY: (
        "Intra-Community supply of goods, exempt under Article 138 of Directive 2006/112/EC"
    ),
    TaxCategory.EXPORT: "Export of goods, exempt under Article 146 of Directive 2006/112/EC",
    TaxCategory.OUTSIDE_SCOPE: (
        "Not subject to VAT: the place of supply is outside the EU, Articles 44 and 59 of "
        "Directive 2006/112/EC"
    ),
}
"""What is printed where a treatment charges no tax; a policy may have other words for it."""


@frozen(eq=False)
class TaxPolicy:
    """How a seller's supplies are taxed: what `Billing(taxes=…)` is given by who sells abroad.

    `rates` are the figures. `small_business` is the scheme of a seller who charges no tax. `oss`
    says whether consumers in other member states are charged their own country's tax: True, False
    (below the threshold of 10 000 EUR a year, where the seller's own counts), or the day from
    which on they are. It is False by default for a small business, and True for others.
    `registrations` are further countries where the seller is registered and charges their tax, as
    far as the rates say. `goods` are the categories that are goods; all others are services.
    `reasons` are other texts than `REASONS` to print; of a reverse charge, documents print the
    law's own phrase in the customer's language.

    What it does not know: services to consumers that are taxed where the seller is (Article 45), or
    where they are carried out (Articles 47 to 56), domestic reverse charge, chains and margins. For
    those give the rates with the item.

    Raises `ValidationError` for what is none of that.

    >>> from subscriptions.taxes.europe import EU_VAT
    >>> policy = TaxPolicy(EU_VAT)
    >>> sold = Supply("DE", date(2027, 1, 1), country="FR")
    >>> [str(rate.percent) for rate in treat(policy, sold).rates]
    ['20']
    >>> treat(policy, Supply("DE", date(2027, 1, 1), "FR", standing=Standing.VALID)).rate.category
    <TaxCategory.REVERSE_CHARGE: 'AE'>
    """

    rates: TaxRates
    small_business: SmallBusiness | None = None
    oss: bool | date | None = None
    registrations: frozenset[str] = field(default=frozenset[str](), converter=_read_countries)
    goods: frozenset[str] = frozenset()
    reasons: Mapping[TaxCategory, str] = field(factory=dict[TaxCategory, str])
    _untaxed: Mapping[TaxCategory, TaxRate] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.rates, TaxRates):
            raise ValidationError("rates", self.rates, "a TaxRates, such as EU_VAT")
        if not isinstance(self.small_business, SmallBusiness | None):
            raise ValidationError("small_business", self.small_business, "a SmallBusiness")
        if not isinstance(self.oss, bool | date | None):
            raise ValidationError("oss", self.oss, "True, False or the day from which on")
        for category in self.goods:
            check_category("goods", category)
        for why in self.reasons:
            if why not in REASONS:
                raise ValidationError("reasons", why, f"one of {', '.join(REASONS)}")
        texts = {**REASONS, **self.reasons}
        untaxed = {why: TaxRate(0, why, text) for why, text in texts.items()}
        object.__setattr__(self, "_untaxed", untaxed)

    def untaxed(self, why: TaxCategory) -> TaxRate:
        """Return no tax, with the reason that is printed."""
        return self._untaxed[why]

    def uses_oss(self, on: date) -> bool:
        """Return whether consumers in other member states are charged their own tax on a day."""
        if self.oss is None:
            return self.small_business is None
        return self.oss if isinstance(self.oss, bool) else self.oss <= on


def treat(policy: TaxPolicy, supply: Supply) -> TaxTreatment:
    """Return the treatment of a supply, by the first rule of the module's list that fits.

    Raises `ValidationError` for a seller without a country, for a category that the rates do not
    know, and where the country whose tax it is has no rate.
    """
    return _treated(policy, supply)


# A run asks the same of thousands of customers: there are few countries, categories and days.
@lru_cache(maxsize=4096)
def _treated(policy: TaxPolicy, supply: Supply) -> TaxTreatment:
    if supply.rates:
        return TaxTreatment(supply.rates)
    if not supply.seller_country:
        expected = "the seller's country, which a TaxPolicy must know"
        raise ValidationError("seller.address.country", "", expected)
    seller, place = vat_country(supply.seller_country), vat_country(supply.country)
    on, category = supply.on, supply.category
    check_known(policy.rates, category)
    if category in _OF_THE_PRODUCT:
        return TaxTreatment(policy.rates.rates_for(seller, on, category=category))
    if supply.exemption is not None:
        return TaxTreatment((TaxRate(0, TaxCategory.EXEMPT, supply.exemption),))
    if not place:
        return TaxTreatment(_charged(policy, supply, seller), TaxFlag.NO_COUNTRY)
    if place == seller:
        return TaxTreatment(_charged(policy, supply, seller))
    from_eu, to_eu = seller in EU_COUNTRIES, place in EU_COUNTRIES
    goods, lacking = category in policy.goods, _lacking(supply) if to_eu else None
    if to_eu and supply.standing is Standing.VALID and (lacking is None or not from_eu):
        within = TaxCategory.INTRA_COMMUNITY if goods and from_eu else TaxCategory.REVERSE_CHARGE
        return TaxTreatment((policy.untaxed(within),))
    if place in policy.registrations:
        return TaxTreatment(_charged(policy, supply, place), lacking)
    if to_eu and (from_eu or (policy.uses_oss(on) and not goods)):
        owed_in = place if policy.uses_oss(on) else seller
        return TaxTreatment(_charged(policy, supply, owed_in), lacking)
    abroad = TaxCategory.EXPORT if goods else TaxCategory.OUTSIDE_SCOPE
    return TaxTreatment((policy.untaxed(abroad),))


def _charged(policy: TaxPolicy, supply: Supply, country: str) -> tuple[TaxRate, ...]:
    """Return the rates of a country whose tax it is, or none for a small business there."""
    scheme = policy.small_business
    home = vat_country(supply.seller_country)
    if scheme is not None and (country == home or country in scheme.countries):
        return (scheme.rate,)
    region = supply.region if country == vat_country(supply.country) else ""
    return policy.rates.rates_for(country, supply.on, category=supply.category, region=region)


def _lacking(supply: Supply) -> TaxFlag | None:
    """Return what is missing for the customer to owe the tax; None if nothing is, or no tax id."""
    if supply.standing is Standing.INVALID:
        return TaxFlag.ID_INVALID
    if supply.standing is Standing.UNKNOWN:
        return TaxFlag.ID_NOT_CHECKED
    if supply.standing is None:
        return None
    if vat_country(supply.tax_id_country) == vat_country(supply.seller_country):
        return TaxFlag.ID_OF_SELLERS_COUNTRY
    return None if supply.seller_tax_id else TaxFlag.NO_SELLER_ID


_OF_THE_PRODUCT: Final = frozenset(EVERYWHERE) - {"zero"}
