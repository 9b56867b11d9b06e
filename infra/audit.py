"""Where the audit's seals lie: in a bucket in which an object that was written can be neither changed nor deleted.

In ``prod`` not even by the account's root user, for as long as records of trade are kept (COMPLIANCE); in ``dev`` by
whoever may bypass it, so that a stage can be taken down.
"""

from __future__ import annotations

from typing import Any

from infra import buckets

Json = dict[str, Any]

BUCKET = "AuditBucket"
OUTPUT = "AuditBucketName"
KEPT_DAYS = {"dev": 1, "prod": 3 * 365 + 1}
"""Records of transactions are kept for three years at least (CN-ECL-31-1); so is who did what to them."""
MODES = {"dev": "GOVERNANCE", "prod": "COMPLIANCE"}


def bucket(stage: str) -> Json:
    """Return the bucket; without a name of ours, for it outlives its stack."""
    return {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            **buckets.private(),
            "VersioningConfiguration": {"Status": "Enabled"},
            "ObjectLockEnabled": True,
            "ObjectLockConfiguration": {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": MODES[stage], "Days": KEPT_DAYS[stage]}},
            },
        },
    }


def bucket_policy() -> Json:
    """Return who may do what with it, beside the policy of the function that seals."""
    from infra.policies import att, sub

    return {
        f"{BUCKET}Policy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": BUCKET},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "TlsOnly",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [att(BUCKET, "Arn"), sub(f"${{{BUCKET}.Arn}}/*")],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                },
            },
        }
    }
