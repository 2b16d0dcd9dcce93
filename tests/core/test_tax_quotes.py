"""What a tax engine is asked, which answers are some, and how long an invoice waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from attrs import evolve

from subscriptions import Seller
from subscriptions.customers import Address
from subscriptions.discounts import DiscountShare
from subscriptions.errors import ValidationError
from subscriptions.ids import CouponId, InvoiceId, PriceId
from subscriptions.invoices import Charge, Draft, InvoiceTaxPending, LineRef, Taxing, put_off
from subscriptions.tax_quotes import (
    TaxQuote,
    TaxQuotePolicy,
    TaxRequest,
    fits,
    flagged,
    is_asked_about,
    quoted,
    request_for,
)
from subscriptions.taxes import TaxBehavior, TaxExemption, TaxFlag, TaxRate
from subscriptions.testing.builders import a_customer, an_invoice

DAY = date(2027, 2, 1)
TEN, TWENTY, STATE = TaxRate("10"), TaxRate("20"), TaxRate("6", name="State")
SOLD = Charge("Work", 1000, TaxRate("50"), TaxBehavior.INCLUSIVE, tax_category="reduced")
PRICED = evolve(SOLD, price=PriceId("price_pro"), tax_flag=TaxFlag.ID_INVALID)
OWN = evolve(SOLD, tax_category="")
CREDIT = evolve(SOLD, amount_minor=-500, credits=LineRef(InvoiceId("inv_1"), 0))
CHARGES = (SOLD, CREDIT, PRICED, OWN)


def asked(*charges: Charge, **customer: object) -> TaxRequest:
    return request_for(
        an_invoice(),
        charges or CHARGES,
        a_customer(**customer),
        seller=Seller("Acme"),
        categories={"price_pro": "standard"},
        on=DAY,
    )


def test_it_is_asked_about_what_is_sold_and_not_about_credits_and_own_rates() -> None:
    assert [is_asked_about(each) for each in CHARGES] == [True, False, True, False]
    lines = asked().lines
    assert [(line.amount_minor, line.tax_category) for line in lines] == [
        (1000, "reduced"),
        (1000, "standard"),
    ]
    assert {line.behavior for line in lines} == {TaxBehavior.INCLUSIVE}


def test_amounts_are_after_discounts() -> None:
    share = DiscountShare(CouponId("cpn_1"), "Ten off", 100)
    assert asked(evolve(SOLD, discounts=(share, share))).lines[0].amount_minor == 800


def test_an_exemption_goes_along_while_it_counts() -> None:
    exemption = TaxExemption("Resale certificate", valid_until=DAY)
    assert asked(tax_exemption=exemption).exemption == "Resale certificate"
    over = evolve(exemption, valid_until=DAY - timedelta(days=1))
    assert asked(tax_exemption=over).exemption is None
    assert asked().exemption is None


def test_the_key_is_that_of_the_question() -> None:
    assert asked().key == asked().key
    others = [
        asked(SOLD),
        asked(address=Address(country="CA")),
        asked(tax_id="DE136695976"),
        evolve(asked(), on=DAY),
    ]
    assert len({asked().key, *[each.key for each in others[:3]]}) == 4
    assert others[3].key == asked().key


def test_a_quote_has_the_taxes_of_each_line() -> None:
    assert fits(TaxQuote(((TEN,), (TEN, STATE))), asked())
    assert not fits(TaxQuote(((TEN,),)), asked())
    assert not fits(TaxQuote(()), asked())


@pytest.mark.parametrize("wrong", [((),), (("10",),), ([TEN],), ((TEN, TEN),)], ids=repr)
def test_a_quote_without_taxes_is_none(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TaxQuote(wrong)  # type: ignore[arg-type]  # as an untyped adapter may


def test_a_quote_replaces_the_table_and_credits_mirror_what_was_charged() -> None:
    taxed = quoted(CHARGES, TaxQuote(((TEN,), (TWENTY, STATE))), {1: (STATE, TEN)})
    assert [(each.rate, *each.more_rates) for each in taxed] == [
        (TEN,),
        (STATE, TEN),
        (TWENTY, STATE),
        (TaxRate("50"),),
    ]
    assert {each.tax_flag for each in taxed} == {None}
    assert [each.amount_minor for each in taxed] == [1000, -500, 1000, 1000]


def test_by_the_table_each_line_that_was_asked_about_says_so() -> None:
    taxed = flagged(CHARGES, {1: (TEN,)})
    assert [each.tax_flag for each in taxed] == [
        TaxFlag.NOT_QUOTED,
        None,
        TaxFlag.NOT_QUOTED,
        None,
    ]
    assert [str(each.rate.percent) for each in taxed] == ["50", "10", "50", "50"]


def test_it_waits_longer_after_each_try_and_then_daily() -> None:
    policy = TaxQuotePolicy()
    hours = [policy.wait(tries) / timedelta(hours=1) for tries in range(1, 7)]
    assert hours == [pytest.approx(1 / 12), 1, 6, 24, 24, 24]
    assert not policy.falls_back(1000)
    assert [TaxQuotePolicy(3).falls_back(tries) for tries in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"fall_back_after": 0},
        {"fall_back_after": True},
        {"fall_back_after": 1.5},
        {"retries": ()},
        {"retries": (timedelta(),)},
        {"retries": (5,)},
    ],
    ids=str,
)
def test_a_policy_that_cannot_hold_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="tax_quote_policy"):
        TaxQuotePolicy(**wrong)  # type: ignore[arg-type]  # as an untyped caller may


def test_a_draft_that_is_put_off_counts_its_tries() -> None:
    until = datetime(2027, 2, 2, tzinfo=UTC)
    draft = evolve(an_invoice(), state=Draft(), number=None)
    change = put_off(draft, tries=1, reason="x" * 300, until=until)
    assert change.after == evolve(
        draft, version=draft.version + 1, taxing=Taxing(1, "x" * 200), finalize_at=until
    )
    assert change.events == (InvoiceTaxPending(draft.id, draft.customer, "x" * 200, 1),)
    kept = evolve(draft, taxing=Taxing(gives_back=True))
    again = put_off(kept, tries=2, reason="y", until=until)
    assert again.after == evolve(
        kept,
        version=draft.version + 1,
        taxing=Taxing(2, "y", gives_back=True),
        finalize_at=until,
    )
