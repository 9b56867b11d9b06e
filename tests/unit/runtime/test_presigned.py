"""What is signed for a browser names the bucket's own host in its own region, in every partition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from chalicelib.runtime import aws, sdk, transport
from chalicelib.runtime.config import config

BUCKET = "biandan-prod-uploads-123456789012-x"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def use(region: str, endpoint: str = "") -> None:
        monkeypatch.setenv("AWS_REGION", region)
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint) if endpoint else monkeypatch.delenv("AWS_ENDPOINT_URL")
        config.cache_clear()
        aws.forget_clients()

    yield use
    monkeypatch.undo()
    config.cache_clear()
    aws.forget_clients()


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "s3.us-east-1.amazonaws.com"),
        ("eu-central-1", "s3.eu-central-1.amazonaws.com"),
        ("ap-east-1", "s3.ap-east-1.amazonaws.com"),
        ("ap-southeast-5", "s3.ap-southeast-5.amazonaws.com"),
        ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ("cn-northwest-1", "s3.cn-northwest-1.amazonaws.com.cn"),
        ("us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"),
    ],
)
def test_a_signed_address_is_on_the_buckets_host_in_its_region(at: Any, region: str, host: str) -> None:
    at(region)
    client = sdk.client("s3")
    link = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "evidence/kept/a"})
    form = client.generate_presigned_post(BUCKET, "evidence/incoming/a")

    assert link.startswith(f"https://{BUCKET}.{host}/evidence/kept/a?")
    assert f"%2F{region}%2Fs3%2Faws4_request" in link
    assert form["url"] == f"https://{BUCKET}.{host}/"


def test_the_embedded_engine_has_no_hosts_for_buckets(at: Any) -> None:
    at("us-east-1", "http://127.0.0.1:4566")
    link = sdk.client("s3").generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"})
    assert link.startswith(f"http://127.0.0.1:4566/{BUCKET}/a?")


def test_every_partition_that_botocore_knows_is_reached_under_its_own_domain() -> None:
    session = botocore.session.get_session()
    resolver: Any = session.get_component("endpoint_resolver")
    for partition in session.get_available_partitions():
        suffix = resolver.get_partition_dns_suffix(partition)
        for region in session.get_available_regions("dynamodb", partition_name=partition):
            for service, prefix in (("dynamodb", "dynamodb"), ("sqs", "sqs"), ("secretsmanager", "secretsmanager")):
                told = transport._public_endpoint(service, region)
                assert told == f"https://{prefix}.{region}.{suffix}"
