"""The arithmetic of a line as one sentence, in the language of its customer.

Every number comes from the explanation, so the sentence recomputes as that does. Nothing is decided
here but the words and their order.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import reduce
from typing import assert_never

from babel import Locale

from subscriptions.documents.formats import (
    day_format,
    locale_of,
    money_format,
    number_text,
    percent_text,
    price_format,
)
from subscriptions.documents.words import (
    ARITHMETIC,
    ArithmeticWords,
    Words,
    speaks_arithmetic,
    words_of,
)
from subscriptions.frozen import frozen
from subscriptions.invoices import DeductionReason, Explanation, Portion, Priced
from subscriptions.pricing import PartKind, PricePart
from subscriptions.pricing.numbers import EXACT
from subscriptions.proration import ProrationUnit
from subscriptions.taxes import TaxBehavior, TaxRate


def sentence(explanation: Explanation, *, language: str = "en") -> str:
    r"""Return how a line's amount comes about: what for, the arithmetic, the tax.

    `language` is a BCP 47 tag; the sentence is there in German and English, and in English for any
    other language. What the explanation leaves open is not said.

    >>> from subscriptions.invoices import explain
    >>> from subscriptions.testing.builders import a_draft
    >>> line = a_draft().lines[0]
    >>> sentence(explain(line)).replace("\xa0", " ")
    'Pro, Jan 31, 2027 – Feb 27, 2027: €29.00, plus 19% VAT.'
    """
    tag = speaks_arithmetic(language)
    words = ARITHMETIC[tag.partition("-")[0]]
    return _Telling(explanation, words_of(tag), words, locale_of(tag)).whole()


@frozen
class _Telling:
    """One explanation, with the words and the locale that it is told in."""

    line: Explanation
    names: Words
    words: ArithmeticWords
    locale: Locale

    def whole(self) -> str:
        text = f"{self.head()}: {self.arithmetic()}{self.tax()}"
        # "USt." ends with a full stop of its own.
        return text if text.endswith(".") else f"{text}."

    def head(self) -> str:
        line = self.line
        text = self.names.line(line.kind, line.description)
        if line.period is not None:
            day = day_format(self.locale)
            days = f"{day(line.period.start)} – {day(line.period.end - timedelta(days=1))}"
            text = f"{text}, {days}"
        if line.credits is not None and line.credited_number is not None:
            place = line.credits.line + 1
            of = self.words.credited.format(line=place, number=line.credited_number)
            text = f"{text} ({of})"
        return text

    def arithmetic(self) -> str:
        """Return the steps from the price to what is taxed, each with what it comes to."""
        line, words = self.line, self.words
        if line.portion is None:
            text = self.price_parts() or self.money(line.whole_minor)
        else:
            text = self.portion(line.portion)
        if line.deduction is not None:
            text = f"{text}, {self.deduction(line.deduction.reason, line.deduction.amount_minor)}"
            text = f"{text} = {self.money(line.amount_minor)}"
        for share in line.discounts:
            amount = self.money(share.amount_minor)
            text = f"{text}, {words.discount.format(amount=amount, name=share.name)}"
        if line.discounts:
            text = f"{text} = {self.money(line.taxable_minor)}"
        return text

    def price_parts(self) -> str:
        """Return how the whole comes about, up to what it comes to; nothing if that is unknown."""
        line, priced = self.line, self.line.priced
        total = self.money(line.whole_minor)
        if priced is not None:
            parts, exact = self.price_sum(priced)
            if parts == total:
                return total
            if exact:
                total = self.words.rounded.format(exact=exact, amount=total)
            return f"{parts} = {total}"
        if line.usage is not None:
            count = number_text(self.locale, line.usage.quantity)
            counted = self.words.counted.format(count=count, events=line.usage.events)
            return f"{counted} = {total}"
        return ""

    def price_sum(self, priced: Priced) -> tuple[str, str]:
        """Return the parts of a price, and what they come to if that was rounded."""
        parts = " + ".join([self.price_part(part) for part in priced.parts])
        if not priced.rounding_minor:
            return parts, ""
        return parts, self.price(reduce(EXACT.add, [part.amount for part in priced.parts]))

    def price_part(self, part: PricePart) -> str:
        words = self.words
        count, price = number_text(self.locale, part.quantity), self.price(part.unit_price)
        match part.kind:
            case PartKind.UNITS | PartKind.FLAT:
                return price if part.quantity == 1 else f"{count} × {price}"
            case PartKind.PACKAGES:
                return words.packages.format(count=count, price=price)
            case PartKind.TURNOVER:
                rate = percent_text(self.locale, part.unit_price * 100)
                return words.turnover.format(rate=rate, amount=self.price(part.quantity))
            case PartKind.EVENTS:
                return words.events.format(count=count, price=price)
            case PartKind.MINIMUM:
                return words.at_minimum.format(count=count, price=price)
            case PartKind.MAXIMUM:
                return words.at_maximum.format(count=count, price=price)
            case PartKind.FREE:
                return words.free.format(count=count)
            case other:
                assert_never(other)

    def portion(self, portion: Portion) -> str:
        words = self.words
        each = amount = self.money(portion.whole_minor)
        if self.line.priced is not None:
            parts, exact = self.price_sum(self.line.priced)
            # How the whole comes about stands beside it, unless that says no more.
            if parts != each:
                amount = f"{each} ({parts} = {exact})" if exact else f"{each} ({parts})"
        count = number_text(self.locale, portion.numerator)
        whole = number_text(self.locale, portion.denominator)
        if portion.unit is None:
            fraction = f"{portion.fraction.numerator}/{portion.fraction.denominator}"
            text = words.fraction.format(fraction=fraction, amount=amount)
        elif portion.periods and not portion.numerator:
            text = f"{portion.periods} × {amount}"
        elif portion.periods:
            text = words.long_part.format(
                periods=portion.periods,
                each=each,
                count=count,
                whole=whole,
                unit=self.unit(portion.unit),
                amount=amount,
            )
        else:
            unit = self.unit(portion.unit)
            text = words.part.format(count=count, whole=whole, unit=unit, amount=amount)
        total = self.money(portion.amount_minor)
        if abs(portion.rounding_minor) * 2 > 1:
            total = words.rounded_at_cuts.format(amount=total)
        return f"{text} = {total}"

    def unit(self, unit: ProrationUnit) -> str:
        match unit:
            case ProrationUnit.DAY:
                return self.words.day
            case ProrationUnit.SECOND:
                return self.words.second
            case ProrationUnit.THIRTIETHS:
                return self.words.thirtieth
            case other:
                assert_never(other)

    def deduction(self, reason: DeductionReason, amount_minor: int) -> str:
        match reason:
            case DeductionReason.BILLED_EARLIER:
                return self.words.billed_earlier.format(amount=self.money(amount_minor))
            case DeductionReason.REACHED:
                return self.words.reached.format(amount=self.money(amount_minor))
            case DeductionReason.NOT_PAID:
                return self.words.not_paid
            case other:
                assert_never(other)

    def tax(self) -> str:
        line = self.line
        rates = [each for each in (line.rate, *line.more_rates) if each.percent]
        if not rates:
            return ""
        taxes = " + ".join([self.named(each) for each in rates])
        if line.behavior is TaxBehavior.INCLUSIVE:
            net = self.money(line.net_minor)
            return f", {self.words.tax_inside.format(taxes=taxes, net=net)}"
        return f", {self.words.plus_tax.format(taxes=taxes)}"

    def named(self, rate: TaxRate) -> str:
        return f"{percent_text(self.locale, rate.percent)} {rate.name or self.names.tax}"

    def money(self, minor: int) -> str:
        return money_format(self.locale, self.line.currency)(minor)

    def price(self, amount: Decimal) -> str:
        return price_format(self.locale, self.line.currency)(amount)
