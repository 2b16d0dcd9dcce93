"""Bank statements: their lines as records, and whose money each may be.

A line is kept once, however often its statement is read. What names open invoices and brings what
they come to is booked; the rest waits for a person, with proposals. How files of banks are read is
in `csv_files` and `camt`, which are loaded when they are asked for. Nothing here moves money.
"""

from subscriptions.statements.deciding import book, dismiss, take_in
from subscriptions.statements.events import BankLineBooked, BankLineDismissed, BankLineImported
from subscriptions.statements.line import (
    ALLOWED,
    BANK_LINE,
    STATUS,
    BankLine,
    Booked,
    Dismissed,
    LineState,
    Outgoing,
    StatementLine,
    Waiting,
    compact_iban,
    identified,
)
from subscriptions.statements.matching import (
    PROPOSALS_MAX,
    Candidate,
    Candidates,
    Confidence,
    Proposal,
    Reason,
    candidates,
    propose,
    same_name,
)

__all__ = [
    "ALLOWED",
    "BANK_LINE",
    "PROPOSALS_MAX",
    "STATUS",
    "BankLine",
    "BankLineBooked",
    "BankLineDismissed",
    "BankLineImported",
    "Booked",
    "Candidate",
    "Candidates",
    "Confidence",
    "Dismissed",
    "LineState",
    "Outgoing",
    "Proposal",
    "Reason",
    "StatementLine",
    "Waiting",
    "book",
    "candidates",
    "compact_iban",
    "dismiss",
    "identified",
    "propose",
    "same_name",
    "take_in",
]
