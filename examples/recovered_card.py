"""A card is declined, dunning looks after the invoice, and a new card ends it the same hour.

Run it with `python examples/recovered_card.py`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from subscriptions import Billing, DunningPolicy, Interval, Money, Reminder, Retries
from subscriptions.gateways.fake import FakeGateway

now = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)
gateway = FakeGateway()
billing = Billing(gateways={"card": gateway}, clock=lambda: now)

# Charge again after 1, 3, 5 and 7 days; write to the customer at once and after 5 days.
billing.dunning.set_policy(
    DunningPolicy(retries=Retries.after_days(1, 3, 5, 7), steps=[Reminder(0), Reminder(5, level=2)])
)
pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
ada = billing.customers.create(name="Ada Lovelace", email="ada@example.com", country="DE")
billing.payment_methods.attach(ada.id, token="tok_visa")
sub = billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 1, 1))

# In February the card has no money: on the day itself, and when it is tried again.
gateway.decline_next("insufficient_funds", times=3)
billing.run(until=date(2027, 2, 4))
invoice = list(billing.invoices.list(customer=ada.id))[-1]
case = billing.dunning.status(invoice.id)
print(invoice.number, invoice.status, "after", invoice.attempts, "attempts; dunning:", case.status)
print("the subscription is", billing.subscriptions.get(sub.id).status)

# Ada gives another card: what is open is charged with it at once.
now = datetime(2027, 2, 5, 12, 0, tzinfo=UTC)
billing.payment_methods.attach(ada.id, token="tok_mastercard", default=True)
invoice = billing.invoices.get(invoice.id)
case = billing.dunning.status(invoice.id)
print(invoice.number, invoice.status, "after", invoice.attempts, "attempts; dunning:", case.status)
print("the subscription is", billing.subscriptions.get(sub.id).status)

for payment in billing.payments.list(invoice=invoice.id):
    print(f"  attempt {payment.ordinal}: {payment.status}")
