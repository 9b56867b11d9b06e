"""What keeps a change that the relay cannot pass on: retries without end, then a copy in the bucket, and who is told.

A stream keeps a record for 24 hours. An outage of SQS is waited for; before a record would be gone, Lambda writes it,
whole, into the bucket, which no outage of a queue touches. ``tools.operate.replay`` sends what lies there.
"""

from __future__ import annotations

from typing import Any

from chalicelib.runtime.laid_aside import PREFIX, REPLAYED
from infra.policies import att

Json = dict[str, Any]

KEPT_DAYS = 30


def retries() -> Json:
    """Return what a stream's mapping does with what cannot be passed on."""
    return {
        # Nothing is given up for the number of tries; twenty hours leave four to write the rest down.
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 20 * 60 * 60,
        "DestinationConfig": {"OnFailure": {"Destination": att("UploadsBucket", "Arn")}},
    }


def lifecycle() -> list[Json]:
    """Return the bucket's rules: rows are copied here whole, with whatever they hold, so not for long."""
    return [
        {"Id": f"changes-{name}", "Status": "Enabled", "Prefix": prefix, "ExpirationInDays": KEPT_DAYS}
        for name, prefix in (("laid-aside", PREFIX), ("replayed", REPLAYED))
    ]
