"""Taxes: rates by place, category and day, the treatment of a supply, and the totals of a document.

Decided here: which rates are valid on a day, which supply bears which and why, what net and tax a
line's amount stands for, and where tax is rounded. Never here: whether a tax id is valid, or the
amounts of lines before tax.

`rates` says what a rate is, `table` where and when which is valid, `europe` has the figures of the
EU, `treatment` decides which of them a supply bears, and `totals` computes a document per EN 16931.
"""

from subscriptions.taxes.europe import EU_COUNTRIES, EU_VAT
from subscriptions.taxes.exemption import TaxExemption
from subscriptions.taxes.rates import TaxBehavior, TaxCategory, TaxRate
from subscriptions.taxes.table import (
    CATEGORIES,
    NO_TAX,
    TaxRates,
    check_category,
    check_known,
    vat_country,
)
from subscriptions.taxes.totals import (
    TaxableLine,
    TaxGroup,
    TaxKey,
    TaxTotals,
    check_rates,
    key_of,
    net_and_tax,
    shared_tax,
    sum_of_ratios,
    tax_totals,
)
from subscriptions.taxes.treatment import (
    SmallBusiness,
    Supply,
    TaxFlag,
    TaxPolicy,
    TaxTreatment,
    treat,
)

__all__ = [
    "CATEGORIES",
    "EU_COUNTRIES",
    "EU_VAT",
    "NO_TAX",
    "SmallBusiness",
    "Supply",
    "TaxBehavior",
    "TaxCategory",
    "TaxExemption",
    "TaxFlag",
    "TaxGroup",
    "TaxKey",
    "TaxPolicy",
    "TaxRate",
    "TaxRates",
    "TaxTotals",
    "TaxTreatment",
    "TaxableLine",
    "check_category",
    "check_known",
    "check_rates",
    "key_of",
    "net_and_tax",
    "shared_tax",
    "sum_of_ratios",
    "tax_totals",
    "treat",
    "vat_country",
]
