"""Who is charged which tax over the life of a subscription, and what is reported of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from attrs import evolve

from subscriptions import Address, Billing, Interval, Money, Seller, TaxRate, TaxRates
from subscriptions.billing_cycles import Period
from subscriptions.customers import Customer
from subscriptions.errors import ValidationError
from subscriptions.invoices import Invoice
from subscriptions.money import Rounding
from subscriptions.proration import Mode, Proration
from subscriptions.tax_services.fake import FakeTaxIds
from subscriptions.taxes import (
    EU_VAT,
    SmallBusiness,
    TaxBehavior,
    TaxCategory,
    TaxExemption,
    TaxFlag,
    TaxPolicy,
)
from subscriptions.usecases.one_off import OneOff
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]

GERMAN = Seller("Acme GmbH", address=Address(country="DE"), tax_id="DE136695976")
FRENCH_ID = "FR40303265045"
BOOKS = EU_VAT.with_rates("DE", TaxRate(7), category="books")
GST, QST = TaxRate(5, name="GST"), TaxRate("9.975", name="QST")
CANADA = TaxRates({"CA": GST, "CA-QC": (GST, QST)})
YEAR = Period(date(2027, 1, 1), date(2028, 1, 1))


@pytest.fixture
def validator() -> FakeTaxIds:
    return FakeTaxIds()


@pytest.fixture
def shop(open_a_shop: Opened, validator: FakeTaxIds) -> Shop:
    return open_a_shop(seller=GERMAN, taxes=TaxPolicy(BOOKS), tax_ids=validator)


def groups(invoice: Invoice) -> list[str]:
    write = [f"{g.category} {g.percent} {g.base_minor} {g.tax_minor}" for g in invoice.taxes]
    return [f"{g.name} {text}".strip() for g, text in zip(invoice.taxes, write, strict=True)]


def a_company(shop: Shop, country: str = "FR", tax_id: str = FRENCH_ID) -> Customer:
    ada = shop.billing.customers.create(name="Ada SARL", country=country, tax_id=tax_id)
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    return shop.billing.customers.get(ada.id)


# --- who buys -----------------------------------------------------------------------------------


def test_a_french_consumer_is_charged_french_tax(shop: Shop) -> None:
    shop.subscribe(shop.customer(country="FR"), shop.price(eur("100.00")))
    invoice = shop.only_invoice()
    assert groups(invoice) == ["S 20 10000 2000"]
    assert invoice.lines[0].tax_flag is None


def test_a_french_business_with_a_valid_id_owes_the_tax_itself(shop: Shop) -> None:
    shop.subscribe(a_company(shop), shop.price(eur("100.00")))
    invoice = shop.only_invoice()
    assert groups(invoice) == ["AE 0 10000 0"]
    assert "Article 196" in (invoice.taxes[0].reason or "")
    assert invoice.party is not None
    assert invoice.seller is not None
    assert (invoice.seller.tax_id, invoice.party.tax_id) == ("DE136695976", FRENCH_ID)


def test_a_german_business_is_charged_although_its_id_is_valid(shop: Shop) -> None:
    shop.subscribe(a_company(shop, "DE", "DE129273398"), shop.price(eur("100.00")))
    assert groups(shop.only_invoice()) == ["S 19 10000 1900"]


def test_a_german_id_of_a_customer_in_france_is_no_evidence(shop: Shop) -> None:
    shop.subscribe(a_company(shop, "FR", "DE129273398"), shop.price(eur("100.00")))
    assert groups(shop.only_invoice()) == ["S 20 10000 2000"]
    assert shop.only_invoice().lines[0].tax_flag is TaxFlag.ID_OF_SELLERS_COUNTRY


def test_an_id_that_becomes_invalid_is_charged_from_then_on_and_a_person_may_look(
    shop: Shop, validator: FakeTaxIds
) -> None:
    company = a_company(shop)
    shop.subscribe(company, shop.price(eur("100.00")))
    validator.invalid(FRENCH_ID)
    shop.time.advance(days=62)
    first, second, third = shop.invoices()
    assert [groups(each) for each in (first, second, third)] == [
        ["AE 0 10000 0"],
        ["S 20 10000 2000"],
        ["S 20 10000 2000"],
    ]
    assert second.lines[0].tax_flag is TaxFlag.ID_INVALID
    flagged = shop.billing.reports.tax(YEAR).flagged
    assert [(each.number, each.flag) for each in flagged] == [
        (second.number, TaxFlag.ID_INVALID),
        (third.number, TaxFlag.ID_INVALID),
    ]


def test_an_outage_leaves_a_confirmation_for_ninety_days(shop: Shop, validator: FakeTaxIds) -> None:
    shop.subscribe(a_company(shop), shop.price(eur("100.00")))
    validator.outage()
    shop.time.advance(days=130)
    charged = [group[:2] for invoice in shop.invoices() for group in groups(invoice)]
    assert charged == ["AE", "AE", "AE", "AE", "S "]
    assert shop.invoices()[4].lines[0].tax_flag is TaxFlag.ID_NOT_CHECKED


def test_without_a_validator_no_id_is_evidence(open_a_shop: Opened) -> None:
    shop = open_a_shop(seller=GERMAN, taxes=TaxPolicy(EU_VAT))
    shop.subscribe(a_company(shop), shop.price(eur("100.00")))
    assert groups(shop.only_invoice()) == ["S 20 10000 2000"]
    assert shop.only_invoice().lines[0].tax_flag is TaxFlag.ID_NOT_CHECKED


def test_a_seller_without_an_id_makes_nobody_owe_his_tax(
    open_a_shop: Opened, validator: FakeTaxIds
) -> None:
    nameless = evolve(GERMAN, tax_id="")
    shop = open_a_shop(seller=nameless, taxes=TaxPolicy(EU_VAT), tax_ids=validator)
    shop.subscribe(a_company(shop), shop.price(eur("100.00")))
    assert groups(shop.only_invoice()) == ["S 20 10000 2000"]
    assert shop.only_invoice().lines[0].tax_flag is TaxFlag.NO_SELLER_ID


def test_an_exempt_customer_is_charged_nothing_while_it_lasts(shop: Shop) -> None:
    embassy = TaxExemption("Exempt: diplomatic mission", "15-1", valid_until=date(2027, 1, 31))
    ada = shop.billing.customers.create(name="Ada", country="DE", tax_exemption=embassy)
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    shop.subscribe(ada, shop.price(eur("100.00")))
    shop.time.advance(days=40)
    first, second = shop.invoices()
    assert groups(first) == ["E 0 10000 0"]
    assert first.taxes[0].reason == "Exempt: diplomatic mission"
    assert groups(second) == ["S 19 10000 1900"]
    edited = shop.billing.customers.update(ada.id, tax_exemption=evolve(embassy, valid_until=None))
    assert edited.tax_exemption == TaxExemption("Exempt: diplomatic mission", "15-1")
    assert shop.billing.customers.update(ada.id, tax_exemption="").tax_exemption is None


def test_an_exemption_counts_with_a_plain_table_too(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate(19)}))
    ada = shop.billing.customers.create(
        name="Ada", country="DE", tax_exemption=TaxExemption("Resale")
    )
    shop.subscribe(ada, shop.price(eur("100.00")))
    assert groups(shop.only_invoice()) == ["E 0 10000 0"]


def test_what_is_no_exemption_is_refused(shop: Shop) -> None:
    with pytest.raises(ValidationError) as refused:
        shop.billing.customers.create(name="Ada", tax_exemption="embassy")  # type: ignore[arg-type]
    assert refused.value.field == "tax_exemption"


# --- who sells ----------------------------------------------------------------------------------


def test_a_small_business_charges_no_tax_and_says_why(open_a_shop: Opened) -> None:
    scheme = SmallBusiness("No VAT is charged: small business, § 19 UStG")
    shop = open_a_shop(seller=GERMAN, taxes=TaxPolicy(EU_VAT, small_business=scheme))
    pro = shop.price(eur("100.00"))
    for country in ("DE", "FR"):
        shop.subscribe(shop.customer(country=country), pro)
    assert [groups(invoice) for invoice in shop.invoices()] == [["E 0 10000 0"]] * 2
    text = shop.billing.invoices.text(shop.invoices()[0].id)
    assert "small business, § 19 UStG" in text


def test_each_seller_has_his_own_country(open_a_shop: Opened) -> None:
    austrian = Seller("Acme Wien", id="wien", address=Address(country="AT"))
    shop = open_a_shop(seller=GERMAN, sellers=[austrian], taxes=TaxPolicy(EU_VAT, oss=False))
    pro = shop.price(eur("100.00"))
    ada = shop.billing.customers.create(name="Ada", country="FR", seller="wien")
    shop.subscribe(ada, pro)
    shop.subscribe(shop.customer(country="FR"), pro)
    assert [groups(invoice) for invoice in shop.invoices()] == [
        ["S 20 10000 2000"],
        ["S 19 10000 1900"],
    ]
    report = shop.billing.reports.tax(YEAR)
    assert [(row.seller, row.percent) for row in report.rows] == [
        ("seller", Decimal(19)),
        ("wien", Decimal(20)),
    ]
    assert report.oss == ()


def test_a_policy_needs_the_country_of_every_seller() -> None:
    refusing: list[Callable[[], object]] = [
        lambda: Billing(taxes=TaxPolicy(EU_VAT), seller=Seller("Acme")),
        lambda: Billing(taxes=TaxPolicy(EU_VAT), seller=GERMAN, sellers=[Seller("B", id="b")]),
    ]
    for opened in refusing:
        with pytest.raises(ValidationError) as refused:
            opened()
        assert refused.value.field == "seller.address.country"
    with pytest.raises(ValidationError) as refused:
        Billing(taxes={"DE": TaxRate(19)})  # type: ignore[arg-type]
    assert refused.value.field == "taxes"


# --- what is sold -------------------------------------------------------------------------------


def test_books_are_charged_seven_per_cent_and_stay_so_in_new_versions(shop: Shop) -> None:
    product = shop.billing.catalog.add_product("Book", tax_category="books")
    book = shop.billing.catalog.add_price(product.id, eur("100.00"), every=MONTHLY)
    pro = shop.price(eur("10.00"))
    ada = shop.customer()
    shop.billing.subscriptions.create(ada.id, [book.id, pro.id])
    assert groups(shop.only_invoice()) == ["S 7 10000 700", "S 19 1000 190"]
    newer = shop.billing.catalog.new_version(book.id, eur("120.00"))
    assert newer.tax_category == "books"
    private = shop.billing.catalog.override(newer.id, ada.id, eur("90.00"))
    assert private.tax_category == "books"


def test_a_price_may_be_in_another_category_than_its_product(shop: Shop) -> None:
    shop.billing.catalog.add_price("Set", eur("10.00"), every=MONTHLY, tax_category="books")
    training = shop.billing.catalog.add_price(
        "Set", eur("5.00"), every=MONTHLY, name="Training", tax_category="exempt"
    )
    shop.subscribe(shop.customer(), training)
    assert groups(shop.only_invoice()) == ["E 0 500 0"]


def test_a_word_that_no_table_knows_is_refused_where_it_is_said(shop: Shop) -> None:
    asks: list[Callable[[], object]] = [
        lambda: shop.billing.catalog.add_product("Book", tax_category="bocks"),
        lambda: shop.billing.catalog.add_price("Book", eur("1.00"), tax_category="bocks"),
        lambda: shop.billing.catalog.add_product("Book", tax_category="Two words"),
        lambda: shop.billing.invoices.create_one_off(
            shop.customer().id, [OneOff("Work", eur("1.00"), tax_category="bocks")]
        ),
    ]
    for ask in asks:
        with pytest.raises(ValidationError) as refused:
            ask()
        assert refused.value.field == "tax_category"
    assert shop.billing.catalog.products().total == 0


def test_rates_of_an_item_replace_all_others(shop: Shop) -> None:
    company = a_company(shop)
    given = TaxRate("4.5")
    invoice = shop.billing.invoices.create_one_off(
        company.id,
        [
            OneOff("Work on site", eur("100.00"), tax_rates=(given,)),
            OneOff("A book", eur("50.00"), tax_category="books"),
        ],
    )
    assert groups(invoice) == ["S 4.5 10000 450", "AE 0 5000 0"]


def test_a_line_that_waits_keeps_its_category_and_its_rates(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada, shop.price(eur("100.00")))
    for line in (
        OneOff("A book", eur("50.00"), tax_category="books"),
        OneOff("Work", eur("10.00"), tax_rates=(GST, QST)),
    ):
        shop.billing.invoices.add_pending_item(ada.id, line)
    shop.time.advance(months=1)
    assert groups(shop.invoices()[-1]) == [
        "S 19 10000 1900",
        "S 7 5000 350",
        "GST S 5 1000 50",
        "QST S 9.975 1000 100",
    ]


# --- several taxes ------------------------------------------------------------------------------


def in_quebec(shop: Shop, token: str | None = "tok_visa") -> Customer:  # noqa: S107 - no password
    ada = shop.billing.customers.create(
        name="Ada", address=Address(city="Montréal", region="QC", country="CA")
    )
    if token is not None:
        shop.billing.payment_methods.attach(ada.id, token)
    return ada


def test_a_canadian_line_bears_two_taxes_through_its_whole_life(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=CANADA)
    basic = shop.price(Money.of("100.00", "CAD"), name="Basic")
    pro = shop.price(Money.of("200.00", "CAD"), name="Pro")
    sub = shop.subscribe(in_quebec(shop), basic)
    first = shop.only_invoice()
    assert groups(first) == ["GST S 5 10000 500", "QST S 9.975 10000 998"]
    assert str(first.total) == "114.98 CAD"
    text = shop.billing.invoices.text(first.id)
    assert "GST 5% on" in text
    assert "QST 9.975% on" in text
    told = shop.billing.invoices.explain(first.id)[0].sentence
    assert "plus 5% GST + 9.975% QST" in told
    # On 17 January 15 of 31 days are left: both taxes go back and are charged anew.
    shop.time.advance(to=date(2027, 1, 17))
    shop.billing.subscriptions.change(sub.id, [pro.id], proration=Proration(Mode.INVOICE_NOW))
    second = shop.invoices()[-1]
    assert shop.lines(second) == ["credit Basic -48.39 CAD", "debit Pro 96.77 CAD"]
    assert groups(second) == ["GST S 5 4838 242", "QST S 9.975 4838 483"]
    report = shop.billing.reports.tax(YEAR)
    assert [(row.name, row.base_minor, row.tax_minor) for row in report.rows] == [
        ("GST", 14838, 742),
        ("QST", 14838, 1481),
    ]
    assert [(total.net_minor, total.tax_minor) for total in report.totals] == [(14838, 2223)]


def test_credit_notes_give_back_both_taxes_to_the_cent(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=CANADA)
    shop.subscribe(in_quebec(shop), shop.price(Money.of("100.00", "CAD")))
    first = shop.only_invoice()
    note = shop.billing.credit_notes.create(first.id, amount=Money.of("50.00", "CAD"), reason="x")
    assert str(note.total) == "50.00 CAD"
    rest = shop.billing.credit_notes.create(first.id, reason="x")
    taxes: Counter[str] = Counter()
    for each in (note, rest):
        taxes.update({group.name: group.tax_minor for group in each.taxes})
    assert taxes == {"GST": 500, "QST": 998}
    assert shop.billing.reports.tax(YEAR).totals[0].tax_minor == 0
    told = shop.billing.credit_notes.text(note.id)
    assert "QST 9.975% on" in told


def test_an_inclusive_price_keeps_its_gross_with_two_taxes_in_it(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=CANADA)
    box = shop.price(Money.of("19.99", "CAD"), tax_behavior=TaxBehavior.INCLUSIVE)
    shop.subscribe(in_quebec(shop), box, quantity=3)
    invoice = shop.only_invoice()
    assert str(invoice.total) == "59.97 CAD"
    # 59.97 / 1.14975 = 52.1591…; of 7.81 tax 5 parts in 14.975 are 2.6076….
    assert groups(invoice) == ["GST S 5 5216 261", "QST S 9.975 5216 520"]
    assert shop.billing.reports.mrr()["CAD"] == Money.of("52.16", "CAD")


# --- when ---------------------------------------------------------------------------------------

HALF_YEAR = TaxRates(
    {
        "DE": {
            date(2007, 1, 1): TaxRate(19),
            date(2020, 7, 1): TaxRate(16),
            date(2021, 1, 1): TaxRate(19),
        }
    }
)


@pytest.mark.parametrize("taxes", [HALF_YEAR, TaxPolicy(EU_VAT)], ids=["table", "policy"])
def test_the_german_half_year(open_a_shop: Opened, taxes: TaxRates | TaxPolicy) -> None:
    shop = open_a_shop(start=date(2020, 5, 15), seller=GERMAN, taxes=taxes)
    ahead = shop.price(eur("100.00"), name="Ahead")
    after = shop.billing.catalog.add_price("After", eur("100.00"), every=MONTHLY, arrears=True)
    shop.billing.subscriptions.create(shop.customer().id, [ahead.id, after.id])
    shop.time.advance(to=date(2021, 2, 20))
    rates = [
        (line.description, str(line.period and line.period.start), str(line.rate.percent))
        for invoice in shop.invoices()
        for line in invoice.lines
    ]
    ahead_of = {start: percent for name, start, percent in rates if name == "Ahead"}
    after_of = {start: percent for name, start, percent in rates if name == "After"}
    # What is paid ahead has the rate of the first day, what is billed afterwards of the last.
    assert ahead_of == {
        "2020-05-15": "19",
        "2020-06-15": "19",
        "2020-07-15": "16",
        "2020-08-15": "16",
        "2020-09-15": "16",
        "2020-10-15": "16",
        "2020-11-15": "16",
        "2020-12-15": "16",
        "2021-01-15": "19",
        "2021-02-15": "19",
    }
    assert after_of == {
        "2020-05-15": "19",
        "2020-06-15": "16",
        "2020-07-15": "16",
        "2020-08-15": "16",
        "2020-09-15": "16",
        "2020-10-15": "16",
        "2020-11-15": "16",
        "2020-12-15": "19",
        "2021-01-15": "19",
    }


def test_a_calendar_month_in_arrears_has_the_rate_of_its_last_day(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2020, 6, 1), seller=GERMAN, taxes=TaxPolicy(EU_VAT))
    after = shop.billing.catalog.add_price("After", eur("100.00"), every=MONTHLY, arrears=True)
    shop.billing.subscriptions.create(shop.customer().id, [after.id])
    shop.time.advance(to=date(2020, 8, 2))
    june, july = shop.invoices()
    assert (june.issued_on, groups(june)) == (date(2020, 7, 1), ["S 19 10000 1900"])
    assert groups(july) == ["S 16 10000 1600"]


def test_a_rate_that_changes_in_a_period_counts_from_the_next_and_credits_have_the_old(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=date(2020, 3, 1), seller=GERMAN, taxes=TaxPolicy(EU_VAT))
    yearly = shop.price(eur("365.00"), every=YEARLY, name="Yearly")
    monthly = shop.price(eur("31.00"), name="Monthly")
    ada = shop.customer()
    sub = shop.billing.subscriptions.create(ada.id, [yearly.id, monthly.id])
    shop.time.advance(to=date(2020, 7, 1))
    assert groups(shop.invoices()[-1]) == ["S 16 3100 496"]
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    credit = shop.invoices()[-1]
    # 243 of 365 days of the year are left; of July all.
    by_name = {line.description: line for line in credit.lines}
    assert by_name["Yearly"].rate.percent == 19
    assert by_name["Monthly"].rate.percent == 16
    assert by_name["Yearly"].net == eur("-243.00")


def test_late_usage_has_the_rate_of_its_own_period(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2020, 6, 1), seller=GERMAN, taxes=TaxPolicy(EU_VAT))
    shop.billing.usage.add_meter("calls")
    price = shop.billing.catalog.add_price("Calls", eur("1.00"), every=MONTHLY, meter="calls")
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2020, 7, 2))
    for id, day in (("late", date(2020, 6, 20)), ("on-time", date(2020, 7, 2))):
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        shop.billing.usage.record(sub.id, "calls", event_id=id, occurred_at=at)
    shop.time.advance(to=date(2020, 8, 2))
    lines = {str(line.kind): line for line in shop.invoices()[-1].lines}
    assert lines["late_usage"].rate.percent == 19
    assert lines["usage"].rate.percent == 16


# --- rounding -----------------------------------------------------------------------------------


def test_the_rounding_of_a_shop_is_on_its_documents() -> None:
    totals: dict[Rounding, str] = {}
    for rounding in Rounding:
        billing = Billing(
            taxes=TaxRates({"DE": TaxRate(5)}),
            rounding=rounding,
            clock=lambda: datetime(2027, 1, 1, tzinfo=UTC),
        )
        ada = billing.customers.create(name="Ada", country="DE")
        price = billing.catalog.add_price("Pro", eur("0.50"), every=Interval.months(1))
        billing.subscriptions.create(ada.id, [price.id])
        (invoice,) = billing.invoices.list()
        once = billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("0.50"))])
        assert invoice.rounding is once.rounding is rounding
        assert invoice.tax == once.tax
        totals[rounding] = str(invoice.tax)
    assert totals == {Rounding.HALF_UP: "0.03 EUR", Rounding.HALF_EVEN: "0.02 EUR"}
    with pytest.raises(ValidationError) as refused:
        Billing(rounding="up")  # type: ignore[arg-type]
    assert refused.value.field == "rounding"


# --- the report ---------------------------------------------------------------------------------


def test_the_rows_of_the_report_are_the_documents(shop: Shop) -> None:
    pro = shop.price(eur("33.33"))
    for country in ("DE", "FR", "AT", "US"):
        shop.subscribe(shop.customer(country=country), pro)
    shop.subscribe(a_company(shop), pro)
    shop.subscribe(shop.customer(None, name="Grace", country="DE"), pro)
    shop.time.advance(to=date(2027, 1, 10))
    wrong = next(each for each in shop.invoices() if each.status.value == "open")
    shop.time.advance(to=date(2027, 4, 10))
    documents = list(shop.billing.invoices.list(limit=1000))
    shop.billing.invoices.void(wrong.id, reason="not ordered")
    (paid, *_) = [x for x in documents if groups(x) == ["S 20 3333 667"]]
    shop.billing.credit_notes.create(paid.id, amount=eur("10.00"), reason="down for a day")
    report = shop.billing.reports.tax(YEAR)
    notes = list(shop.billing.credit_notes.list(limit=1000))
    net = sum(each.net_minor for each in documents) - sum(each.net_minor for each in notes)
    tax = sum(each.tax_minor for each in documents) - sum(each.tax_minor for each in notes)
    net, tax = net - wrong.net_minor, tax - wrong.tax_minor
    assert sum(row.base_minor for row in report.rows) == net
    assert sum(row.tax_minor for row in report.rows) == tax
    assert [(each.net_minor, each.tax_minor) for each in report.totals] == [(net, tax)]
    keys = [(row.country, row.category, row.percent) for row in report.rows]
    assert keys == sorted(set(keys))
    assert {row.country for row in report.rows} == {"AT", "DE", "FR", "US"}
    quarters = [
        shop.billing.reports.tax(Period(date(2027, month, 1), end)).totals
        for month, end in ((1, date(2027, 4, 1)), (4, date(2027, 7, 1)))
    ]
    assert sum(total.tax_minor for part in quarters for total in part) == tax


def test_the_one_stop_shop_is_told_each_quarter_and_corrections_name_theirs(shop: Shop) -> None:
    pro = shop.price(eur("100.00"))
    for country in ("DE", "FR", "US"):
        shop.subscribe(shop.customer(country=country), pro)
    shop.subscribe(a_company(shop), pro)
    shop.time.advance(to=date(2027, 4, 10))
    first = next(x for x in shop.invoices() if groups(x) == ["S 20 10000 2000"])
    shop.billing.credit_notes.create(first.id, amount=eur("12.00"), reason="down for a day")
    report = shop.billing.reports.tax(YEAR)
    told = [
        (row.quarter, row.corrects, row.country, row.percent, row.base_minor, row.tax_minor)
        for row in report.oss
    ]
    assert told == [
        ("2027-Q1", None, "FR", Decimal(20), 30000, 6000),
        ("2027-Q2", None, "FR", Decimal(20), 10000, 2000),
        ("2027-Q2", "2027-Q1", "FR", Decimal(20), -1000, -200),
    ]
    assert (report.oss[0].base, report.oss[0].tax) == (eur("300.00"), eur("60.00"))


def test_a_report_is_of_a_period(shop: Shop) -> None:
    with pytest.raises(ValidationError) as refused:
        shop.billing.reports.tax("2027")  # type: ignore[arg-type]
    assert refused.value.field == "period"


def test_a_reverse_charge_is_no_row_without_its_reason(shop: Shop) -> None:
    shop.subscribe(a_company(shop), shop.price(eur("100.00")))
    (row,) = shop.billing.reports.tax(YEAR).rows
    assert (row.category, row.base, row.tax) == (
        TaxCategory.REVERSE_CHARGE,
        eur("100.00"),
        eur("0.00"),
    )
