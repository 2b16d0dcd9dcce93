"""A gateway that misbehaves in every way a real one does, and keeps honest books of it.

Nothing of it is shared with the fake gateway: whoever judges by its ledger judges by other code.
What it does with a call is drawn from a mix that each seed draws for itself, and counted. It has
its own clock, which goes on while nobody works; it forgets keys after its window; its list lags; a
call may take effect when the caller has long given up, and the caller may die in the middle of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

from attrs import define, field

from subscriptions.errors import GatewayError
from subscriptions.gateways import (
    AbsentForSure,
    CannotTell,
    Capabilities,
    Found,
    GatewayEvent,
    Reconciled,
    Secret,
    WebhookRefused,
)
from subscriptions.ids import PaymentId
from subscriptions.payment_methods import MethodDetails
from subscriptions.payments import ChargeIntent, Decline, Outcome, PaymentSnapshot
from subscriptions.testing.crashes import Crash

WINDOW = timedelta(hours=24)
SLOW = timedelta(seconds=20)
"""How late a call may take effect that was given up: less than the time-out."""

# What becomes of a call on the line: whether it has an effect, and what the caller sees.
LINES: tuple[str, ...] = (
    "answers",
    "times out with effect",
    "times out without effect",
    "takes effect late",
    "connection refused",
    "5xx with effect",
    "5xx without effect",
    "caller dies before",
    "caller dies after",
)
# What the bank makes of a charge that arrives.
FATES: tuple[str, ...] = ("takes", "declines softly", "declines for good", "asks", "needs days")
# What becomes of a question.
QUESTIONS: tuple[str, ...] = ("answers", "cannot tell", "fails", "caller dies asking")
# What becomes of a message.
POSTS: tuple[str, ...] = ("delivered", "lost", "twice", "later")
DECLINE = {"declines softly": "insufficient_funds", "declines for good": "stolen_card"}
ALL_FAULTS = frozenset({*LINES, *FATES, *QUESTIONS, *POSTS})


@define
class Entry:
    """One line of the books: what was asked, and what became of it."""

    reference: str
    intent: ChargeIntent
    outcome: Outcome
    created_at: datetime
    changed_at: datetime
    code: str | None = None
    settles_at: datetime | None = None

    @property
    def invoice(self) -> str:
        """The invoice that the metadata name."""
        return self.intent.metadata["invoice"]

    def said(self) -> PaymentSnapshot:
        """Return what the gateway says of it now."""
        return PaymentSnapshot(
            self.outcome,
            self.intent.amount,
            self.changed_at,
            self.intent.attempt_id,
            self.reference,
            None if self.code is None else Decline(self.code),
            "https://bank.example/act" if self.outcome is Outcome.REQUIRES_ACTION else None,
        )


def a_mix(random: Random, words: Sequence[str]) -> dict[str, int]:
    """Draw how often each thing happens; what is good happens now and then in every mix."""
    mix = {word: random.choice([0, 0, 1, 3]) for word in words}
    mix[words[0]] += 2
    return mix


@define
class Adversary:
    """One gateway, for one seed. `healed` makes it a good one."""

    random: Random
    clock: Callable[[], datetime]
    happened: Counter[str]
    watch: Callable[[ChargeIntent], None]
    healed: bool = False
    ledger: list[Entry] = field(factory=list[Entry])
    messages: list[PaymentSnapshot] = field(factory=list[PaymentSnapshot])
    forgotten: int = 0
    capabilities: Capabilities = field(init=False, factory=lambda: Capabilities(WINDOW))
    _memory: dict[str, tuple[datetime, Entry, PaymentSnapshot]] = field(
        init=False, factory=dict[str, tuple[datetime, Entry, PaymentSnapshot]]
    )
    _in_flight: list[tuple[datetime, ChargeIntent]] = field(
        init=False, factory=list[tuple[datetime, ChargeIntent]]
    )
    _void: set[str] = field(init=False, factory=set[str])
    _mixes: dict[Sequence[str], dict[str, int]] = field(
        init=False, factory=dict[Sequence[str], dict[str, int]]
    )
    _lag: timedelta = field(init=False)

    def __attrs_post_init__(self) -> None:
        for words in (LINES, FATES, QUESTIONS, POSTS):
            self._mixes[words] = a_mix(self.random, words)
        self._lag = timedelta(minutes=self.random.choice([0, 1, 30]))

    # ---- the port ---------------------------------------------------------------------------

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Do with the call whatever is drawn for it."""
        self.watch(intent)
        line = self._draw(LINES)
        self.tick()
        silence = PaymentSnapshot(Outcome.UNKNOWN, intent.amount, self.clock(), intent.attempt_id)
        match line:
            case "connection refused":
                return PaymentSnapshot(
                    Outcome.NOT_EXECUTED, intent.amount, self.clock(), intent.attempt_id
                )
            case "times out without effect":
                return silence
            case "5xx without effect":
                raise GatewayError("503")
            case "caller dies before":
                raise Crash(line)
            case "takes effect late":
                self._in_flight.append((self.clock() + SLOW, intent))
                return silence
            case _:
                answer = self._execute(intent, self.clock())
        if line == "times out with effect":
            return silence
        if line == "5xx with effect":
            raise GatewayError("502")
        if line == "caller dies after":
            raise Crash(line)
        return answer

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Stop an attempt that waits or never came; its effect stays, whatever the caller sees."""
        fate = self._draw(QUESTIONS)
        self.tick()
        if fate == "fails":
            raise GatewayError("504")
        entry = self._entry(intent.attempt_id)
        if entry is None:
            self._void.add(intent.attempt_id)
            voided = PaymentSnapshot(
                Outcome.DECLINED_SOFT,
                intent.amount,
                self.clock(),
                intent.attempt_id,
                decline=Decline("voided"),
            )
        else:
            if entry.outcome is Outcome.REQUIRES_ACTION:
                self._void.add(intent.attempt_id)
                self._change(entry, Outcome.DECLINED_SOFT, "voided")
            voided = entry.said()
        self._dies_asking(fate)
        if fate == "cannot tell":
            return PaymentSnapshot(Outcome.UNKNOWN, intent.amount, self.clock(), intent.attempt_id)
        return voided

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        """Look it up in the list, which lags; absence is as of what the list shows."""
        fate = self._draw(QUESTIONS)
        self.tick()
        self._dies_asking(fate)
        if fate == "fails":
            raise GatewayError("504")
        if fate == "cannot tell":
            return CannotTell("not now")
        as_of = self.clock() - self._lag
        entry = self._entry(intent.attempt_id)
        if entry is not None and (entry.created_at <= as_of or entry.reference == gateway_ref):
            return Found(entry.said())
        return AbsentForSure(as_of)

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        """Take any token."""
        return MethodDetails(f"{token}.{customer_ref}")

    def detach(self, method_ref: str, /) -> None:
        """Forget nothing."""

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        """List the books as they are."""
        self.tick()
        return iter([entry.said() for entry in self.ledger if entry.created_at >= instant])

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        """Read a message by its number; that forged ones are refused is tested elsewhere."""
        del headers, secrets, now
        try:
            snapshot = self.messages[int(raw)]
        except (ValueError, IndexError) as error:
            raise WebhookRefused("no message") from error
        return GatewayEvent(f"evt_{int(raw)}", f"payment.{snapshot.outcome.value}", snapshot)

    # ---- what happens at the gateway by itself ----------------------------------------------

    def tick(self) -> None:
        """Let what is on its way arrive, and what takes days be settled."""
        now = self.clock()
        arrived = [call for call in self._in_flight if call[0] <= now]
        self._in_flight = [call for call in self._in_flight if call[0] > now]
        for at, intent in arrived:
            self._execute(intent, at)
        for entry in self.ledger:
            if entry.settles_at is not None and entry.settles_at <= now:
                entry.settles_at = None
                self._settle(entry)

    def customers_act(self) -> None:
        """Let the customers who are asked to act do so, or fail to."""
        self.tick()
        for entry in self.ledger:
            if entry.outcome is Outcome.REQUIRES_ACTION:
                self._settle(entry)

    def post(self, since: int) -> list[bytes]:
        """Return what the post brings of the messages since a number, in any order."""
        self.tick()
        brought: list[bytes] = []
        for number in range(since, len(self.messages)):
            fate = self._draw(POSTS)
            if fate == "later":
                # It comes with a later post, or never.
                earlier = self.random.randrange(len(self.messages))
                brought.append(str(earlier).encode())
            elif fate != "lost":
                brought += [str(number).encode()] * (2 if fate == "twice" else 1)
        self.random.shuffle(brought)
        return brought

    # ---- within -----------------------------------------------------------------------------

    def _draw(self, words: Sequence[str]) -> str:
        mix = self._mixes[words]
        drawn = words[0]
        if not self.healed:
            (drawn,) = self.random.choices(list(mix), weights=list(mix.values()))
        self.happened[drawn] += 1
        return drawn

    def _dies_asking(self, fate: str) -> None:
        if fate == "caller dies asking":
            raise Crash(fate)

    def _execute(self, intent: ChargeIntent, now: datetime) -> PaymentSnapshot:
        """Charge, once for each key that is remembered: the memory, and then the books."""
        if intent.attempt_id in self._void:
            return PaymentSnapshot(
                Outcome.DECLINED_SOFT,
                intent.amount,
                now,
                intent.attempt_id,
                decline=Decline("voided"),
            )
        known = self._memory.get(intent.key)
        if known is not None and now - known[0] < WINDOW:
            return known[2]
        if known is not None:
            self.forgotten += 1
        fate = self._draw(FATES)
        outcome = {
            "takes": Outcome.SUCCEEDED,
            "declines softly": Outcome.DECLINED_SOFT,
            "declines for good": Outcome.DECLINED_HARD,
            "asks": Outcome.REQUIRES_ACTION,
            "needs days": Outcome.PROCESSING,
        }[fate]
        settles_at = None
        if fate == "needs days":
            settles_at = now + timedelta(days=self.random.randint(1, 6))
        reference = f"ch_{len(self.ledger) + 1}"
        entry = Entry(reference, intent, outcome, now, now, DECLINE.get(fate), settles_at)
        self.ledger.append(entry)
        self.messages.append(entry.said())
        self._memory[intent.key] = (now, entry, entry.said())
        return entry.said()

    def _settle(self, entry: Entry) -> None:
        if self.healed or self.random.random() < 0.5:
            self._change(entry, Outcome.SUCCEEDED, None)
        else:
            self._change(entry, Outcome.DECLINED_SOFT, "insufficient_funds")

    def _change(self, entry: Entry, outcome: Outcome, code: str | None) -> None:
        entry.outcome, entry.code, entry.changed_at = outcome, code, self.clock()
        self.messages.append(entry.said())

    def _entry(self, attempt: PaymentId) -> Entry | None:
        mine = [entry for entry in self.ledger if entry.intent.attempt_id == attempt]
        took = [entry for entry in mine if entry.outcome is Outcome.SUCCEEDED]
        found = took or mine
        return found[-1] if found else None
