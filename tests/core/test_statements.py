"""Lines of bank statements: what tells them apart, how files are read, whose money they are."""

from __future__ import annotations

import random
from datetime import date

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions import statements
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import BankLineId, CustomerId, InvoiceId, PaymentId
from subscriptions.money import EUR, USD, Money
from subscriptions.payment_references import creditor_reference, grouped
from subscriptions.statements import (
    BankLine,
    Booked,
    Candidate,
    Confidence,
    Dismissed,
    LineState,
    Outgoing,
    Proposal,
    Reason,
    StatementLine,
    Waiting,
    book,
    candidates,
    dismiss,
    identified,
    propose,
    same_name,
    take_in,
)
from subscriptions.statements.camt import read_camt
from subscriptions.statements.csv_files import CsvFormat, read_csv
from subscriptions.testing.builders import AT, a_bank_line

DAY = date(2027, 1, 5)


def _line(amount: int = 2900, text: str = "", **given: str) -> StatementLine:
    return StatementLine(DAY, Money(amount, EUR), text=text, **given)


def _open(n: int, due: int = 2900, *, customer: str = "", name: str = "Ada Lovelace") -> Candidate:
    number = f"INV-2027-{n:05}"
    return Candidate(
        InvoiceId(f"inv_{n}"),
        CustomerId(customer or f"cus_{n}"),
        number,
        creditor_reference(number),
        due,
        EUR,
        (name,) if name else (),
    )


# ---- records ------------------------------------------------------------------------------------


def _ids(lines: list[StatementLine], account: str = "DE89") -> list[str]:
    return [id for id, _, _ in identified(lines, tenant="acme", account=account)]


LINES = st.builds(
    StatementLine,
    st.just(DAY),
    st.builds(Money, st.integers(1, 3), st.just(EUR)),
    name=st.sampled_from(["Ada", "Bob"]),
    text=st.sampled_from(["", "thanks"]),
    bank_reference=st.sampled_from(["", "NONREF", "A1", "A2"]),
)


@given(st.lists(LINES, max_size=12))
def test_a_statement_gives_the_same_ids_each_time_and_no_id_twice(
    lines: list[StatementLine],
) -> None:
    ids = _ids(lines)
    assert ids == _ids(lines)
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(_ids(lines, "another account"))


@given(st.lists(LINES, max_size=6), st.lists(LINES, max_size=6))
def test_a_longer_statement_gives_its_first_lines_the_same_ids(
    first: list[StatementLine], more: list[StatementLine]
) -> None:
    assert _ids(first + more)[: len(first)] == _ids(first)


def test_spaces_in_a_text_make_no_other_line() -> None:
    one, other = _line(text="thanks  a lot"), _line(text=" thanks a\nlot")
    assert one.identity == other.identity
    assert _line(bank_reference="A1").identity != _line(bank_reference="A2").identity


def test_a_line_is_of_a_day_and_not_of_nothing() -> None:
    for wrong in (Money(0, EUR), 5, "5.00"):
        with pytest.raises(ValidationError):
            StatementLine(DAY, wrong)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        StatementLine(AT, Money(1, EUR))
    with pytest.raises(ValidationError):
        _line(text="x" * 2001)
    with pytest.raises(ValidationError):
        _line(name="a\x00b")


def test_money_that_comes_in_waits_and_money_that_goes_out_is_only_kept() -> None:
    for amount, status in ((1, "waiting"), (-1, "outgoing")):
        change = take_in(
            BankLineId("bkl_1"), _line(amount), 1, tenant="acme", account="DE89", at=AT
        )
        assert isinstance(change.after, BankLine)
        assert (change.after.status, change.after.payment) == (status, None)


STATES: list[LineState] = [
    Waiting(),
    Booked(AT, PaymentId("pay_1")),
    Dismissed(AT, "rent"),
    Outgoing(),
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
def test_every_state_allows_what_the_table_says(state: LineState) -> None:
    line = a_bank_line(state=state)
    allowed = statements.ALLOWED[type(state)]
    by_hand = {"customer": CustomerId("cus_1"), "payment": PaymentId("pay_2")}
    if Booked in allowed:
        after = book(line, at=AT, by_hand=True, **by_hand).after  # type: ignore[arg-type]
        assert isinstance(after, BankLine)
        assert (after.payment, after.customer) == ("pay_2", "cus_1")
    else:
        with pytest.raises(InvalidTransition):
            book(line, at=AT, by_hand=True, **by_hand)  # type: ignore[arg-type]
    if Dismissed in allowed:
        assert dismiss(line, reason="rent", at=AT).after.version == line.version + 1
    else:
        with pytest.raises(InvalidTransition):
            dismiss(line, reason="rent", at=AT)


def test_money_that_went_out_is_never_booked_though_it_was_dismissed() -> None:
    gone = a_bank_line(state=Dismissed(AT, "fee"), line=_line(-300))
    with pytest.raises(InvalidTransition):
        book(gone, customer=CustomerId("cus_1"), payment=PaymentId("p"), at=AT, by_hand=True)


# ---- whose money it is --------------------------------------------------------------------------


def _best(line: StatementLine, *found: Candidate, known: str = "") -> Proposal | None:
    before = frozenset([CustomerId(known)] if known else [])
    return next(iter(propose(line, candidates(found), paid_before=before)), None)


@pytest.mark.parametrize(
    "text",
    [
        "INV-2027-00001",
        creditor_reference("INV-2027-00001"),
        grouped(creditor_reference("INV-2027-00001")),
        f"{creditor_reference('INV-2027-00001')} INV-2027-00001",
    ],
)
def test_a_reference_and_the_amount_are_exact(text: str) -> None:
    best = _best(_line(text=text), _open(1), _open(2))
    assert best is not None
    assert (best.invoices, best.confidence) == (("inv_1",), Confidence.EXACT)
    assert Reason.AMOUNT in best.reasons


def test_a_structured_reference_counts_like_one_in_the_text() -> None:
    line = _line(reference=creditor_reference("INV-2027-00001"), name="LOVELACE ADA")
    best = _best(line, _open(1))
    assert best is not None
    assert best.reasons == (Reason.REFERENCE, Reason.AMOUNT, Reason.NAME)


@pytest.mark.parametrize("amount", [1, 2899, 2901, 290000])
def test_another_amount_is_never_exact(amount: int) -> None:
    best = _best(_line(amount, "INV-2027-00001"), _open(1))
    assert best is not None
    assert best.confidence is Confidence.NAMED


def test_several_invoices_of_one_customer_are_exact_by_their_sum() -> None:
    text = "INV-2027-00001, INV-2027-00002"
    both = (_open(1, 1000, customer="cus_a"), _open(2, 1900, customer="cus_a"))
    best = _best(_line(2900, text), *both)
    assert best is not None
    assert (best.invoices, best.confidence) == (("inv_1", "inv_2"), Confidence.EXACT)
    less = _best(_line(1000, text), *both)
    assert less is not None
    assert less.confidence is Confidence.NAMED


def test_invoices_of_two_customers_are_for_a_person() -> None:
    found = propose(_line(5800, "INV-2027-00001 INV-2027-00002"), candidates([_open(1), _open(2)]))
    assert [each.confidence for each in found] == [Confidence.NAMED] * 2


def test_one_number_of_two_sellers_is_for_a_person() -> None:
    twin = evolve(_open(1), invoice=InvoiceId("inv_twin"), customer=CustomerId("cus_1"))
    found = propose(_line(5800, "INV-2027-00001"), candidates([_open(1), twin]))
    assert [each.confidence for each in found] == [Confidence.NAMED]


def test_a_reference_in_another_currency_names_nothing() -> None:
    dollars = evolve(_open(1), currency=USD)
    assert _best(_line(text="INV-2027-00001"), dollars) is None


def test_the_amount_and_the_payer_are_a_proposal_and_the_amount_alone_a_weak_one() -> None:
    mine, other = _open(1), _open(2, name="Bob Bobson")
    found = propose(_line(name="Ada Lovelace"), candidates([other, mine]))
    assert [(x.invoices, x.confidence, x.reasons) for x in found] == [
        (("inv_1",), Confidence.AMOUNT_AND_PAYER, (Reason.AMOUNT, Reason.NAME)),
        (("inv_2",), Confidence.AMOUNT, (Reason.AMOUNT,)),
    ]


def test_who_has_paid_from_this_account_before_is_known() -> None:
    best = _best(_line(), _open(1, name=""), _open(2, name=""), known="cus_2")
    assert best is not None
    assert (best.customer, best.reasons) == ("cus_2", (Reason.AMOUNT, Reason.IBAN))


def test_who_is_known_may_pay_all_that_he_owes_at_once() -> None:
    owed = (_open(1, 1000, customer="cus_a"), _open(2, 1900, customer="cus_a"))
    best = _best(_line(2900), *owed, known="cus_a")
    assert best is not None
    assert best.invoices == ("inv_1", "inv_2")
    assert _best(_line(2800), *owed, known="cus_a") is None
    assert _best(_line(2900), *owed) is None


def test_money_that_goes_out_and_what_nobody_owes_is_nobodys() -> None:
    assert propose(_line(-2900, "INV-2027-00001"), candidates([_open(1)])) == ()
    assert propose(_line(text="INV-2027-00001"), candidates([_open(1, 0)])) == ()


def test_a_person_is_shown_a_few_proposals_only() -> None:
    found = propose(_line(), candidates([_open(n) for n in range(1, 40)]))
    assert len(found) == statements.PROPOSALS_MAX


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada Lovelace", "LOVELACE, ADA"),
        ("Jörg Müller", "Joerg Mueller"),
        ("Analytical Engines GmbH", "ANALYTICAL ENGINES"),
        ("Ada Lovelace", "Dr. Ada Byron Lovelace"),
    ],
)
def test_one_payer_may_be_written_in_several_ways(one: str, other: str) -> None:
    assert same_name(one, other)
    assert same_name(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("", ""), ("GmbH", "AG"), ("Ada", "Ada Lovelace"), ("Ada Byron", "Ada Lovelace"), ("", "A")],
)
def test_two_payers_stay_two(one: str, other: str) -> None:
    assert not same_name(one, other)


def test_a_random_statement_books_exactly_what_its_writer_meant() -> None:
    """The writer of each line knows what he pays; exact is what names it and brings it, only."""
    dice = random.Random(4711)
    owed = [_open(n, dice.randrange(100, 5000), name="") for n in range(1, 400)]
    among = candidates(owed)
    for _ in range(2000):
        mine = dice.choice(owed)
        near = f"{mine.number}{dice.randrange(10)}"
        written, names = dice.choice(
            [
                (f"Invoice {mine.number}", True),
                (grouped(mine.reference), True),
                (mine.reference.lower(), True),
                (f"{mine.number.replace('-', ' ')} thank you", True),
                (near, False),
                (mine.reference[:-1], False),
                (f"{mine.number}-1", False),
                ("thank you", False),
            ]
        )
        short = dice.random() < 0.3
        line = _line(mine.due_minor - short, written)
        best = next(iter(propose(line, among)), None)
        exact = best is not None and best.confidence is Confidence.EXACT
        assert exact == (names and not short), (written, line.amount, best)
        if exact:
            assert best is not None
            assert best.invoices == (mine.invoice,)


# ---- files --------------------------------------------------------------------------------------

GERMAN = CsvFormat(
    {"booked_on": "Buchungstag", "amount": "Betrag", "text": "Verwendungszweck", "name": "Name"},
    delimiter=";",
    decimal=",",
    date_format="%d.%m.%Y",
)


def test_a_csv_in_the_banks_own_words() -> None:
    (line,) = read_csv('Buchungstag;Betrag;Verwendungszweck\n05.01.2027;-1.029,00;"a;b"\n', GERMAN)
    assert (line.booked_on, line.amount, line.text) == (DAY, Money(-102900, EUR), "a;b")


@pytest.mark.parametrize("amount", ["12.34", "1.2345,00", "1,234.56", "1234.567,00", "1'234,56"])
def test_an_amount_that_is_written_otherwise_is_never_a_hundred_times_as_much(amount: str) -> None:
    with pytest.raises(ValidationError, match=r"row 2: amount: an amount such as 1\.234,56"):
        read_csv(f"Buchungstag;Betrag\n05.01.2027;{amount}\n", GERMAN)


@pytest.mark.parametrize(
    ("amount", "minor"),
    [("1.234,56", 123456), ("1234,56", 123456), ("+1.234.567,8", 123456780), ("- 5", -500)],
)
def test_thousands_are_parted_or_not(amount: str, minor: int) -> None:
    (line,) = read_csv(f"\ufeffBuchungstag;Betrag\n31.12.2027;{amount}\n", GERMAN)
    assert (line.booked_on, line.amount.minor) == (date(2027, 12, 31), minor)


def test_a_csv_in_our_words() -> None:
    header = "booked_on,amount,currency,name,iban,text,reference,bank_reference"
    row = '2027-01-05,"1,029.00",USD,Ada,de02 1203,thanks,RF18,A1'
    (line,) = read_csv(f"{header}\n{row}\n")
    assert line == StatementLine(DAY, Money(102900, USD), "Ada", "DE021203", "thanks", "RF18", "A1")


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("", "row 1"),
        ("booked_on,name\n", "row 1"),
        ("booked_on,amount\n2027-13-01,1.00\n", "row 2: booked_on"),
        ("booked_on,amount\n2027-01-05,1.00\n2027-01-05,free\n", "row 3: amount"),
        ("booked_on,amount\n2027-01-05,0\n", "row 2: amount"),
        ("booked_on,amount\n2027-01-05,NaN\n", "row 2: amount"),
        ("booked_on,amount\n2027-01-05,1.001\n", "row 2: amount"),
        ("booked_on,amount\n2027-01-05,1e3\n", "row 2: amount"),
        ('booked_on,amount\n2027-01-05,"1234,56"\n', "row 2: amount"),
        ('booked_on,amount\n2027-01-05,"1,23"\n', "row 2: amount"),
        ('booked_on,amount\n2027-01-05,"1.234,56"\n', "row 2: amount"),
        ('booked_on,amount\n2027-01-05,"1234,567.00"\n', "row 2: amount"),
        ("booked_on,amount\n2027-01-05\n", "row 2: amount"),
        ('booked_on,amount\n2027-01-05,"1.00"x\n', "row 2"),
    ],
)
def test_what_is_no_statement_is_refused_with_its_row(content: str, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read_csv(content)
    assert refused.value.field.startswith(field)


def test_a_format_names_known_fields_and_a_decimal_sign() -> None:
    with pytest.raises(ValidationError):
        CsvFormat({"sum": "Betrag"})
    with pytest.raises(ValidationError):
        CsvFormat(decimal="'")


CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt><Stmt>
<Acct><Id>{account}</Id></Acct>{entries}
</Stmt></BkToCstmrStmt></Document>"""
IBAN = "<IBAN>DE89 3704 0044 0532 0130 00</IBAN>"
ENTRY = """<Ntry><Amt Ccy="EUR">29.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>
<BookgDt><Dt>2027-01-05</Dt></BookgDt><AcctSvcrRef>A1</AcctSvcrRef><NtryDtls><TxDtls>
<RltdPties><Dbtr><Nm>Ada Lovelace</Nm></Dbtr>
<DbtrAcct><Id><IBAN>DE02120300000000202051</IBAN></Id></DbtrAcct></RltdPties>
<RmtInf><Ustrd>INV-2027-</Ustrd><Ustrd>00001</Ustrd>
<Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>
</TxDtls></NtryDtls></Ntry>"""


def _camt(*entries: str, account: str = IBAN, version: str = "02") -> str:
    return CAMT.format(entries="".join(entries), account=account, version=version)


def test_a_credit_of_camt_053() -> None:
    (statement,) = read_camt(_camt(ENTRY).encode())
    assert statement.account == "DE89370400440532013000"
    assert statement.lines == (
        StatementLine(
            DAY,
            Money(2900, EUR),
            "Ada Lovelace",
            "DE02120300000000202051",
            "INV-2027- 00001",
            "RF18539007547034",
            "A1",
        ),
    )


def test_the_newer_versions_say_some_things_elsewhere() -> None:
    entry = (
        ENTRY.replace("<Sts>BOOK</Sts>", "<Sts><Cd>BOOK</Cd></Sts>")
        .replace("<Nm>Ada Lovelace</Nm>", "<Pty><Nm>Ada Lovelace</Nm></Pty>")
        .replace("<Dt>2027-01-05</Dt>", "<DtTm>2027-01-05T08:00:00+01:00</DtTm>")
    )
    account = "<Othr><Id>4711</Id></Othr>"
    (statement,) = read_camt(_camt(entry, account=account, version="08"))
    assert (statement.account, statement.lines[0].name) == ("4711", "Ada Lovelace")
    assert statement.lines[0].booked_on == DAY


def test_a_debit_is_negative_and_names_the_creditor() -> None:
    entry = ENTRY.replace("CRDT", "DBIT").replace("Dbtr", "Cdtr")
    ((line,),) = [each.lines for each in read_camt(_camt(entry))]
    assert (line.amount, line.name) == (Money(-2900, EUR), "Ada Lovelace")


def test_what_is_not_booked_yet_is_left_out() -> None:
    pending = ENTRY.replace("BOOK", "PDNG")
    (statement,) = read_camt(_camt(pending, ENTRY.replace("<Sts>BOOK</Sts>", "")))
    assert len(statement.lines) == 1


def test_a_batch_gives_a_line_for_each_transaction_that_says_its_amount() -> None:
    head, _, rest = ENTRY.partition("<TxDtls>")
    details, _, tail = rest.partition("</TxDtls>")
    each = [
        f"<TxDtls><Refs><AcctSvcrRef>B{n}</AcctSvcrRef></Refs>"
        f"<AmtDtls><TxAmt><Amt Ccy='EUR'>{n}.50</Amt></TxAmt></AmtDtls>{details}</TxDtls>"
        for n in (1, 2)
    ]
    entry = (head + "".join(each) + tail).replace("29.00", "4.00")
    (statement,) = read_camt(_camt(entry))
    assert [(x.amount.minor, x.bank_reference) for x in statement.lines] == [
        (150, "B1"),
        (250, "B2"),
    ]
    for other in (entry.replace("4.00", "3.90"), entry.replace("'EUR'", "'USD'")):
        # After a fee, or in another currency: nobody may guess what was paid.
        (odd,) = read_camt(_camt(other))
        assert len(odd.lines) == 1
    unpriced = [f"<TxDtls>{details}</TxDtls>"] * 2
    (together,) = read_camt(_camt(head + "".join(unpriced) + tail))
    assert [(x.amount.minor, x.name) for x in together.lines] == [(2900, "")]


def test_an_entry_without_details_says_what_the_bank_adds() -> None:
    head, _, _ = ENTRY.partition("<NtryDtls>")
    entry = f"{head}<AddtlNtryInf>Interest</AddtlNtryInf></Ntry>"
    (statement,) = read_camt(_camt(entry))
    assert (statement.lines[0].text, statement.lines[0].name) == ("Interest", "")


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Document>&b;</Document>'


@pytest.mark.parametrize(
    "content",
    [
        BOMB,
        BOMB.encode("utf-8"),
        BOMB.encode("utf-16"),
        b"\xff\xfe<",
        "",
        "no XML",
        "<Document/>",
        "<Other><Stmt/></Other>",
        _camt(ENTRY.replace("29.00", "free")),
        _camt(ENTRY.replace("29.00", "0.00")),
        _camt(ENTRY.replace("29.00", "-29.00")),
        _camt(ENTRY.replace("29.00", "1e3")),
        _camt(ENTRY.replace("CRDT", "")),
        _camt(ENTRY.replace('<Amt Ccy="EUR">29.00</Amt>', "")),
        _camt(ENTRY.replace('Ccy="EUR"', "")),
        _camt(ENTRY.replace("2027-01-05", "yesterday")),
    ],
    ids=range(16),
)
def test_a_hostile_or_broken_file_is_refused(content: str | bytes) -> None:
    with pytest.raises(ValidationError):
        read_camt(content)
