"""The errors of the library: one tree, three branches, by what the caller can do about it.

```
SubscriptionsError
├── DomainError              you asked for something that is not allowed; retrying cannot help
│   ├── ValidationError      a value is wrong: the field, the value, what would be right
│   ├── InvalidTransition    the record's state does not allow this command
│   ├── CurrencyMismatch     two currencies met in one sum
│   ├── UnknownReference     an argument names a record that does not exist
│   ├── NotAvailable         a product may not be sold with, or without, another
│   ├── NotSupported         a gateway cannot do it
│   ├── TooManyAttempts      a card was declined as often as its network allows
│   ├── CollectionOnHold     nothing is charged to this customer now
│   ├── StalePlan            a record that a plan rests on has moved on
│   ├── SafetyStop           a bill is far off the usual: a person must look at it first
│   └── IdempotencyMismatch  a key came back with another request
├── StorageError             reload and retry
│   ├── NotFound             no such record
│   ├── Conflict             somebody changed the record in between
│   ├── Duplicate            a unique key is taken
│   ├── CommitUnknown        the answer to the commit was lost
│   └── StorageBusy          a lock did not become free in time
└── GatewayError             nobody knows: ask again with the same key
```

Every error carries its facts as attributes and survives pickling, so that it can cross a task
queue. A decline is not in the tree: it is an answer, not an error.
"""

from __future__ import annotations

from datetime import datetime


class SubscriptionsError(Exception):
    """The root of every error that this library raises on purpose."""


class DomainError(SubscriptionsError):
    """The request is not allowed; nothing was changed and retrying cannot help."""


class ValidationError(DomainError, ValueError):
    """A value is wrong; `field` says which, `expected` says what would be right.

    `reason` says it in one sentence, such as a form shows beside the field.

    >>> error = ValidationError("quantity", 0, "1 or more")
    >>> error.field, error.reason
    ('quantity', '1 or more; got 0')
    """

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(field, value, expected)
        self.field = field
        self.value = value
        self.expected = expected

    @property
    def reason(self) -> str:
        """What would be right, and what was given."""
        return f"{self.expected}; got {self.value!r}"

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class InvalidTransition(DomainError):
    """The state of a record does not allow the command; `state` and `command` are their names.

    `instead` says what would do, where there is something.
    """

    def __init__(self, record: str, state: str, command: str, instead: str = "") -> None:
        super().__init__(record, state, command, instead)
        self.record = record
        self.state = state
        self.command = command
        self.instead = instead

    def __str__(self) -> str:
        hint = f"; {self.instead}" if self.instead else ""
        return f"{self.record}: {self.command} is not allowed in state {self.state}{hint}"


class CurrencyMismatch(DomainError):
    """Two amounts of different currencies met; the engine never converts."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(left, right)
        self.left = left
        self.right = right

    def __str__(self) -> str:
        return f"cannot combine {self.left} with {self.right}"


class SafetyStop(DomainError):
    """A bill is far off the usual and was not made: `finding` is what a person must look at."""

    def __init__(self, record: str, finding: str) -> None:
        super().__init__(record, finding)
        self.record = record
        self.finding = finding

    def __str__(self) -> str:
        return f"{self.record}: {self.finding}"


class UnknownReference(DomainError):
    """An argument names a record that does not exist for this tenant."""

    def __init__(self, field: str, value: str) -> None:
        super().__init__(field, value)
        self.field = field
        self.value = value

    def __str__(self) -> str:
        return f"{self.field}: there is no record {self.value!r}"


class NotAvailable(DomainError):
    """A product may not be on a subscription with others (`excludes`), or without (`requires`).

    `product` is its name, `rule` one of these words, `others` the ids that the rule is about, and
    `names` theirs, where they were read.
    """

    def __init__(
        self, product: str, rule: str, others: tuple[str, ...], names: tuple[str, ...] = ()
    ) -> None:
        super().__init__(product, rule, others, names)
        self.product = product
        self.rule = rule
        self.others = others
        self.names = names

    def __str__(self) -> str:
        others = " or ".join(map(repr, self.names or self.others))
        return f"product {self.product!r} {self.rule} {others}"


class TooManyAttempts(DomainError):
    """A method was declined as often as the card networks allow; it may be charged from `until`."""

    def __init__(self, method: str, until: datetime) -> None:
        super().__init__(method, until)
        self.method = method
        self.until = until

    def __str__(self) -> str:
        return f"payment_method {self.method}: declined too often; it must rest until {self.until}"


class CollectionOnHold(DomainError):
    """Nothing is charged to a customer now: `reason` is a person's, `in_doubt` what is set aside.

    `in_doubt` are the ids of his payments and refunds of which nobody knows what they came to.
    """

    def __init__(self, customer: str, reason: str, in_doubt: tuple[str, ...]) -> None:
        super().__init__(customer, reason, in_doubt)
        self.customer = customer
        self.reason = reason
        self.in_doubt = in_doubt

    def __str__(self) -> str:
        said = [f"{self.reason!r}: customers.release_collection"] if self.reason else []
        doubts = [f"{each} is set aside: settle it first" for each in self.in_doubt]
        return f"customer {self.customer}: collection is on hold; {'; '.join([*said, *doubts])}"


class NotSupported(DomainError):
    """A gateway cannot do it: `gateway` is its name, `protocol` what it does not implement.

    `instead` says what would do.
    """

    def __init__(self, gateway: str, protocol: str, instead: str = "") -> None:
        super().__init__(gateway, protocol, instead)
        self.gateway = gateway
        self.protocol = protocol
        self.instead = instead

    def __str__(self) -> str:
        hint = f"; {self.instead}" if self.instead else ""
        return f"gateway {self.gateway!r} does not implement {self.protocol}{hint}"


class StalePlan(DomainError):
    """A record that a plan rests on has moved on; preview again. Nothing was changed."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(kind, what)
        self.kind = kind
        self.what = what

    def __str__(self) -> str:
        return f"the plan rests on {self.kind} {self.what}, which has moved on; preview again"


class IdempotencyMismatch(DomainError):
    """An idempotency key was used before with another request; `difference` names what is known.

    >>> str(IdempotencyMismatch("req-1", "usage.record", "quantity is 2, and 3 was given"))
    "idempotency key 'req-1' was used before with another request: quantity is 2, and 3 was given"
    """

    def __init__(self, key: str, command: str, difference: str = "") -> None:
        super().__init__(key, command, difference)
        self.key = key
        self.command = command
        self.difference = difference

    def __str__(self) -> str:
        said = f"idempotency key {self.key!r} was used before with another request"
        return f"{said}: {self.difference}" if self.difference else said


class StorageError(SubscriptionsError):
    """The storage could not do it; reloading and retrying is safe."""


class NotFound(StorageError):
    """There is no record of this kind with this id for this tenant."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(kind, id)
        self.kind = kind
        self.id = id

    def __str__(self) -> str:
        return f"no {self.kind} {self.id!r}"


class Conflict(StorageError):
    """The record moved on since it was read; nothing was written."""

    def __init__(self, kind: str, id: str, expected: int) -> None:
        super().__init__(kind, id, expected)
        self.kind = kind
        self.id = id
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.kind} {self.id!r} is no longer at version {self.expected}"


class Duplicate(StorageError):
    """A unique key is taken; `key` names it, `value` is what clashed. Nothing was written."""

    def __init__(self, key: str, value: str) -> None:
        super().__init__(key, value)
        self.key = key
        self.value = value

    def __str__(self) -> str:
        return f"{self.key} {self.value!r} is taken"


class CommitUnknown(StorageError):
    """The answer to a commit was lost: it may or may not have happened.

    Repeating the command with its idempotency key is safe.
    """


class StorageBusy(StorageError):
    """A lock did not become free in time; nothing was written, and repeating is safe."""


class GatewayError(SubscriptionsError):
    """Nobody knows whether the gateway acted: ask again with the same key."""
