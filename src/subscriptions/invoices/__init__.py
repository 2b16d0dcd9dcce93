"""What a customer owes: the invoice, its states, and the seal that makes it final.

draft → open → paid · void · uncollectible; uncollectible → paid · void. Only drafts change. Sealing
freezes seller, customer, lines and tax, gives the number and the hash that chains the document to
its predecessor in the series; after that only what was paid and the state move.

Amounts are minor units of `currency` (fields end in `_minor`); the properties give `Money`. The
arithmetic of tax is in `taxes`, that of prices in `pricing`.
"""

from subscriptions.invoices.deciding import (
    ALLOWED,
    ApplyPayment,
    Command,
    EndCollection,
    EndDunning,
    MarkUncollectible,
    MarkVoid,
    StartCollection,
    StartDunning,
    apply,
    decide,
)
from subscriptions.invoices.events import (
    CollectionEnded,
    CollectionStarted,
    Event,
    InvoiceDrafted,
    InvoiceDunningEnded,
    InvoiceFinalized,
    InvoiceMarkedUncollectible,
    InvoiceOverdue,
    InvoicePaid,
    InvoicePartlyPaid,
    InvoiceVoided,
)
from subscriptions.invoices.invoice import (
    INVOICE,
    STATUS,
    Charge,
    Draft,
    Invoice,
    InvoiceState,
    Line,
    Open,
    Paid,
    Party,
    Seller,
    SellerSnapshot,
    Status,
    Uncollectible,
    Void,
)
from subscriptions.invoices.sealing import (
    ChainBreak,
    compose,
    content_hash,
    draft,
    finalize,
    seal,
    verify_chain,
)

__all__ = [
    "ALLOWED",
    "INVOICE",
    "STATUS",
    "ApplyPayment",
    "ChainBreak",
    "Charge",
    "CollectionEnded",
    "CollectionStarted",
    "Command",
    "Draft",
    "EndCollection",
    "EndDunning",
    "Event",
    "Invoice",
    "InvoiceDrafted",
    "InvoiceDunningEnded",
    "InvoiceFinalized",
    "InvoiceMarkedUncollectible",
    "InvoiceOverdue",
    "InvoicePaid",
    "InvoicePartlyPaid",
    "InvoiceState",
    "InvoiceVoided",
    "Line",
    "MarkUncollectible",
    "MarkVoid",
    "Open",
    "Paid",
    "Party",
    "Seller",
    "SellerSnapshot",
    "StartCollection",
    "StartDunning",
    "Status",
    "Uncollectible",
    "Void",
    "apply",
    "compose",
    "content_hash",
    "decide",
    "draft",
    "finalize",
    "seal",
    "verify_chain",
]
