"""What a credit note comes to: parts that add up to the invoice, where they go, and the seal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions import Money, Seller, ValidationError
from subscriptions.billing_cycles import Period
from subscriptions.credit_notes import (
    CREDIT_NOTE,
    Amounts,
    CreditNote,
    CreditNoteIssued,
    Division,
    compose,
    credit_note_id,
    divide,
    issue,
    left_of_lines,
    left_of_total,
    of_amount,
    of_lines,
    seal,
    verify_chain,
)
from subscriptions.customers import Address
from subscriptions.discounts import DiscountShare
from subscriptions.errors import DomainError
from subscriptions.ids import CouponId, CreditNoteId, InvoiceId
from subscriptions.invoices import (
    ApplyCredit,
    Charge,
    Invoice,
    InvoiceCredited,
    InvoicePaid,
    MarkVoid,
    Open,
    Paid,
    Party,
    SellerSnapshot,
    Uncollectible,
    decide,
    finalize,
    totals_of,
)
from subscriptions.invoices import compose as compose_invoice
from subscriptions.invoices import seal as seal_invoice
from subscriptions.money import EUR, USD, Rounding
from subscriptions.taxes import TaxBehavior, TaxCategory, TaxGroup, TaxRate
from subscriptions.testing.builders import (
    a_credit_note,
    a_customer,
    a_draft,
    a_seller,
    an_invoice,
)

NOON = datetime(2027, 2, 8, 12, tzinfo=UTC)
FULL, LOW = TaxRate("19"), TaxRate("7")
EXEMPT = TaxRate(0, TaxCategory.EXEMPT, "Small business")
GROSS = TaxBehavior.INCLUSIVE


def invoiced(*charges: Charge, rounding: Rounding = Rounding.HALF_UP) -> Invoice:
    """Return a final invoice of charges."""
    composed = compose_invoice(
        InvoiceId("inv_ada"),
        a_customer(),
        charges,
        currency=EUR,
        seller=a_seller(),
        automatic=False,
        rounding=rounding,
    )
    ready = finalize(composed, a_customer(), seller=a_seller(), salt="salt").after
    assert isinstance(ready, Invoice)
    final = seal_invoice(ready, before=None, number="INV-1", previous_hash="", at=NOON).after
    assert isinstance(final, Invoice)
    return final


def note_of(
    invoice: Invoice, amounts: Amounts, ordinal: int = 1, *, previous_hash: str = ""
) -> CreditNote:
    """Return a sealed credit note."""
    draft = compose(
        invoice,
        amounts,
        a_customer(),
        ordinal=ordinal,
        division=Division(0, 0, amounts.total_minor, 0),
        reason="a mistake",
        seller=a_seller(),
        salt=f"salt-{ordinal}",
    )
    sealed = seal(draft, number=f"CN-{ordinal}", previous_hash=previous_hash, at=NOON).after
    assert isinstance(sealed, CreditNote)
    return sealed


def eur(minor: int) -> Money:
    return Money(minor, EUR)


def taxes_of(groups: Sequence[TaxGroup]) -> dict[str, tuple[int, int]]:
    return {f"{g.category} {g.percent}": (g.base_minor, g.tax_minor) for g in groups}


def figures(notes: Sequence[Amounts | CreditNote]) -> Counter[str]:
    """Add up every figure of credit notes, by what it is of."""
    found: Counter[str] = Counter()
    for note in notes:
        found["net"] += note.net_minor
        found["tax"] += note.tax_minor
        found["total"] += note.total_minor
        for line in note.lines:
            found[f"amount of line {line.line}"] += line.amount_minor
            found[f"net of line {line.line}"] += line.net_minor
        for name, (base, tax) in taxes_of(note.taxes).items():
            found[f"base of {name}"] += base
            found[f"tax of {name}"] += tax
    return found


def whole(invoice: Invoice) -> Counter[str]:
    """Return every figure of an invoice that credit notes may take back."""
    found = Counter(net=invoice.net_minor, tax=invoice.tax_minor, total=invoice.total_minor)
    for place, line in enumerate(invoice.lines):
        found[f"amount of line {place}"] = line.amount_minor - line.discount_minor
        found[f"net of line {place}"] = line.net_minor
    for name, (base, tax) in taxes_of(invoice.taxes).items():
        found[f"base of {name}"] = base
        found[f"tax of {name}"] = tax
    return found


# ---- a full series ends at zero ------------------------------------------------------------------


@st.composite
def charges(draw: st.DrawFn, *, least: int = 0) -> Charge:
    amount = draw(st.integers(least, 5000))
    discount = draw(st.integers(0, max(amount, 0)))
    shares = (DiscountShare(CouponId("cpn"), "Coupon", discount),) if discount else ()
    return Charge(
        "Work",
        amount,
        draw(st.sampled_from([FULL, LOW, EXEMPT])),
        draw(st.sampled_from(list(TaxBehavior))),
        discounts=shares,
    )


@st.composite
def invoices(draw: st.DrawFn, *, least: int = 0) -> Invoice:
    """Draw a final invoice of several rates, with and without tax in its prices."""
    found = st.lists(charges(least=least), min_size=1, max_size=6)
    rounding = draw(st.sampled_from(list(Rounding)))
    drawn = draw(found.filter(lambda each: totals_of(each, rounding=rounding).gross_minor > 0))
    return invoiced(*drawn, rounding=rounding)


@st.composite
def credit_series(draw: st.DrawFn, *, least: int = 0) -> tuple[Invoice, list[CreditNote]]:
    """Draw credits of one invoice, by line and by amount in any order, until all is credited."""
    invoice = draw(invoices(least=least))
    notes: list[CreditNote] = []
    for _ in range(draw(st.integers(0, 8))):
        try:
            part = draw(parts(invoice, notes))
        except DomainError:
            continue  # two lines that are together more than is left, or nothing
        notes.append(note_of(invoice, part, len(notes) + 1))
    if left_of_total(invoice, notes):
        try:
            notes.append(note_of(invoice, of_lines(invoice, notes), len(notes) + 1))
        except DomainError:
            notes.append(
                note_of(invoice, of_amount(invoice, notes, left_of_total(invoice, notes)), 99)
            )
    return invoice, notes


@st.composite
def parts(draw: st.DrawFn, invoice: Invoice, notes: Sequence[CreditNote]) -> Amounts:
    """Draw a credit of what is left: some lines in part or in full, or an amount."""
    left = left_of_total(invoice, notes).minor
    if draw(st.booleans()):
        return of_amount(invoice, notes, eur(draw(st.integers(1, max(left, 1)))))
    lines: dict[int, Money] = {}
    for place, rest in enumerate(left_of_lines(invoice, notes)):
        minor = draw(st.integers(min(0, rest.minor), max(0, rest.minor)))
        if minor:
            lines[place] = eur(minor)
    return of_lines(invoice, notes, lines)


@given(credit_series())
def test_any_series_that_credits_everything_is_exactly_the_invoice(
    made: tuple[Invoice, list[CreditNote]],
) -> None:
    invoice, notes = made
    expected = Counter({name: minor for name, minor in whole(invoice).items() if minor})
    found = figures(notes)
    assert {name: minor for name, minor in found.items() if minor} == expected


@given(credit_series())
def test_no_credit_takes_more_than_is_left_or_gives_anything_back(
    made: tuple[Invoice, list[CreditNote]],
) -> None:
    invoice, notes = made
    most = whole(invoice)
    for count in range(1, len(notes) + 1):
        assert all(minor >= 0 for minor in figures(notes[count - 1 : count]).values())
        assert all(minor <= most[name] for name, minor in figures(notes[:count]).items())


@given(credit_series(least=-2000))
def test_a_series_with_reductions_ends_at_the_total_of_each_tax(
    made: tuple[Invoice, list[CreditNote]],
) -> None:
    invoice, notes = made
    assert left_of_total(invoice, notes).minor == 0
    found = figures(notes)
    assert found["net"] + found["tax"] == found["total"] == invoice.total_minor
    assert all(note.total_minor > 0 for note in notes)


@given(invoices(), st.data())
def test_the_figures_of_a_note_add_up(invoice: Invoice, data: st.DataObject) -> None:
    try:
        amounts = data.draw(parts(invoice, []))
    except DomainError:
        return
    assert amounts.net_minor == sum(line.net_minor for line in amounts.lines)
    assert amounts.net_minor == sum(group.base_minor for group in amounts.taxes)
    assert amounts.tax_minor == sum(group.tax_minor for group in amounts.taxes)
    assert amounts.total_minor == amounts.net_minor + amounts.tax_minor


@given(st.lists(st.integers(1, 999), min_size=1, max_size=8), st.sampled_from([FULL, LOW]))
def test_the_tax_of_parts_of_a_line_is_the_rounded_tax_of_all_so_far(
    minors: list[int], rate: TaxRate
) -> None:
    invoice = invoiced(Charge("Work", sum(minors), rate))
    notes: list[CreditNote] = []
    for minor in minors:
        notes.append(note_of(invoice, of_lines(invoice, notes, {0: eur(minor)})))
        base = sum(each.net_minor for each in notes)
        exact = Decimal(base) * rate.percent / 100
        tax = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
        assert (base, sum(each.tax_minor for each in notes)) == (sum(minors[: len(notes)]), tax)


@given(st.lists(st.integers(1, 999), min_size=1, max_size=8), st.sampled_from([FULL, LOW]))
def test_parts_of_an_inclusive_line_keep_their_gross_and_its_share_of_the_net(
    minors: list[int], rate: TaxRate
) -> None:
    gross = sum(minors)
    invoice = invoiced(Charge("Work", gross, rate, GROSS))
    notes: list[CreditNote] = []
    for minor in minors:
        notes.append(note_of(invoice, of_lines(invoice, notes, {0: eur(minor)})))
        assert notes[-1].total_minor == minor
        so_far = sum(minors[: len(notes)])
        exact = Decimal(invoice.net_minor * so_far) / gross
        net = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
        assert sum(each.net_minor for each in notes) == net


@given(invoices(), st.data())
def test_an_amount_is_credited_to_the_unit(invoice: Invoice, data: st.DataObject) -> None:
    minor = data.draw(st.integers(1, invoice.total_minor))
    amounts = of_amount(invoice, [], eur(minor))
    assert amounts.total_minor == minor
    for line in amounts.lines:
        # Its share of the total, as far as whole units of its rate's net and tax allow it.
        priced = invoice.lines[line.line]
        share = Decimal(minor * priced.net_minor) / invoice.total_minor
        assert abs(line.net_minor - share) <= 2


# ---- particular credits --------------------------------------------------------------------------


def test_a_line_is_credited_with_the_tax_of_its_rate() -> None:
    invoice = invoiced(Charge("Book", 1000, LOW), Charge("Work", 2000, FULL))
    amounts = of_lines(invoice, [], {1: eur(500)})
    (line,) = amounts.lines
    assert (line.line, line.description, line.amount, line.net) == (1, "Work", eur(500), eur(500))
    assert taxes_of(amounts.taxes) == {"S 19": (500, 95)}
    assert left_of_lines(invoice, [note_of(invoice, amounts)]) == (eur(1000), eur(1500))


def test_what_a_discount_took_off_is_not_credited() -> None:
    share = DiscountShare(CouponId("cpn"), "Half price", 500)
    invoice = invoiced(Charge("Work", 1000, FULL, discounts=(share,)))
    assert left_of_lines(invoice, []) == (eur(500),)
    assert of_lines(invoice, []).total_minor == invoice.total_minor == 595


def test_an_amount_no_net_has_as_its_gross_leaves_a_unit_of_tax_for_later() -> None:
    # At 19 % a net of 0.02 has a gross of 0.02, and a net of 0.03 one of 0.04.
    invoice = invoiced(Charge("Work", 3, FULL))
    first = note_of(invoice, of_amount(invoice, [], eur(3)))
    assert (first.net_minor, first.tax_minor) == (3, 0)
    for rest in (of_amount(invoice, [first], eur(1)), of_lines(invoice, [first])):
        assert (rest.net_minor, rest.tax_minor) == (0, 1)
        assert [(line.line, line.amount_minor) for line in rest.lines] == [(0, 0)]
    assert taxes_of(of_lines(invoice, [first]).taxes) == {"S 19": (0, 1)}


def test_an_amount_spares_what_is_credited_already() -> None:
    invoice = invoiced(Charge("A", 1000, EXEMPT), Charge("B", 1000, EXEMPT))
    first = note_of(invoice, of_lines(invoice, [], {0: eur(1000)}))
    spread = of_amount(invoice, [first], eur(400))
    assert [(line.line, line.amount_minor) for line in spread.lines] == [(1, 400)]


def test_a_reduction_is_credited_with_the_line_that_it_reduced() -> None:
    invoice = invoiced(Charge("Work", 1000, FULL), Charge("Reduction", -400, FULL))
    assert of_lines(invoice, []).total_minor == invoice.total_minor == 714
    half = of_amount(invoice, [], eur(357))
    assert [line.amount_minor for line in half.lines] == [500, -200]
    with pytest.raises(ValidationError) as refused:
        of_lines(invoice, [], {0: eur(1000)})
    assert "at most 7.14 EUR" in str(refused.value)
    both = of_lines(invoice, [], {0: eur(1000), 1: eur(-400)})
    assert both.total_minor == invoice.total_minor


def test_a_rate_of_which_only_reductions_are_left_is_credited_below_zero() -> None:
    invoice = invoiced(Charge("Work", 2000, LOW), Charge("Reduction", -1000, FULL))
    amounts = of_amount(invoice, [], eur(95))
    assert amounts.total_minor == 95
    assert taxes_of(amounts.taxes) == {"S 7": (200, 14), "S 19": (-100, -19)}


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ({1: eur(1)}, "lines"),
        ({-1: eur(1)}, "lines"),
        ({True: eur(1)}, "lines"),
        ({0: eur(0)}, "lines[0]"),
        ({0: eur(-1)}, "lines[0]"),
        ({0: eur(2901)}, "lines[0]"),
        ({0: Money(1, USD)}, "lines[0]"),
        ({0: "1.00"}, "lines[0]"),
        ({}, "lines"),
    ],
)
def test_a_line_that_cannot_be_credited_is_refused(lines: Any, field: str) -> None:  # noqa: ANN401
    with pytest.raises(ValidationError) as refused:
        of_lines(an_invoice(), [], lines)
    assert refused.value.field == field


@pytest.mark.parametrize("amount", [eur(0), eur(-1), eur(3452), Money(1, USD), "1.00"])
def test_an_amount_that_cannot_be_credited_is_refused(amount: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValidationError) as refused:
        of_amount(an_invoice(), [], amount)
    assert refused.value.field == "amount"


def test_nothing_is_left_after_a_full_credit() -> None:
    invoice = an_invoice()
    note = note_of(invoice, of_lines(invoice, []))
    assert (left_of_lines(invoice, [note]), left_of_total(invoice, [note])) == ((eur(0),), eur(0))
    with pytest.raises(ValidationError):
        of_lines(invoice, [note])


# ---- where the total goes ------------------------------------------------------------------------


def test_what_is_owed_comes_first_and_the_rest_goes_to_the_balance() -> None:
    invoice = an_invoice(paid_minor=2000)
    assert divide(invoice, eur(1000)) == Division(1000, 0, 0, 0)
    assert divide(invoice, eur(3451)) == Division(1451, 0, 2000, 0)


def test_the_rest_is_divided_as_asked() -> None:
    invoice = an_invoice(paid_minor=2000)
    divided = divide(invoice, eur(3451), refund=eur(500), balance=eur(600), outside=eur(900))
    assert divided == Division(1451, 500, 600, 900)
    assert divide(invoice, eur(3451), outside=eur(2000)) == Division(1451, 0, 0, 2000)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"refund": eur(1999)}, "refund + balance + outside"),
        ({"balance": eur(2001)}, "refund + balance + outside"),
        ({"outside": eur(0)}, "refund + balance + outside"),
        ({"refund": eur(-1), "balance": eur(2001)}, "refund"),
        ({"outside": Money(2000, USD)}, "outside"),
        ({"balance": 2000}, "balance"),
    ],
)
def test_parts_that_are_not_the_rest_are_refused(parts: Mapping[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        divide(an_invoice(paid_minor=2000), eur(3451), **parts)
    assert refused.value.field == field


# ---- what it does to the invoice -----------------------------------------------------------------

NOTE = CreditNoteId("cn_1")


def after(invoice: Invoice, total_minor: int) -> tuple[Invoice, tuple[object, ...]]:
    change = decide(invoice, ApplyCredit(NOTE, total_minor, NOON))
    assert isinstance(change.after, Invoice)
    assert change.after.version == invoice.version + len(change.events)
    return change.after, change.events


def test_a_part_lowers_what_is_owed() -> None:
    invoice, events = after(an_invoice(paid_minor=1000), 451)
    assert (invoice.state, invoice.credited, invoice.amount_due) == (Open(), eur(451), eur(2000))
    assert events == (InvoiceCredited(invoice.id, invoice.customer, NOTE, eur(451), eur(2000)),)


@pytest.mark.parametrize("state", [Open(), Uncollectible(NOON, "moved away")])
def test_an_invoice_of_which_nothing_is_left_to_pay_is_paid(state: Open | Uncollectible) -> None:
    invoice, events = after(an_invoice(paid_minor=1000, state=state), 3000)
    assert (invoice.state, invoice.credited, invoice.amount_due) == (
        Paid(NOON),
        eur(2451),
        eur(0),
    )
    assert [type(event) for event in events] == [InvoiceCredited, InvoicePaid]


def test_a_paid_invoice_stays_as_it_is_and_knows_of_the_credit() -> None:
    before = an_invoice(paid_minor=3451, state=Paid(NOON))
    invoice, events = after(before, 1000)
    assert invoice == evolve(before, version=before.version + 1)
    assert [type(event) for event in events] == [InvoiceCredited]


def test_a_credit_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError):
        decide(an_invoice(), ApplyCredit(NOTE, 0, NOON))


@pytest.mark.parametrize(
    "changes", [{"paid_minor": 1}, {"credited_minor": 1}, {"state": Paid(NOON)}]
)
def test_who_would_void_what_was_paid_or_credited_is_told_of_credit_notes(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(DomainError, match=r"credit_notes\.create"):
        decide(an_invoice(**changes), MarkVoid("a mistake", NOON))


# ---- the document --------------------------------------------------------------------------------


def test_it_names_its_invoice_and_freezes_who_sells_and_who_buys() -> None:
    note = a_credit_note()
    assert (note.invoice, note.invoice_number) == ("inv_ada", "INV-inv_ada")
    assert (note.invoice_issued_on, note.issued_on) == (date(2027, 1, 31), date(2027, 1, 31))
    assert note.party is not None
    assert (note.seller, note.party.name) == (a_seller().snapshot, "Ada Lovelace")
    assert (note.net, note.tax, note.total) == (eur(2900), eur(551), eur(3451))
    assert (note.taken_off, note.refund, note.balance, note.outside) == (
        eur(3451),
        eur(0),
        eur(0),
        eur(0),
    )
    assert {c.name: c.get(note) for c in CREDIT_NOTE.columns} == {
        "customer": "cus_ada",
        "invoice": "inv_ada",
        "number": "CN-cn_ada",
        "issued_on": date(2027, 1, 31),
        "currency": "EUR",
        "net_minor": 2900,
        "tax_minor": 551,
        "total_minor": 3451,
        "seller": "seller",
        "series": "seller/credit_note/CN-{year}-{counter:05}",
    }


def test_a_draft_cannot_be_corrected() -> None:
    draft = a_draft()
    with pytest.raises(ValidationError):
        note_of(draft, of_lines(draft, []))


def test_a_reason_is_needed() -> None:
    invoice = an_invoice()
    with pytest.raises(ValidationError):
        compose(
            invoice,
            of_lines(invoice, []),
            a_customer(),
            ordinal=1,
            division=Division(3451, 0, 0, 0),
            reason=" ",
            seller=a_seller(),
            salt="salt",
        )


def test_it_takes_the_number_of_a_series_of_its_own() -> None:
    seller = Seller(id="acme")
    issued = issue(evolve(a_credit_note(), number=None), seller)
    assert issued.series == "acme/credit_note/CN-{year}-{counter:05}"
    assert issued.opening == seller.credit_note_numbers


def test_sealing_tells_of_it() -> None:
    note = evolve(a_credit_note(), version=0)
    change = seal(note, number="CN-7", previous_hash="", at=NOON)
    assert change.after.version == 1
    assert change.events == (
        CreditNoteIssued(note.id, note.customer, note.invoice, "CN-7", eur(3451)),
    )


def test_the_notes_of_an_invoice_have_ids_of_their_own() -> None:
    ids = {credit_note_id("acme", InvoiceId("inv_1"), ordinal) for ordinal in (1, 2, 3)}
    assert len(ids) == 3


def test_what_was_sealed_verifies_and_a_note_in_between_is_missed() -> None:
    invoice = an_invoice()
    notes: list[CreditNote] = []
    for ordinal in (1, 2, 3):
        part = of_amount(invoice, notes, eur(1000))
        previous = notes[-1].hash if notes else ""
        notes.append(note_of(invoice, part, ordinal, previous_hash=previous))
    assert list(verify_chain(notes)) == []
    erased = [evolve(note, party=None, salt="") for note in notes]
    assert list(verify_chain(erased)) == []
    (broken,) = verify_chain([notes[0], notes[2]])
    assert (broken.number, "before" in broken.finding) == ("CN-3", True)


FREE = {"version", "zone", "hash"}


def tampered(record: Any, at: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield a record with one value changed, for each value in it, however deep."""
    for each in record.__attrs_attrs__:
        value: Any = getattr(record, each.name)
        place = f"{at}{each.name}"
        if not each.init or place in FREE:
            continue
        if isinstance(value, tuple):
            parts: list[Any] = [*value]
            for index, part in enumerate(parts):
                for where, changed in tampered(part, f"{place}[{index}]."):
                    mixed = (*parts[:index], changed, *parts[index + 1 :])
                    yield where, evolve(record, **{each.name: mixed})
            if parts:
                yield f"{place} less one", evolve(record, **{each.name: (*parts[:-1],)})
        elif isinstance(value, Party | SellerSnapshot | Address | Division):
            for where, changed in tampered(value, f"{place}."):
                yield where, evolve(record, **{each.name: changed})
        else:
            yield place, evolve(record, **{each.name: another(each.name, value)})


OTHER: dict[str, object] = {
    "currency": USD,
    "rate": LOW,
    "category": TaxCategory.ZERO,
    "behavior": GROSS,
    "period": Period(date(2027, 1, 31), date(2027, 3, 1)),
    "country": "FR",
    "percent": Decimal(7),
    "issued_at": NOON,
    "issued_on": date(2027, 2, 9),
    "invoice_issued_on": date(2027, 2, 9),
}


def another(name: str, value: object) -> object:
    if name in OTHER:
        return OTHER[name]
    return value + 1 if isinstance(value, int) else f"{value}!"


def test_a_change_of_any_frozen_value_is_found() -> None:
    places = dict(tampered(a_credit_note()))
    assert {"total_minor", "lines[0].rate", "division.open_minor", "reason"} <= set(places)
    assert {"seller.iban", "party.email", "salt", "invoice_number"} <= set(places)
    missed = [place for place, each in places.items() if not list(verify_chain([each]))]
    assert missed == []
