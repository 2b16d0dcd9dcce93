"""Usage: what is counted, what was used, and in which segment of time it counts and is billed.

Decided here: how events become one quantity, how that is rounded (once), to which segment an event
belongs, and on whose invoice it goes. Law: every event has exactly one segment with whose invoice
it is billed, so late usage is never lost and never billed twice. Never here: what a quantity costs
(a price model says that), reading, writing, a clock.
"""

from subscriptions.usage.events import (
    LEVEL,
    USAGE,
    CarriedLevel,
    Usage,
    UsageEvent,
    level_id,
    read_used,
    record,
    segment_key,
    usage_id,
)
from subscriptions.usage.meters import (
    METER,
    Aggregation,
    Filter,
    Meter,
    MeterAdded,
    QuantityRounding,
    RoundingMode,
    add_meter,
    check_fits,
    needs_amounts,
)
from subscriptions.usage.segments import (
    Assigned,
    History,
    Segment,
    Stretch,
    StretchKind,
    closed,
    whole_period,
)
from subscriptions.usage.tallies import HeldTally, Span, SumTally, Tally, begin_tally

__all__ = [
    "LEVEL",
    "METER",
    "USAGE",
    "Aggregation",
    "Assigned",
    "CarriedLevel",
    "Filter",
    "HeldTally",
    "History",
    "Meter",
    "MeterAdded",
    "QuantityRounding",
    "RoundingMode",
    "Segment",
    "Span",
    "Stretch",
    "StretchKind",
    "SumTally",
    "Tally",
    "Usage",
    "UsageEvent",
    "add_meter",
    "begin_tally",
    "check_fits",
    "closed",
    "level_id",
    "needs_amounts",
    "read_used",
    "record",
    "segment_key",
    "usage_id",
    "whole_period",
]
