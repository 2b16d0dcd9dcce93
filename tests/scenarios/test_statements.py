"""Bank statements: what is exact is booked once, the rest waits for a person."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from subscriptions import (
    AsyncBilling,
    Billing,
    InvalidTransition,
    MemoryStorage,
    NotFound,
    OneOff,
    SqlStorage,
    UnknownReference,
)
from subscriptions import ValidationError as Refused
from subscriptions.customers import Customer
from subscriptions.engine import commit
from subscriptions.ids import InvoiceId
from subscriptions.invoices import Invoice
from subscriptions.payment_references import creditor_reference, grouped
from subscriptions.statements import Confidence, StatementLine
from subscriptions.statements.csv_files import CsvFormat
from subscriptions.storage import Storage
from subscriptions.testing import TestClock, counting_ids
from tests.scenarios.shop import Shop, audit, eur, open_shop

DAY = date(2027, 1, 5)
IBAN = "DE02120300000000202051"


class _Crash(BaseException):
    """The machine stops."""


def _owes(shop: Shop, customer: Customer, *amounts: str) -> list[InvoiceId]:
    made = shop.billing.invoices.create_one_off
    return [made(customer.id, [OneOff("Work", eur(amount))]).id for amount in amounts]


def _line(amount: str, text: str = "", **given: str) -> StatementLine:
    return StatementLine(DAY, eur(amount), text=text, **given)


def _import(shop: Shop, *lines: StatementLine) -> tuple[int, int, int, int]:
    report = shop.billing.payments.import_statement(lines)
    return len(report.booked), len(report.waiting), len(report.outgoing), report.known


def test_what_is_exact_is_booked_and_the_rest_waits(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _owes(shop, ada, "10.00", "20.00", "30.00")
    reference = grouped(creditor_reference("INV-2027-00002"))
    done = _import(
        shop,
        _line("10.00", "Invoice INV-2027-00001"),
        _line("20.00", reference, bank_reference="B2"),
        _line("29.99", "INV-2027-00003"),
        _line("500.00", "rent"),
        _line("-7.50", "INV-2027-00003"),
    )
    assert done == (2, 2, 1, 0)
    assert shop.statuses() == ["paid", "paid", "open"]
    assert [payment.reference for payment in shop.payments()] == [None, "B2"]
    assert [str(each.amount) for each in shop.billing.payments.unmatched()] == [
        "29.99 EUR",
        "500.00 EUR",
    ]


def test_a_statement_that_is_imported_twice_books_nothing_twice(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _owes(shop, ada, "10.00", "10.00")
    lines = [
        _line("10.00", "INV-2027-00001"),
        _line("10.00", "INV-2027-00002", bank_reference="B1"),
        _line("5.00", "gift"),
        _line("5.00", "gift"),
    ]
    assert _import(shop, *lines) == (2, 2, 0, 0)
    before = shop.events()
    assert _import(shop, *lines) == (0, 0, 0, 4)
    assert shop.events() == before
    assert _import(shop, *lines, _line("5.00", "gift")) == (0, 1, 0, 4)


def test_of_two_transfers_for_one_invoice_the_second_waits(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _owes(shop, ada, "10.00")
    twice = [_line("10.00", "INV-2027-00001", bank_reference=each) for each in ("B1", "B2")]
    assert _import(shop, *twice) == (1, 1, 0, 0)
    assert shop.only_invoice().paid == eur("10.00")


def test_one_transfer_for_two_invoices_pays_both(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _owes(shop, ada, "10.00", "20.00")
    assert _import(shop, _line("30.00", "INV-2027-00001, INV-2027-00002")) == (1, 0, 0, 0)
    assert shop.statuses() == ["paid", "paid"]


def test_without_booking_everything_waits(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _owes(shop, ada, "10.00")
    report = shop.billing.payments.import_statement([_line("10.00", "INV-2027-00001")], book=False)
    assert (len(report.booked), len(report.waiting)) == (0, 1)
    (waiting,) = shop.billing.payments.unmatched()
    assert [each.confidence for each in waiting.proposals] == [Confidence.EXACT]


def test_what_was_recorded_by_hand_before_is_not_booked_again(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _owes(shop, ada, "10.00", "10.00")
    shop.billing.payments.record(ada.id, eur("4.00"), reference="B1")
    assert _import(shop, _line("10.00", "INV-2027-00002", bank_reference="B1")) == (0, 1, 0, 0)


# ---- a person -----------------------------------------------------------------------------------


def test_a_person_assigns_a_line_to_a_customer_and_invoices(shop: Shop) -> None:
    ada, bob = shop.customer(token=None), shop.customer(token=None, name="Bob Bobson")
    first, second = _owes(shop, ada, "10.00", "20.00")
    _owes(shop, bob, "15.00")
    _import(shop, _line("15.00", "for the work", iban=IBAN, name="Ada Lovelace"))
    (waiting,) = shop.billing.payments.unmatched()
    assert waiting.line is not None
    assert [each.customer for each in waiting.proposals] == [bob.id]
    line = shop.billing.payments.assign(
        waiting.line.id, ada.id, {first: eur("5.00"), second: eur("10.00")}
    )
    assert (line.status, line.customer) == ("booked", ada.id)
    assert line.payment is not None
    assert shop.billing.payments.get(line.payment).unallocated == eur("0.00")
    assert shop.billing.payments.unmatched() == ()
    with pytest.raises(InvalidTransition):
        shop.billing.payments.assign(line.id, bob.id)
    with pytest.raises(InvalidTransition):
        shop.billing.payments.dismiss(line.id, reason="rent")


def test_who_has_been_assigned_an_account_is_known_the_next_time(shop: Shop) -> None:
    ada, bob = shop.customer(token=None), shop.customer(token=None, name="Bob Bobson")
    _owes(shop, ada, "10.00")
    _owes(shop, bob, "20.00")
    _import(shop, _line("9.00", "hello", iban=IBAN))
    (waiting,) = shop.billing.payments.unmatched()
    assert waiting.line is not None
    shop.billing.payments.assign(waiting.line.id, ada.id)
    _owes(shop, ada, "20.00")
    _import(shop, _line("20.00", "hello again", iban=IBAN))
    (line,) = shop.billing.payments.bank_lines(status="waiting")
    best, other = shop.billing.payments.proposals(line.id)
    assert (best.customer, best.confidence) == (ada.id, Confidence.AMOUNT_AND_PAYER)
    assert (other.customer, other.confidence) == (bob.id, Confidence.AMOUNT)


def test_more_than_is_owed_goes_to_the_balance(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _owes(shop, ada, "10.00")
    _import(shop, _line("25.00", "INV-2027-00001"))
    (waiting,) = shop.billing.payments.unmatched()
    assert waiting.line is not None
    shop.billing.payments.assign(waiting.line.id, ada.id)
    assert shop.billing.customers.get(ada.id).balance == (eur("15.00"),)


def test_a_line_is_dismissed_with_a_reason_and_may_be_assigned_after_all(shop: Shop) -> None:
    ada = shop.customer(token=None)
    _import(shop, _line("7.00", "?"), _line("-3.00", "fee"))
    waiting, outgoing = shop.billing.payments.bank_lines()
    with pytest.raises(Refused):
        shop.billing.payments.dismiss(waiting.id, reason="")
    shop.billing.payments.dismiss(waiting.id, reason="rent")
    shop.billing.payments.dismiss(outgoing.id, reason="fee of the bank")
    assert shop.billing.payments.unmatched() == ()
    assert _import(shop, _line("7.00", "?")) == (0, 0, 0, 1)
    with pytest.raises(InvalidTransition):
        shop.billing.payments.assign(outgoing.id, ada.id)
    assert shop.billing.payments.assign(waiting.id, ada.id).status == "booked"
    assert shop.billing.customers.get(ada.id).balance == (eur("7.00"),)


def test_money_booked_for_the_wrong_invoice_is_corrected_on_its_payment(shop: Shop) -> None:
    ada = shop.customer(token=None)
    wrong, right = _owes(shop, ada, "10.00", "10.00")
    _import(shop, _line("10.00", "INV-2027-00001"))
    (payment,) = shop.payments()
    shop.billing.payments.deallocate(payment.id, wrong)
    shop.billing.payments.allocate(payment.id, {right: eur("10.00")})
    assert shop.statuses() == ["open", "paid"]


def test_what_nobody_knows_is_refused(shop: Shop) -> None:
    _import(shop, _line("7.00", "?"))
    (line,) = shop.billing.payments.bank_lines()
    with pytest.raises(UnknownReference):
        shop.billing.payments.assign(line.id, "cus_nobody")
    with pytest.raises(NotFound):
        shop.billing.payments.get_bank_line("bkl_nothing")
    with pytest.raises(Refused):
        shop.billing.payments.assign(line.id, "cus_nobody", gateway="pigeon")
    with pytest.raises(Refused):
        shop.billing.payments.import_statement([], gateway="pigeon")
    for wrong in (4711, [4711], "no,statement\n"):
        with pytest.raises(Refused):
            shop.billing.payments.import_statement(wrong)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        shop.billing.payments.import_statement("a", format="pdf")  # type: ignore[arg-type]


# ---- files --------------------------------------------------------------------------------------

CAMT = """<Document><BkToCstmrStmt><Stmt><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>
<Ntry><Amt Ccy="EUR">10.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>
<BookgDt><Dt>2027-01-05</Dt></BookgDt><NtryDtls><TxDtls><RmtInf><Ustrd>INV-2027-00001</Ustrd>
</RmtInf></TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>"""


@pytest.mark.parametrize("given", ["text", "bytes", "path", "file"])
def test_a_camt_file_is_known_by_its_beginning(shop: Shop, given: str, tmp_path: Path) -> None:
    _owes(shop, shop.customer(token=None), "10.00")
    path = tmp_path / "statement.xml"
    path.write_text(CAMT, encoding="utf-8")
    sources = {"text": CAMT, "bytes": CAMT.encode(), "path": path}
    if given == "file":
        with path.open("rb") as opened:
            report = shop.billing.payments.import_statement(opened)
    else:
        report = shop.billing.payments.import_statement(sources[given])  # type: ignore[arg-type]
    assert len(report.booked) == 1
    (line,) = shop.billing.payments.bank_lines()
    assert line.account == "DE89370400440532013000"


def test_a_csv_file_of_a_bank(shop: Shop) -> None:
    _owes(shop, shop.customer(token=None), "1000.00")
    german = CsvFormat(
        {"booked_on": "Tag", "amount": "Betrag", "text": "Zweck"},
        delimiter=";",
        decimal=",",
        date_format="%d.%m.%Y",
    )
    content = "Tag;Betrag;Zweck\n05.01.2027;1.000,00;INV-2027-00001\n"
    report = shop.billing.payments.import_statement(content, format=german, account="main")
    assert len(report.booked) == 1
    with pytest.raises(Refused):
        shop.billing.payments.import_statement(b"\xff\xfe", format="csv")


def test_a_broken_file_stores_nothing(shop: Shop) -> None:
    before = shop.events()
    with pytest.raises(Refused):
        shop.billing.payments.import_statement("booked_on,amount\n2027-01-05,1.00\nx,1.00\n")
    assert shop.events() == before


def _import_and_crash(shop: Shop) -> None:
    shop.billing.payments.import_statement([_line("10.00", "INV-2027-00001")])
    raise _Crash


def test_an_import_in_a_transaction_is_a_part_of_it(shop: Shop) -> None:
    _owes(shop, shop.customer(token=None), "10.00")
    with pytest.raises(_Crash), shop.billing.transaction():
        _import_and_crash(shop)
    assert list(shop.billing.payments.bank_lines()) == []
    with shop.billing.transaction():
        shop.billing.payments.import_statement([_line("10.00", "INV-2027-00001")])
    assert shop.statuses() == ["paid"]


# ---- a random statement, a crash, two at once ----------------------------------------------------


def test_a_random_statement_pays_what_its_writer_meant(shop: Shop) -> None:
    dice = random.Random(2027)
    customers = [shop.customer(token=None, name=f"Customer {n}x") for n in range(5)]
    with shop.billing.transaction():
        for n in range(120):
            _owes(shop, customers[n % 5], f"{dice.randrange(100, 9999) / 100:.2f}")
    invoices = {each.number or "": each for each in shop.invoices()}
    meant: set[str] = set()
    lines: list[StatementLine] = []
    for number, invoice in invoices.items():
        reference = invoice.payment_reference or ""
        choices = [(f"bill {number}", 1), (grouped(reference), 1), (f"{number}0", 0), ("hi", 0)]
        text, good = dice.choice(choices)
        amount = invoice.total if dice.random() < 0.8 else invoice.total + eur("0.01")
        if good and amount == invoice.total:
            meant.add(number)
        lines.append(StatementLine(DAY, amount, text=text))
    dice.shuffle(lines)
    report = shop.billing.payments.import_statement(lines)
    assert {each.number for each in shop.invoices() if each.status == "paid"} == meant
    assert len(report.booked) == len(meant)
    assert len(report.waiting) == len(lines) - len(meant)


def test_a_crash_in_an_import_leaves_whole_batches_and_it_may_be_repeated(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = shop.customer(token=None)
    with shop.billing.transaction():
        _owes(shop, ada, *["1.00"] * 250)
    lines = [_line("1.00", f"INV-2027-{n:05}") for n in range(1, 251)]
    write, calls = commit.write, 0

    def crashing(*args: object, **kwargs: object) -> Iterator[object]:
        nonlocal calls
        calls += 1
        if calls == 130:
            raise _Crash
        return write(*args, **kwargs)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(commit, "write", crashing)
    with pytest.raises(_Crash):
        shop.billing.payments.import_statement(lines)
    monkeypatch.undo()
    assert len(list(shop.billing.payments.bank_lines(limit=1000))) == 100
    assert shop.statuses().count("paid") == 100
    report = shop.billing.payments.import_statement(lines)
    assert (report.known, len(report.booked)) == (100, 150)
    assert {*shop.statuses()} == {"paid"}
    assert len(shop.payments()) == 250


@pytest.fixture(params=["memory", "sqlite"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    storage = SqlStorage(f"sqlite:///{tmp_path / 'shared.db'}")
    yield storage
    storage.close()


def test_two_imports_at_once_book_each_line_once(shared: Storage) -> None:
    shop = open_shop(shared)
    ada = shop.customer(token=None)
    with shop.billing.transaction():
        _owes(shop, ada, *["1.00"] * 60)
    lines = [_line("1.00", f"INV-2027-{n:05}") for n in range(1, 61)]

    def import_in(process: str) -> int:
        billing = Billing(
            storage=shared, clock=TestClock(date(2027, 1, 6)), ids=counting_ids(process)
        )
        return len(billing.payments.import_statement(lines).booked)

    with ThreadPoolExecutor(4) as pool:
        booked = list(pool.map(import_in, "abcd"))
    assert sum(booked) == 60
    assert len(shop.payments()) == 60
    assert {*shop.statuses()} == {"paid"}
    assert audit(shop) == []


def test_an_import_may_be_awaited() -> None:
    async def imported() -> tuple[int, int]:
        billing = AsyncBilling(clock=TestClock(date(2027, 1, 6)), ids=counting_ids())
        ada = await billing.customers.create(name="Ada")
        await billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
        lines = [_line("10.00", "INV-2027-00001"), _line("5.00", "?")]
        report = await billing.payments.import_statement(lines)
        return len(report.booked), len(await billing.payments.unmatched())

    assert asyncio.run(imported()) == (1, 1)


# ---- what was given up ---------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["number", "reference"])
def test_who_names_what_was_given_up_pays_it(shop: Shop, by: str) -> None:
    invoice = _given_up(shop)
    named = invoice.number if by == "number" else invoice.payment_reference
    line = StatementLine(date(2027, 1, 5), eur("11.00"), text=f"late, sorry: {named}")
    assert len(shop.billing.payments.import_statement([line]).booked) == 1
    assert shop.statuses() == ["paid"]


def test_nothing_but_its_name_speaks_for_what_was_given_up(shop: Shop) -> None:
    _given_up(shop)
    line = StatementLine(date(2027, 1, 5), eur("11.00"), name="Ada Lovelace")
    shop.billing.payments.import_statement([line])
    (waiting,) = shop.billing.payments.unmatched()
    assert waiting.proposals == ()


def test_a_recorded_transfer_pays_what_was_given_up_if_its_text_names_it(shop: Shop) -> None:
    invoice = _given_up(shop)
    ada = invoice.customer
    shop.billing.payments.record(ada, eur("5.00"))
    assert shop.billing.customers.get(ada).balance == (eur("5.00"),)
    shop.billing.payments.record(ada, eur("11.00"), to="reference", text=invoice.number or "")
    assert shop.statuses() == ["paid"]
    assert shop.billing.customers.get(ada).balance == (eur("5.00"),)


def _given_up(shop: Shop) -> Invoice:
    ada = shop.customer(token=None)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("11.00"))])
    return shop.billing.invoices.mark_uncollectible(invoice.id, reason="hopeless")
