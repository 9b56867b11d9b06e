"""The key of KMS under which data keys of rows are wrapped (``runtime.seals``). It never leaves KMS."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

KEY = "RowKey"
VARIABLE = "BIANDAN_ROW_KEY"
OUTPUT = "RowKeyArn"
"""Of the stack: tools that act on an installation from outside read it there."""


def resources() -> Json:
    """Return the key. Whom the account trusts with it is said by the roles' own policies."""
    return {
        KEY: {
            "Type": "AWS::KMS::Key",
            "Properties": {
                "Description": "Wraps the data keys under which personal data in rows is sealed.",
                # KMS renews what is behind the key each year; what it wrapped before, it goes on unwrapping.
                "EnableKeyRotation": True,
                "PendingWindowInDays": 30,
                "KeyPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "Account",
                            "Effect": "Allow",
                            "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
                            "Action": "kms:*",
                            "Resource": "*",
                        }
                    ],
                },
            },
        }
    }
