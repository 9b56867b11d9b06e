"""What every bucket of ours has: nobody's but ours, and encrypted."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def private(owner: str = "BucketOwnerEnforced") -> Json:
    """Return the properties of a private bucket; ``owner`` is who owns what others write into it."""
    return {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": owner}]},
    }
