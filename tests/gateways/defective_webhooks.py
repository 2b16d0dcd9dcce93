"""Gateways with one planted defect each: how they read their messages."""

# ruff: noqa: ARG002 - a defect is often that an argument is not looked at

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import evolve

from subscriptions.gateways import (
    GatewayEvent,
    Secret,
    WebhookRefused,
)
from subscriptions.gateways.fake import FakeGateway
from subscriptions.gateways.fake.messages import read
from subscriptions.payments import Outcome


class BelievesEveryWebhook(FakeGateway):
    """Reads a message without asking who sent it."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return read("evt_1", raw)


class IgnoresTheTimeOfWebhooks(FakeGateway):
    """Accepts a genuine message however old."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return super().parse_webhook(raw, headers, secrets=secrets, now=self.now)


class KnowsOneSecret(FakeGateway):
    """Tries only the first secret."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return super().parse_webhook(raw, headers, secrets=secrets[:1], now=now)


class CrashesOnHostileHeaders(FakeGateway):
    """Takes the parts of the signature without looking whether there are any."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        for name, value in headers.items():
            if name.lower() == "webhook-signature":
                _version, _signature = value.split(",")
        return super().parse_webhook(raw, headers, secrets=secrets, now=now)


class ReadsBeforeItVerifies(FakeGateway):
    """Parses the body first, and crashes on what is no JSON."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        raw.decode("ascii")
        if not raw:
            raise ValueError("empty")
        return super().parse_webhook(raw, headers, secrets=secrets, now=now)


class KnowsHeadersByOneCase(FakeGateway):
    """Looks headers up as this machine's web server happens to write them."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        if headers and "webhook-id" not in headers:
            raise WebhookRefused("no id")
        return super().parse_webhook(raw, headers, secrets=secrets, now=now)


class GivesEachReadingAnotherId(FakeGateway):
    """Has no id by which a message that comes twice is known."""

    readings = 0

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        self.readings += 1
        event = super().parse_webhook(raw, headers, secrets=secrets, now=now)
        return evolve(event, id=f"evt_{self.readings}")


class ReadsAnyEncoding(FakeGateway):
    """Makes text of the bytes before it verifies them."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        if raw.startswith(b"\xef\xbb\xbf"):
            raw = raw.decode("utf-8-sig").encode()
        return super().parse_webhook(raw, headers, secrets=secrets, now=now)


class TellsWishes(FakeGateway):
    """Tells in its messages of another state than it has."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        event = super().parse_webhook(raw, headers, secrets=secrets, now=now)
        if event.snapshot is None:
            return event
        return evolve(event, snapshot=evolve(event.snapshot, outcome=Outcome.PROCESSING))


class TellsRefundsAsPayments(FakeGateway):
    """Does not tell a message about a refund from others."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return evolve(super().parse_webhook(raw, headers, secrets=secrets, now=now), refund=None)
