"""What corrects a final invoice: the credit note, its amounts, and the seal that makes it final.

A credit note names one invoice and takes something off it, line by line, with the tax of the
invoice at the invoice's rates. It takes a number of a series of its own and is frozen at once: it
has no states. First it lowers what is owed on the invoice; the rest was paid, and is given back.

Amounts are positive: what is credited of a line that was charged. They are minor units of
`currency` (fields end in `_minor`); the properties give `Money`. `explain` shows how that of a line
comes about. Nothing here moves money.
"""

from subscriptions.credit_notes.amounts import (
    Amounts,
    left_of_lines,
    left_of_total,
    of_amount,
    of_lines,
)
from subscriptions.credit_notes.credit_note import (
    CREDIT_NOTE,
    CreditLine,
    CreditNote,
    CreditNoteIssued,
    Division,
)
from subscriptions.credit_notes.explaining import CreditExplanation, EarlierCredit, explain
from subscriptions.credit_notes.issuing import (
    compose,
    content_hash,
    credit_note_id,
    divide,
    issue,
    seal,
    verify_chain,
)

__all__ = [
    "CREDIT_NOTE",
    "Amounts",
    "CreditExplanation",
    "CreditLine",
    "CreditNote",
    "CreditNoteIssued",
    "Division",
    "EarlierCredit",
    "compose",
    "content_hash",
    "credit_note_id",
    "divide",
    "explain",
    "issue",
    "left_of_lines",
    "left_of_total",
    "of_amount",
    "of_lines",
    "seal",
    "verify_chain",
]
