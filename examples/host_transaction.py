"""A sign-up and its subscription commit together, in the host's own transaction, or not at all.

Run it with `python examples/host_transaction.py`.

The host has tables of its own and a SQLAlchemy session. `SqlStorage(session)` joins the session's
transaction: the library commits nothing there. What follows a commit, such as charging a card, is
done afterwards by a billing that has the database for itself.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from subscriptions import Billing, Interval, Money, SqlStorage

NOW = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)


class Base(DeclarativeBase):
    """The tables of the host."""


class Account(Base):
    """The host's own record of somebody who signed up."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


class SignUpFailed(Exception):
    """Something of the host's own went wrong after the subscription was made."""


def sign_up(session: Session, email: str, price: str, *, fail: bool = False) -> None:
    """Make an account, a customer and a subscription, all in the transaction of the session."""
    account = Account(email=email)
    session.add(account)
    session.flush()
    billing = Billing(storage=SqlStorage(session), clock=lambda: NOW)
    customer = billing.customers.create(name=email, email=email, external_id=str(account.id))
    billing.subscriptions.create(customer.id, [price], start=date(2027, 1, 1))
    if fail:
        raise SignUpFailed(email)


def main(folder: Path) -> None:
    """Sign two people up; the second sign-up fails, and nothing of it is left."""
    engine = sa.create_engine(f"sqlite:///{folder / 'shop.db'}")
    Base.metadata.create_all(engine)
    SqlStorage(engine, migrate=True)
    billing = Billing(storage=SqlStorage(engine), clock=lambda: NOW)
    pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))

    with Session(engine) as session, session.begin():
        sign_up(session, "ada@example.com", pro.id)
    try:
        with Session(engine) as session, session.begin():
            sign_up(session, "mallory@example.com", pro.id, fail=True)
    except SignUpFailed as error:
        print("failed:", error)

    with Session(engine) as session:
        print("accounts: ", *session.scalars(sa.select(Account.email)))
    print("customers:", *(customer.name for customer in billing.customers.list()))
    for invoice in billing.invoices.list():
        print("invoice:  ", invoice.number, invoice.total, invoice.status)
    engine.dispose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
