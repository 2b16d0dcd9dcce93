"""The ledger: every document and every movement of money as double entries whose sum is zero.

A pure projection. Nothing is posted while billing works; each stored record says what it comes to,
and saying it again gives the same. Debits are positive, credits negative. What documents claim of
each other is held against it: what is booked as owed on an invoice must be what the invoice says is
due. Where that differs, money was lost or made, and `difference` says where.

| account | debit | credit |
| --- | --- | --- |
| `CASH` | money that came in | money that went out, or was taken by a dispute |
| `RECEIVABLE`, by invoice | invoiced | paid, credited, written off |
| `REVENUE`, `TAX` | credited | invoiced |
| `BALANCE`, by customer | used | given |
| `GRANTS`, by grant | used, expired, taken back | granted, returned |
| `GRANTED` | granted | expired, taken back |
| `DEPOSITS`, by payment | allocated, put on the balance, disputed | received |
| `CREDITS_PAYABLE`, by invoice | put on the balance | credited of what was paid |
| `REFUNDS_PAYABLE`, by refund | paid out | taken off the balance for it |
| `GIVEN_BACK` | given back though the invoice stays paid | |
| `ADJUSTMENTS` | given to a balance by the seller | taken from it |
| `DISPUTED`, by payment | taken by disputes though the invoice stays paid | |
| `OUTSIDE` | | paid back outside of this library |
| `WRITTEN_OFF` | given up as uncollectible | |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from attrs import define, field

from subscriptions import payments, refunds
from subscriptions.balance import BALANCE_ENTRY, BalanceEntry, Cause
from subscriptions.credit_notes import CREDIT_NOTE, CreditNote
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.grants import GRANT_ENTRY, GrantEntry
from subscriptions.grants import Cause as GrantCause
from subscriptions.ids import CustomerId
from subscriptions.invoices import INVOICE, Draft, Invoice, Uncollectible, Void
from subscriptions.money import Currency, Money
from subscriptions.payments import PAYMENT, Payment
from subscriptions.records import AnyKind
from subscriptions.refunds import REFUND, Refund


class Account(StrEnum):
    """What is booked on; the module's table says when."""

    CASH = "cash"
    RECEIVABLE = "receivable"
    REVENUE = "revenue"
    TAX = "tax"
    BALANCE = "balance"
    GRANTS = "grants"
    GRANTED = "granted"
    DEPOSITS = "deposits"
    CREDITS_PAYABLE = "credits_payable"
    REFUNDS_PAYABLE = "refunds_payable"
    GIVEN_BACK = "given_back"
    ADJUSTMENTS = "adjustments"
    DISPUTED = "disputed"
    OUTSIDE = "outside"
    WRITTEN_OFF = "written_off"


@frozen
class Posting:
    """One side of an entry: a debit, or a credit where it is negative.

    `about` is the id of what the account is kept for: the invoice of a receivable, the payment of a
    deposit, the gateway of cash, the category and rate of a tax.
    """

    account: Account
    amount_minor: int
    about: str


@frozen
class Entry:
    """What one document or movement books at one time. Law: its postings add up to zero."""

    at: datetime
    document: str
    text: str
    customer: CustomerId
    currency: Currency
    postings: tuple[Posting, ...]

    def __attrs_post_init__(self) -> None:
        if sum([posting.amount_minor for posting in self.postings]):
            raise ValidationError("postings", self.postings, "amounts that add up to zero")

    def amount(self, account: Account) -> Money:
        """Return what the entry books on an account, debits less credits."""
        minor = sum([each.amount_minor for each in self.postings if each.account is account])
        return Money(minor, self.currency)


Booked: TypeAlias = Invoice | CreditNote | Payment | Refund | BalanceEntry | GrantEntry

BOOKED: Final[tuple[AnyKind, ...]] = (
    INVOICE,
    CREDIT_NOTE,
    PAYMENT,
    REFUND,
    BALANCE_ENTRY,
    GRANT_ENTRY,
    CUSTOMER,
)
"""The kinds of records that the ledger reads; customers only say what their balances must be."""


def entries(record: Booked) -> tuple[Entry, ...]:
    """Return what a record books, each entry at its own time; drafts and attempts book nothing.

    >>> from subscriptions.testing.builders import an_invoice
    >>> (issued,) = entries(an_invoice())
    >>> [(posting.account.value, posting.amount_minor) for posting in issued.postings]
    [('receivable', 3451), ('revenue', -2900), ('tax', -551)]
    """
    match record:
        case Invoice():
            return tuple(_of_invoice(record))
        case CreditNote():
            return tuple(_of_credit_note(record))
        case Payment():
            return tuple(_of_payment(record))
        case Refund():
            return tuple(_of_refund(record))
        case BalanceEntry():
            return (_of_balance(record),)
        case GrantEntry():
            return (_of_grant(record),)


def _of_invoice(invoice: Invoice) -> Iterator[Entry]:
    if invoice.finalized_at is None:
        return
    issued = (
        Posting(Account.RECEIVABLE, invoice.total_minor, invoice.id),
        Posting(Account.REVENUE, -invoice.net_minor, ""),
        *[
            Posting(Account.TAX, -group.tax_minor, f"{group.category} {group.percent}")
            for group in invoice.taxes
        ],
    )
    yield _entry(invoice, invoice.finalized_at, "invoice issued", issued)
    match invoice.state:
        case Void(at=at):
            reversed_ = [Posting(each.account, -each.amount_minor, each.about) for each in issued]
            yield _entry(invoice, at, "invoice void", reversed_)
        case Uncollectible(at=at):
            given_up = invoice.due_minor
            yield _entry(
                invoice,
                at,
                "invoice given up",
                [
                    Posting(Account.WRITTEN_OFF, given_up, invoice.id),
                    Posting(Account.RECEIVABLE, -given_up, invoice.id),
                ],
            )
        case _:
            return


def _of_credit_note(note: CreditNote) -> Iterator[Entry]:
    if note.issued_at is None:
        return
    division = note.division
    yield _entry(
        note,
        note.issued_at,
        "credit note issued",
        [
            Posting(Account.REVENUE, note.net_minor, ""),
            *[
                Posting(Account.TAX, group.tax_minor, f"{group.category} {group.percent}")
                for group in note.taxes
            ],
            Posting(Account.RECEIVABLE, -division.open_minor, note.invoice),
            Posting(
                Account.CREDITS_PAYABLE,
                -division.refund_minor - division.balance_minor - division.granted_minor,
                note.invoice,
            ),
            Posting(Account.OUTSIDE, -division.outside_minor, note.invoice),
        ],
    )


def _of_payment(payment: Payment) -> Iterator[Entry]:
    if not isinstance(payment.state, payments.Succeeded):
        return
    at = payment.state.at
    received = [
        Posting(Account.CASH, payment.amount_minor, payment.gateway),
        Posting(Account.DEPOSITS, -payment.amount_minor, payment.id),
    ]
    yield _entry(payment, at, "payment received", received)
    for part in payment.allocations:
        paid = [
            Posting(Account.DEPOSITS, part.amount_minor, payment.id),
            Posting(Account.RECEIVABLE, -part.amount_minor, part.invoice),
        ]
        yield _entry(payment, at, "invoice paid", paid)
    if payment.disputed_minor:
        covered = _covered(payment)
        gone = [
            Posting(Account.DEPOSITS, covered, payment.id),
            Posting(Account.DISPUTED, payment.disputed_minor - covered, payment.id),
            Posting(Account.CASH, -payment.disputed_minor, payment.gateway),
        ]
        yield _entry(payment, payment.disputed_at or at, "payment disputed", gone)


def _covered(payment: Payment) -> int:
    """Return how much of what disputes took was not used, or is owed again, in minor units."""
    used = payment.balanced_minor + sum([part.amount_minor for part in payment.allocations])
    return min(payment.disputed_minor, max(0, payment.amount_minor - used))


def _of_refund(refund: Refund) -> Iterator[Entry]:
    if not isinstance(refund.state, refunds.Succeeded):
        return
    account, about = (
        (Account.REFUNDS_PAYABLE, refund.id)
        if refund.from_balance
        else (Account.GIVEN_BACK, refund.payment)
    )
    paid_out = [
        Posting(account, refund.amount_minor, about),
        Posting(Account.CASH, -refund.amount_minor, refund.gateway),
    ]
    yield _entry(refund, refund.state.at, "refund paid", paid_out)


_AGAINST: Final[dict[Cause, Account]] = {
    Cause.APPLIED: Account.RECEIVABLE,
    Cause.NEGATIVE_INVOICE: Account.RECEIVABLE,
    Cause.VOID_RETURNED: Account.RECEIVABLE,
    Cause.CREDIT_NOTE: Account.CREDITS_PAYABLE,
    Cause.ADJUSTMENT: Account.ADJUSTMENTS,
    Cause.REFUND: Account.REFUNDS_PAYABLE,
    Cause.REFUND_FAILED: Account.REFUNDS_PAYABLE,
    Cause.OVERPAYMENT: Account.DEPOSITS,
    Cause.DISPUTE: Account.DEPOSITS,
}
"""Which account a movement of a balance is booked against."""


def _of_balance(entry: BalanceEntry) -> Entry:
    against = _AGAINST[entry.cause]
    about = {
        Account.RECEIVABLE: entry.invoice,
        Account.CREDITS_PAYABLE: entry.invoice,
        Account.REFUNDS_PAYABLE: entry.refund,
        Account.DEPOSITS: entry.payment,
    }.get(against)
    postings = [
        Posting(against, entry.amount_minor, about or entry.customer),
        Posting(Account.BALANCE, -entry.amount_minor, entry.customer),
    ]
    return _entry(entry, entry.at, f"balance: {entry.cause}", postings)


def _of_grant(entry: GrantEntry) -> Entry:
    against, about = Account.GRANTED, str(entry.customer)
    if entry.cause in {GrantCause.APPLIED, GrantCause.RETURNED}:
        # What a credit note gives back was paid; what is void was never owed.
        credited = entry.credit_note is not None
        against = Account.CREDITS_PAYABLE if credited else Account.RECEIVABLE
        about = str(entry.invoice)
    postings = [
        Posting(against, entry.amount_minor, about),
        Posting(Account.GRANTS, -entry.amount_minor, entry.grant),
    ]
    return _entry(entry, entry.at, f"grant: {entry.cause}", postings)


def _entry(record: Booked, at: datetime, text: str, postings: Iterable[Posting]) -> Entry:
    kept = tuple([posting for posting in postings if posting.amount_minor])
    return Entry(at, record.id, text, record.customer, record.currency, kept)


# ---- what documents claim, held against what is booked -------------------------------------------

Place: TypeAlias = tuple[Account, str, Currency]


def claims(record: Booked | Customer) -> dict[Place, int]:
    """Return what must be booked if a record tells the truth about what is open, in minor units."""
    match record:
        case Customer():
            claimed: dict[Place, int] = {}
            for amount in record.balance:
                claimed[Account.BALANCE, record.id, amount.currency] = -amount.minor
            for grant in record.grants:
                claimed[Account.GRANTS, grant.id, grant.currency] = -grant.left_minor
            return claimed
        case Invoice() if not isinstance(record.state, Draft | Uncollectible):
            return {(Account.RECEIVABLE, record.id, record.currency): record.due_minor}
        case Payment() if isinstance(record.state, payments.Succeeded):
            allocated = sum([part.amount_minor for part in record.allocations])
            deposited = record.amount_minor - allocated - record.balanced_minor - _covered(record)
            return {(Account.DEPOSITS, record.id, record.currency): -deposited}
        case Refund() if record.open and record.from_balance:
            place = (Account.REFUNDS_PAYABLE, record.id, record.currency)
            return {place: -record.amount_minor}
        case _:
            return {}


_CLAIMED: Final = {
    Account.RECEIVABLE,
    Account.BALANCE,
    Account.GRANTS,
    Account.DEPOSITS,
    Account.CREDITS_PAYABLE,
    Account.REFUNDS_PAYABLE,
}
"""The accounts of which some record says what must stand on them."""


@frozen
class Difference:
    """What is booked on an account for one thing beyond what the thing itself says is open."""

    account: Account
    about: str
    amount: Money


@frozen
class Ledger:
    """The sums of all accounts, and what does not fit; all empty where nothing was booked.

    `unbalanced` are the ids of documents whose own amounts do not add up, as after a change by
    hand; they are not booked. Law: in each currency the sums add up to zero, there is no difference
    and nothing is unbalanced.
    """

    sums: Mapping[tuple[Account, Currency], Money]
    differences: tuple[Difference, ...] = ()
    unbalanced: tuple[str, ...] = ()

    def sum(self, account: Account, currency: str = "EUR") -> Money:
        """Return what stands on an account in a currency: debits less credits."""
        code = Currency.of(currency)
        return self.sums.get((account, code), Money(0, code))


@define
class Books:
    """Records are added one by one, in any order; what they come to is kept, not they themselves.

    With `until` only what was booked by then counts, and nothing is compared: records say what is
    open now.
    """

    until: datetime | None = None
    _sums: Counter[tuple[Account, Currency]] = field(
        init=False, factory=Counter[tuple[Account, Currency]]
    )
    _open: dict[Place, int] = field(init=False, factory=dict[Place, int])
    _unbalanced: list[str] = field(init=False, factory=list[str])

    def add(self, record: Booked | Customer) -> None:
        """Book a record, and hold what it claims against what is booked."""
        if not isinstance(record, Customer):
            try:
                booked = entries(record)
            except ValidationError:
                booked = ()
                self._unbalanced.append(record.id)
            for entry in booked:
                if self.until is None or entry.at <= self.until:
                    self._book(entry)
        if self.until is None:
            for place, minor in claims(record).items():
                self._compare(place, -minor)

    def _book(self, entry: Entry) -> None:
        for posting in entry.postings:
            self._sums[posting.account, entry.currency] += posting.amount_minor
            if self.until is None and posting.account in _CLAIMED:
                place = (posting.account, posting.about, entry.currency)
                self._compare(place, posting.amount_minor)

    def _compare(self, place: Place, minor: int) -> None:
        # What fits is forgotten, so that little is held of many documents.
        difference = self._open.pop(place, 0) + minor
        if difference:
            self._open[place] = difference

    def close(self) -> Ledger:
        """Return the sums, the differences and what is unbalanced."""
        sums = {
            (account, currency): Money(minor, currency)
            for (account, currency), minor in self._sums.items()
            if minor
        }
        differences = [
            Difference(account, about, Money(minor, currency))
            for (account, about, currency), minor in sorted(
                self._open.items(), key=lambda each: each[0][:2]
            )
        ]
        return Ledger(sums, tuple(differences), tuple(sorted(self._unbalanced)))


def ledger_of(records: Iterable[Booked | Customer], *, until: datetime | None = None) -> Ledger:
    """Return the ledger of records: all of a tenant, in any order.

    >>> from subscriptions.testing.builders import an_invoice
    >>> books = ledger_of([an_invoice()])
    >>> books.sum(Account.RECEIVABLE), books.differences
    (Money.of("34.51", "EUR"), ())
    """
    books = Books(until)
    for record in records:
        books.add(record)
    return books.close()
