"""Pro-forma invoices: one from lines or from the next invoice; read it, list, and as a text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from subscriptions import invoices, pro_forma
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Decision, Issue
from subscriptions.errors import UnknownReference, ValidationError
from subscriptions.ids import InvoiceId, ProFormaId
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.pro_forma import PRO_FORMA, ProForma
from subscriptions.records import Ref, evolve, plain_text
from subscriptions.usecases import flows, one_off
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    Listing,
    Maybe,
    Question,
    only,
)
from subscriptions.usecases.one_off import Asked
from subscriptions.usecases.upcoming import next_invoice


def create(
    customer: str,
    lines: Iterable[Asked] | None = None,
    *,
    subscription: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[ProForma]:
    """Make a pro-forma invoice of lines, or of what a subscription's next invoice will be.

    Lines are given as `invoices.create_one_off` takes them.

    It is kept, so that it can be read again, and numbered if the seller has `pro_forma_numbers`.
    Nothing is owed by it, and no invoice comes of it by itself.

    Raises `UnknownReference` for an unknown customer and for a subscription that is not his;
    `ValidationError` unless there are either lines or a subscription, for a wrong line, for a
    negative total of lines, and if the subscription has no further invoice.
    """
    if (lines is None) == (subscription is None):
        raise ValidationError("lines", lines, "either lines or a subscription")
    asked = None if lines is None else one_off.read_asked(lines)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        id = context.ids.fresh("pf")
        if asked is not None:
            charges, currency = yield from one_off.charges_asked(asked, owner, context)
            shown = invoices.compose(
                InvoiceId(id),
                owner,
                charges,
                currency=currency,
                seller=context.seller_of(owner),
                automatic=False,
                rounding=context.rounding,
            )
        else:
            assert subscription is not None
            found = yield from Maybe(SUBSCRIPTION, subscription)
            if found is None or found.customer != owner.id:
                raise UnknownReference("subscription", subscription)
            upcoming = yield from next_invoice(owner, found, context)
            if upcoming is None:
                raise ValidationError("subscription", subscription, "one with a further invoice")
            # No attempt is made, no balance and no grant used: it shows what the whole comes to.
            shown = evolve(
                upcoming.invoice,
                id=InvoiceId(id),
                version=0,
                collecting=None,
                attempts=0,
                balance_minor=0,
                granted_minor=0,
                finalize_at=None,
                activates=False,
                series="",
                salt="",
            )
        made = pro_forma.make(ProFormaId(id), shown, owner, context.seller_of(owner), at=context.at)
        about = Ref(PRO_FORMA, id)
        if isinstance(made, Issue):
            return Decision(issues=(made,), about=about)
        return Decision((made,), about=about)

    return Command(PRO_FORMA, flow, at, idempotency_key)


def get(id: str) -> Question[ProForma]:
    """Return a pro-forma invoice; raises `NotFound` if there is none with this id."""
    return flows.get(PRO_FORMA, id)


def list_(
    *,
    customer: str | None = None,
    number: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[ProForma]:
    """List pro-forma invoices in the order they were made; each filter is an exact match."""
    where = only(customer=customer, number=number)
    return Listing(PRO_FORMA, where, limit=limit, after=after)


def text(id: str, *, language: str | None = None) -> Question[str]:
    """Return a pro-forma invoice as plain text, as `invoices.text` does an invoice."""
    if language is not None:
        plain_text("language", language)

    def flow(_: Context) -> Flow[str]:
        # As for invoices: Babel is loaded when a text is asked for.
        from subscriptions.documents.text import (  # noqa: PLC0415 - loaded when first used
            render_pro_forma,
        )

        return render_pro_forma((yield from Get(PRO_FORMA, id)), language=language)

    return Question(flow)
