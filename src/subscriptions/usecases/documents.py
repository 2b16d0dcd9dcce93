"""Documents: invoices as they are sent to people."""

from __future__ import annotations

from subscriptions.invoices import INVOICE
from subscriptions.usecases.flows import Context, Flow, Get, Question


def text(id: str, *, language: str | None = None) -> Question[str]:
    """Return an invoice as plain text, in the customer's language or in `language`.

    `language` is a BCP 47 tag; what it does is said by `subscriptions.documents.text.render`.
    Raises `NotFound` if there is no invoice with this id.
    """

    def flow(_: Context) -> Flow[str]:
        # Babel costs more than the rest of the library: it is loaded when a text is asked for.
        from subscriptions.documents.text import render  # noqa: PLC0415 - loaded when first used

        return render((yield from Get(INVOICE, id)), language=language)

    return Question(flow)
