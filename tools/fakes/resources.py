"""Tables, queues, bucket and secrets of an installation on the embedded engine, from the models and the topology."""

from __future__ import annotations

import base64
import json
from typing import Any

from chalicelib import topology
from chalicelib.runtime import aws, names, queues, secrets
from chalicelib.runtime.config import config
from infra.tables import table_specs


def create_all(extra_secrets: dict[str, dict[str, Any]] | None = None, *, collects: bool = True) -> None:
    """Create what is missing of tables, queues, bucket and secrets. Running it again changes nothing.

    Without ``collects`` no table deletes what is past its TTL: the engine goes by the machine's clock, not by ours.
    """
    create_tables(collects=collects)
    create_queues()
    for bucket in (config().bucket, config().published_bucket, config().audit_bucket):
        _tolerate("BucketAlreadyOwnedByYou", "s3", "CreateBucket", {"Bucket": bucket})
    aws.call(
        "s3",
        "PutBucketVersioning",
        {"Bucket": config().audit_bucket, "VersioningConfiguration": {"Status": "Enabled"}},
    )
    for name, value in {**local_secrets(), **(extra_secrets or {})}.items():
        _tolerate(
            "ResourceExistsException",
            "secretsmanager",
            "CreateSecret",
            {"Name": names.secret_name(name), "SecretString": json.dumps(value)},
        )
    secrets.forget()


def create_tables(*, collects: bool = True) -> None:
    """Create the tables that are missing; see :func:`create_all` for ``collects``."""
    for spec in table_specs().values():
        params = {name: value for name, value in spec.items() if name != "ttl" and value}
        created = _tolerate("ResourceInUseException", "dynamodb", "CreateTable", params)
        if created and spec["ttl"] and collects:
            aws.call(
                "dynamodb",
                "UpdateTimeToLive",
                {
                    "TableName": spec["TableName"],
                    "TimeToLiveSpecification": {"AttributeName": spec["ttl"], "Enabled": True},
                },
            )


def stream_of(table_name: str) -> tuple[str, str] | None:
    """Return the ARN of a table's stream and its only shard; None where it has none.

    The table says so itself: the engine's ListStreams walks through the tables of every account.
    """
    arn = aws.call("dynamodb", "DescribeTable", {"TableName": table_name})["Table"].get("LatestStreamArn")
    if arn is None:
        return None
    shards = aws.call("dynamodbstreams", "DescribeStream", {"StreamArn": arn})["StreamDescription"]["Shards"]
    return arn, shards[0]["ShardId"]


def create_queues() -> None:
    """Create the queues that are missing, each with its dead letters."""
    for queue in topology.QUEUES:
        dead = aws.call("sqs", "CreateQueue", {"QueueName": names.dead_letter_name(queue)})["QueueUrl"]
        arn = aws.call("sqs", "GetQueueAttributes", {"QueueUrl": dead, "AttributeNames": ["QueueArn"]})
        aws.call(
            "sqs",
            "CreateQueue",
            {
                "QueueName": names.queue_name(queue),
                "Attributes": {
                    "VisibilityTimeout": "60",
                    "RedrivePolicy": json.dumps(
                        {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 10}
                    ),
                },
            },
        )
    queues.forget_urls()


def _tolerate(code: str, service: str, operation: str, params: dict[str, Any]) -> bool:
    try:
        aws.call(service, operation, params)
    except Exception as error:
        if aws.error_code(error) not in (code, "BucketAlreadyExists"):
            raise
        return False
    return True


def local_secrets() -> dict[str, dict[str, Any]]:
    """Return the secrets of a local installation. They begin ``local-``, which any other stage refuses."""
    return {
        "http": {
            "cursor_key": "local-cursor-key",
            "origin_key": "local-origin-key",  # What a CDN shows us, where one is set up.
        },
        "auth": {
            # Ed25519 seeds by key id; the first signs, all verify.
            "signing_keys": [
                {"kid": "local-1", "seed": base64.b64encode(b"local-development-signing-key-01").decode()}
            ],
            "pepper": "local-pepper",
        },
        "checkout": {"quote_key": "local-quote-key"},
        "messages": {"seal_key": "local-seal-key", "id_key": "local-id-key"},
        "messages-tencent": {
            "secret_id": "local-secret-id",
            "secret_key": "local-tencent-key",
            "sdk_app_id": "1400006666",
        },
        "messages-aliyun": {"access_key_id": "local-access-key-id", "access_key_secret": "local-aliyun-key"},
        "payments-sandbox": {
            "merchant_id": "local-merchant",
            "api_key": "local-sandbox-api-key",
            "webhook_key": "local-sandbox-webhook-key",
        },
        "logistics-kdniao": {"business_id": "local-business", "app_key": "local-kdniao-app-key"},
        "logistics-kuaidi100": {
            "customer": "local-customer",
            "key": "local-kuaidi100-key",
            "salt_key": "local-salt-key",
        },
        "sign-in-qq": {"appid": "101010101", "app_secret": "local-qq-app-secret"},
        "sign-in-qq-mini": {"appid": "1110101010", "app_secret": "local-qq-mini-app-secret"},
        "sign-in-wechat-mini": {"appid": "wx0000000000local", "app_secret": "local-wechat-mini-app-secret"},
    }
