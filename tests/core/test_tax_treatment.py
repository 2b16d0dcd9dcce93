"""Who is charged which tax: every combination against a table written by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any, TypeAlias

import pytest
from attrs import evolve, frozen

from subscriptions.errors import ValidationError
from subscriptions.tax_ids import Standing
from subscriptions.taxes import (
    EU_VAT,
    SmallBusiness,
    Supply,
    TaxCategory,
    TaxExemption,
    TaxFlag,
    TaxPolicy,
    TaxRate,
    TaxRates,
    TaxTreatment,
    treat,
)

Wrong: TypeAlias = Any

DAY = date(2026, 6, 1)
VALID, INVALID, UNKNOWN = Standing.VALID, Standing.INVALID, Standing.UNKNOWN
RATES = (
    EU_VAT.with_rates("DE", TaxRate(7), category="boxes")
    .with_rates("CH", TaxRate("8.1"))
    .with_rates("US", TaxRate(6))
)
SMALL = SmallBusiness("Small business, § 19 UStG")
GIVEN = TaxRate("12.5")


@frozen
class Case:
    seller: str
    seller_id: bool
    small: bool
    oss: bool
    country: str
    standing: Standing | None
    exemption: str | None
    category: str
    item: bool

    @property
    def treatment(self) -> TaxTreatment:
        policy = TaxPolicy(
            RATES,
            small_business=SMALL if self.small else None,
            oss=self.oss,
            registrations=frozenset({"CH"}),
            goods=frozenset({"boxes"}),
        )
        supply = Supply(
            self.seller,
            DAY,
            self.country,
            "",
            self.category,
            self.standing,
            self.exemption,
            self.seller_id,
            (GIVEN,) if self.item else (),
        )
        return treat(policy, supply)


CASES = [
    Case(*each)
    for each in product(
        ["DE", "US"],
        [True, False],
        [True, False],
        [True, False],
        ["", "DE", "FR", "EL", "US", "CH", "NO"],
        [None, VALID, INVALID, UNKNOWN],
        [None, "Embassy"],
        ["standard", "boxes", "exempt", "zero"],
        [True, False],
    )
]

# What a country charges for each category; a country that does not know it charges its standard.
CHARGED = {
    "DE": {"standard": "S 19", "boxes": "S 7"},
    "FR": {"standard": "S 20", "boxes": "S 20"},
    "EL": {"standard": "S 24", "boxes": "S 24"},
    "US": {"standard": "S 6", "boxes": "S 6"},
    "CH": {"standard": "S 8.1", "boxes": "S 8.1"},
}
ABROAD_IN_EU = {"DE": {"FR", "EL"}, "US": {"DE", "FR", "EL"}}


def charged(country: str, case: Case) -> str:
    if case.small and country == case.seller:
        return "E 0"
    return "Z 0" if case.category == "zero" else CHARGED[country][case.category]


def in_other_state(case: Case) -> bool:
    return case.country in ABROAD_IN_EU[case.seller]


# The first row that fits says the outcome.
TABLE: list[tuple[str, Callable[[Case], bool], Callable[[Case], str]]] = [
    ("rates given with the item", lambda c: c.item, lambda _: "S 12.5"),
    ("a product that is exempt", lambda c: c.category == "exempt", lambda _: "E 0"),
    ("a customer who is exempt", lambda c: c.exemption is not None, lambda _: "E 0"),
    ("nobody knows where", lambda c: not c.country, lambda c: charged(c.seller, c)),
    ("at home", lambda c: c.country == c.seller, lambda c: charged(c.seller, c)),
    (
        "goods to a business of another member state",
        lambda c: (
            c.standing is VALID
            and c.seller == "DE"
            and in_other_state(c)
            and c.seller_id
            and c.category == "boxes"
        ),
        lambda _: "K 0",
    ),
    (
        "services to a business in the EU",
        lambda c: c.standing is VALID and in_other_state(c) and (c.seller_id or c.seller == "US"),
        lambda _: "AE 0",
    ),
    ("a registration", lambda c: c.country == "CH", lambda c: charged("CH", c)),
    (
        "a consumer of another member state, through the one-stop shop",
        lambda c: in_other_state(c) and c.seller == "DE" and c.oss,
        lambda c: charged(c.country, c),
    ),
    (
        "a consumer of another member state, below the threshold",
        lambda c: in_other_state(c) and c.seller == "DE",
        lambda c: charged("DE", c),
    ),
    (
        "a consumer of the EU, sold services from outside",
        lambda c: in_other_state(c) and c.oss and c.category != "boxes",
        lambda c: charged(c.country, c),
    ),
    ("goods that leave", lambda c: c.category == "boxes", lambda _: "G 0"),
    ("services abroad", lambda _: True, lambda _: "O 0"),
]


def test_the_first_rule_that_fits_decides_in_every_combination() -> None:
    met = dict.fromkeys([name for name, _, _ in TABLE], 0)
    wrong: list[tuple[Case, str, str]] = []
    for case in CASES:
        name, _, outcome = next(row for row in TABLE if row[1](case))
        met[name] += 1
        (rate,) = case.treatment.rates
        found = f"{rate.category} {rate.percent}"
        if found != outcome(case):
            wrong.append((case, outcome(case), found))
    assert wrong == []
    assert all(met.values()), met


def test_tax_is_flagged_exactly_where_evidence_was_missing() -> None:
    expected: dict[Case, TaxFlag | None] = {}
    for case in CASES:
        named = not (case.item or case.category == "exempt" or case.exemption)
        flag = None
        if named and not case.country:
            flag = TaxFlag.NO_COUNTRY
        if named and in_other_state(case):
            rate = case.treatment.rate
            missing = {
                None: None,
                VALID: TaxFlag.NO_SELLER_ID,
                INVALID: TaxFlag.ID_INVALID,
                UNKNOWN: TaxFlag.ID_NOT_CHECKED,
            }
            if rate.category in {TaxCategory.STANDARD, TaxCategory.ZERO} or (
                case.small and rate.reason == SMALL.reason
            ):
                flag = missing[case.standing]
        expected[case] = flag
    assert {case: case.treatment.flag for case in CASES} == expected


def test_whatever_is_not_taxed_says_why() -> None:
    for case in CASES:
        (rate,) = case.treatment.rates
        untaxed = rate.category not in {TaxCategory.STANDARD, TaxCategory.ZERO}
        assert bool(rate.reason) == untaxed


REVERSE = Supply("DE", DAY, "FR", standing=VALID)


@pytest.mark.parametrize(
    ("supply", "text"),
    [
        (REVERSE, "Article 196 of Directive 2006/112/EC"),
        (evolve(REVERSE, category="boxes"), "Article 138"),
        (Supply("DE", DAY, "US", category="boxes"), "Article 146"),
        (Supply("DE", DAY, "US"), "outside the EU"),
        (Supply("DE", DAY, "DE", exemption="NATO forces"), "NATO forces"),
        (Supply("DE", DAY, "DE", category="outside_scope"), "Not subject to VAT"),
    ],
)
def test_the_reason_names_its_law(supply: Supply, text: str) -> None:
    policy = TaxPolicy(RATES.with_rates("FR", TaxRate(20)), goods=frozenset({"boxes"}))
    without_us = evolve(policy, rates=EU_VAT.with_rates("DE", TaxRate(7), category="boxes"))
    assert text in (treat(without_us, supply).rate.reason or "")


def test_an_id_of_the_sellers_own_country_proves_no_business_abroad() -> None:
    policy = TaxPolicy(EU_VAT)
    for seller, prefix in (("DE", "DE"), ("GR", "EL"), ("EL", "EL")):
        sold = Supply(seller, DAY, "FR", standing=VALID, tax_id_country=prefix)
        assert treat(policy, sold) == TaxTreatment((TaxRate(20),), TaxFlag.ID_OF_SELLERS_COUNTRY)
        other = treat(policy, evolve(sold, tax_id_country="BE"))
        assert other.rate.category is TaxCategory.REVERSE_CHARGE


def test_a_domestic_business_is_taxed_although_its_id_is_valid() -> None:
    found = treat(TaxPolicy(EU_VAT), Supply("DE", DAY, "DE", standing=VALID))
    assert found == TaxTreatment((TaxRate(19),))


@pytest.mark.parametrize("standing", [None, INVALID, UNKNOWN])
def test_nobody_owes_the_tax_himself_without_a_valid_id(standing: Standing | None) -> None:
    found = treat(TaxPolicy(EU_VAT), Supply("DE", DAY, "FR", standing=standing))
    assert found.rates == (TaxRate(20),)


def test_greece_is_one_country_under_both_its_codes_and_monaco_is_france() -> None:
    policy = TaxPolicy(EU_VAT)
    for seller, country, percent in [
        ("DE", "EL", 24),
        ("DE", "GR", 24),
        ("EL", "GR", 24),
        ("DE", "MC", 20),
        ("FR", "MC", 20),
    ]:
        assert treat(policy, Supply(seller, DAY, country)).rate.percent == percent
    at_home = treat(policy, Supply("GR", DAY, "EL", standing=VALID))
    assert at_home == TaxTreatment((TaxRate(24),))


def test_what_has_a_country_code_outside_the_vat_territory_is_outside() -> None:
    for country in ("AX", "GP", "GL", "GI", "NO", "GB"):
        found = treat(TaxPolicy(EU_VAT), Supply("DE", DAY, country))
        assert found.rate.category is TaxCategory.OUTSIDE_SCOPE


def test_the_one_stop_shop_may_begin_on_a_day() -> None:
    policy = TaxPolicy(EU_VAT, oss=date(2026, 7, 1))
    days = (date(2026, 6, 30), date(2026, 7, 1))
    found = [treat(policy, Supply("DE", day, "FR")).rate.percent for day in days]
    assert found == [19, 20]


def test_a_small_business_charges_nobody_unless_it_says_that_it_uses_the_one_stop_shop() -> None:
    policy = TaxPolicy(EU_VAT, small_business=SMALL)
    for country in ("DE", "FR"):
        (rate,) = treat(policy, Supply("DE", DAY, country)).rates
        assert (rate.category, rate.reason) == (TaxCategory.EXEMPT, SMALL.reason)
    shop = TaxPolicy(EU_VAT, small_business=SMALL, oss=True)
    assert treat(shop, Supply("DE", DAY, "FR")).rate.percent == 20
    abroad = evolve(SMALL, countries=frozenset({"FR"}))
    both = TaxPolicy(EU_VAT, small_business=abroad, oss=True)
    assert treat(both, Supply("DE", DAY, "FR")).rate.category is TaxCategory.EXEMPT
    assert treat(both, Supply("DE", DAY, "AT")).rate.percent == 20


def test_a_region_counts_where_its_country_does() -> None:
    rates = TaxRates(
        {
            "CA": TaxRate(5, name="GST"),
            "CA-QC": (TaxRate(5, name="GST"), TaxRate("9.975", name="QST")),
            "CA-ON": TaxRate(13, name="HST"),
            "DE": TaxRate(19),
        }
    )
    policy = TaxPolicy(rates)
    sold = Supply("CA", DAY, "CA")
    assert [str(r.percent) for r in treat(policy, evolve(sold, region="qc ")).rates] == [
        "5",
        "9.975",
    ]
    assert treat(policy, evolve(sold, region="ON")).rate.name == "HST"
    assert treat(policy, evolve(sold, region="BC")).rate.percent == 5
    assert treat(policy, sold).more_rates == ()


def test_a_policy_may_word_its_reasons() -> None:
    words = {TaxCategory.REVERSE_CHARGE: "Steuerschuldnerschaft des Leistungsempfängers"}
    assert treat(TaxPolicy(EU_VAT, reasons=words), REVERSE).rate.reason == (
        "Steuerschuldnerschaft des Leistungsempfängers"
    )


def test_a_seller_without_a_country_taxes_nobody() -> None:
    with pytest.raises(ValidationError) as refused:
        treat(TaxPolicy(EU_VAT), Supply("", DAY, "FR"))
    assert refused.value.field == "seller.address.country"


def test_a_word_that_no_table_knows_is_a_slip() -> None:
    for supply in (Supply("DE", DAY, "FR", category="bocks"), evolve(REVERSE, category="bocks")):
        with pytest.raises(ValidationError) as refused:
            treat(TaxPolicy(EU_VAT), supply)
        assert refused.value.field == "tax_category"


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("rates", {"rates": {}}),
        ("small_business", {"small_business": "§ 19"}),
        ("oss", {"oss": "yes"}),
        ("countries", {"registrations": "CH"}),
        ("goods", {"goods": frozenset({"Two Words"})}),
        ("reasons", {"reasons": {TaxCategory.STANDARD: "why not"}}),
        ("reason", {"reasons": {TaxCategory.EXPORT: " "}}),
    ],
)
def test_a_policy_names_what_is_wrong_with_it(field: str, given: dict[str, Wrong]) -> None:
    arguments: dict[str, Wrong] = {"rates": EU_VAT, **given}
    with pytest.raises(ValidationError) as refused:
        TaxPolicy(**arguments)
    assert refused.value.field == field


def test_a_small_business_says_why() -> None:
    with pytest.raises(ValidationError) as refused:
        SmallBusiness("")
    assert refused.value.field == "reason"


# --- exemptions ---------------------------------------------------------------------------------

YEAR = TaxExemption("Resale", "C-17", date(2026, 1, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("day", "counts"),
    [
        (date(2025, 12, 31), False),
        (date(2026, 1, 1), True),
        (date(2026, 12, 31), True),
        (date(2027, 1, 1), False),
    ],
)
def test_an_exemption_counts_on_both_its_days(day: date, counts: bool) -> None:  # noqa: FBT001
    assert YEAR.reason_on(day) == ("Resale" if counts else None)
    assert TaxExemption("Resale").reason_on(day) == "Resale"


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("tax_exemption.reason", {"reason": ""}),
        ("tax_exemption.certificate", {"certificate": "x" * 101}),
        ("tax_exemption.valid_from", {"valid_from": "2026"}),
        ("tax_exemption.valid_until", {"valid_until": date(2025, 1, 1)}),
    ],
)
def test_an_exemption_names_what_is_wrong_with_it(field: str, given: dict[str, Wrong]) -> None:
    with pytest.raises(ValidationError) as refused:
        evolve(YEAR, **given)
    assert refused.value.field == field


def test_a_treatment_shows_its_first_rate() -> None:
    found = TaxTreatment((TaxRate(5, name="GST"), TaxRate("9.975", name="QST")))
    assert (found.rate.percent, [r.percent for r in found.more_rates]) == (
        Decimal(5),
        [Decimal("9.975")],
    )
