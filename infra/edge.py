"""What stands between readers and the shop: the bucket of published files. See docs/edge.md."""

from __future__ import annotations

from typing import Any

from chalicelib.runtime import published
from infra.policies import att, sub

Json = dict[str, Any]


def bucket() -> Json:
    """Return the bucket of published files. Nobody reaches it but functions and the CDN, both by their own names."""
    return {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            # Without a name of ours: CloudFormation makes one up that the world does not have yet.
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        # What is named by no manifest any more is deleted by the sweep, which knows the manifests.
                        "Id": "abandoned-uploads",
                        "Status": "Enabled",
                        "Prefix": f"{published.ROOT}/",
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    }
                ]
            },
        },
    }


def bucket_policy() -> Json:
    """Return who may do what with the bucket, beside the functions' own policies."""
    return {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "PublishedBucket"},
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "TlsOnly",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [att("PublishedBucket", "Arn"), sub("${PublishedBucket.Arn}/*")],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        },
    }
