"""From nothing to the first paid invoices, in memory: ten lines.

Run it with `python examples/first_invoice.py`.
"""

from __future__ import annotations

from datetime import date

from subscriptions import Billing, Interval, Money

billing = Billing()  # in memory, a scripted gateway, the system's clock
pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
ada = billing.customers.create(name="Ada Lovelace", email="ada@example.com", country="DE")
billing.payment_methods.attach(ada.id, token="tok_visa")
sub = billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 1, 31))
report = billing.run(until=date(2027, 4, 30))  # whatever falls due, day by day, in order
for invoice in billing.invoices.list(customer=ada.id):
    print(invoice.number, invoice.period, invoice.total, invoice.status)
