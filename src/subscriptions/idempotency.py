"""What is remembered of a command that carried an idempotency key.

It is committed with the command. The same key with the same request returns the stored answer and
changes nothing; with another request it is refused.
"""

from __future__ import annotations

from datetime import datetime

from subscriptions.frozen import frozen
from subscriptions.ids import derived_id
from subscriptions.records import Kind


@frozen
class CommandRecord:
    """One answered command: a digest of the request, and the record that it was about.

    A command of many transactions is about no one record; what it reported is its `report`, a JSON
    text, and `kind` and `answer` are empty.
    """

    id: str
    tenant: str
    version: int
    command: str
    fingerprint: str
    kind: str
    answer: str
    at: datetime
    report: str = ""


COMMAND = Kind("command", CommandRecord)


def command_id(tenant: str, key: str) -> str:
    """Derive the id of the record of an idempotency key."""
    return derived_id("cmd", tenant, key)
