"""What has to be said, whatever the language: one field for each text of a document."""

from __future__ import annotations

from typing import assert_never

from subscriptions.frozen import frozen
from subscriptions.invoices import LineKind
from subscriptions.taxes import TaxCategory


@frozen(kw_only=True)
class Words:
    """Every text of an invoice in one language."""

    invoice: str
    draft: str
    pro_forma: str
    number: str
    customer_number: str
    issued_on: str
    due_on: str
    period: str
    tax_id: str
    description: str
    quantity: str
    unit_price: str
    amount: str
    net: str
    tax: str
    on_base: str
    total: str
    paid: str
    due: str
    tax_inside: str
    with_tax: str
    replaces: str
    pay_by_transfer: str
    account_holder: str
    reference: str
    charged: str
    settled: str
    void: str
    given_up: str
    reverse_charge: str
    credit: str
    debit: str
    usage: str
    late_usage: str
    true_up: str
    setup: str
    discount: str
    part_of_period: str
    billed_earlier: str
    balance: str
    granted: str
    to_balance: str
    credited: str

    def reason(self, category: TaxCategory, reason: str | None) -> str:
        """Return why no tax is due, in this language where it is the law's own phrase."""
        if category is TaxCategory.REVERSE_CHARGE:
            return self.reverse_charge
        return reason or ""

    def line(self, kind: LineKind, name: str) -> str:
        """Return what a line is called: its description, and what of it the line is for."""
        match kind:
            case LineKind.PERIOD | LineKind.ONE_OFF:
                return name
            case LineKind.CREDIT:
                return self.credit.format(name=name)
            case LineKind.DEBIT:
                return self.debit.format(name=name)
            case LineKind.USAGE:
                return self.usage.format(name=name)
            case LineKind.LATE_USAGE:
                return self.late_usage.format(name=name)
            case LineKind.TRUE_UP:
                return self.true_up.format(name=name)
            case LineKind.SETUP:
                return self.setup.format(name=name)
            case other:
                assert_never(other)


@frozen(kw_only=True)
class CorrectionWords:
    """The texts of a credit note in one language, besides those of an invoice."""

    title: str
    number: str
    issued_on: str
    corrects: str
    reason: str
    total: str
    taken_off: str
    refund: str
    balance: str
    outside: str
    granted: str


@frozen(kw_only=True)
class ArithmeticWords:
    """The texts that a line's arithmetic is told with, in one language."""

    line: str
    part: str
    long_part: str
    fraction: str
    day: str
    second: str
    thirtieth: str
    flat: str
    flat_for: str
    packages: str
    turnover: str
    events: str
    at_minimum: str
    at_maximum: str
    free: str
    free_events: str
    at_least: str
    rounded: str
    rounded_at_cuts: str
    billed_earlier: str
    reached: str
    not_paid: str
    discount: str
    tax: str
    tax_rate: str
    plus_tax: str
    tax_inside: str
    credited: str
    credited_earlier: str
    not_credited: str
    credited_in_full: str
    counted: str
