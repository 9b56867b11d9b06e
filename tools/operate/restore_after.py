"""What follows the tables of a restored shop: secrets, files, what was on its way, what others had told meanwhile."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from chalicelib import topology
from chalicelib.runtime import names
from infra import rowkey
from infra.names import VARIABLE, stack_name
from tools.operate.restore_tables import RestoreError

Json = dict[str, Any]
Say = Callable[[str], None]

OUTSIDE = ("payment-notices", "logistics")
"""Queues that hold what others told us. All that the others hold we told ourselves, and rows tell it again."""
SKEW = timedelta(minutes=5)
UPLOADS = "UploadsBucketName"


def copy_secrets(session: Any, source: str, target: str) -> Iterator[str]:
    """Give the target the source's secrets: other keys would sign everybody out, and pay nobody. Yields what is done.

    Raises:
        RestoreError: if a secret is there with another value.
    """
    client = session.client("secretsmanager")
    prefix = f"{names.PROJECT}/{source}/"
    for name in sorted(_secrets(client, prefix)):
        wanted = f"{names.PROJECT}/{target}/{name.removeprefix(prefix)}"
        value = client.get_secret_value(SecretId=name)["SecretString"]
        try:
            there = client.get_secret_value(SecretId=wanted)["SecretString"]
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=wanted, SecretString=value)
            yield f"secret {wanted} copied"
            continue
        if there != value:
            raise RestoreError(f"the secret {wanted} is there with another value than {name}: take another label")
        yield f"secret {wanted} is there"


def _secrets(client: Any, prefix: str) -> Iterator[str]:
    token: Json = {}
    while True:
        page = client.list_secrets(Filters=[{"Key": "name", "Values": [prefix]}], **token)
        yield from (str(one["Name"]) for one in page["SecretList"] if str(one["Name"]).startswith(prefix))
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


# Once the stack of the target is deployed


def follow(
    session: Any,
    stage: str,
    source: str,
    target: str,
    at: datetime,
    *,
    margin: timedelta,
    sends: bool = True,
    say: Say = print,
) -> Json:
    """Copy files, tell again what was on its way at that moment, and hand on what others told since; returns counts."""
    before, after = (_outputs(session, installed) for installed in (source, target))
    if sends and rowkey.OUTPUT in before:  # First: until then nobody reads what is personal.
        count = rewrap_keys(stage, target, before[rowkey.OUTPUT], after[rowkey.OUTPUT])
        say(f"  {count} data keys are wrapped by the new key")
    copied = copy_files(session, before[UPLOADS], after[UPLOADS], sends=sends, say=say)
    events = tell_again(stage, target, at, margin, sends=sends, say=say)
    moved = hand_on(session, source, target, sends=sends, say=say)
    return {"files": copied, "events": sum(events.values()), "by_type": dict(events), "from_outside": moved}


def _outputs(session: Any, installed: str) -> dict[str, str]:
    found = session.client("cloudformation").describe_stacks(StackName=stack_name(installed))["Stacks"][0]
    outputs = {one["OutputKey"]: str(one["OutputValue"]) for one in found.get("Outputs", [])}
    if UPLOADS not in outputs:
        raise RestoreError(f"the stack {stack_name(installed)} is not deployed yet: make deploy comes first")
    return outputs


def rewrap_keys(stage: str, target: str, old: str, new: str) -> int:
    """Wrap the data keys of rows, which were copied with them, by the target's own key; returns how many."""
    from chalicelib.runtime import caches
    from chalicelib.runtime.seals import kms, ring
    from tools.operate import seal

    kept = os.environ.get(kms.KEY)
    os.environ[kms.KEY] = new
    _act_at(stage, target)
    caches.forget_all()
    try:
        return seal.rewrap(old) if ring.newest() else 0
    finally:
        os.environ.pop(kms.KEY)
        if kept is not None:
            os.environ[kms.KEY] = kept
        caches.forget_all()


def _act_at(stage: str, installed: str) -> None:
    """Let what this process does from here on be done to an installation."""
    from chalicelib.runtime.config import config

    os.environ.update({"BIANDAN_STAGE": stage, VARIABLE: installed})
    config.cache_clear()


def copy_files(session: Any, source: str, target: str, *, sends: bool, say: Say) -> int:
    """Copy what the bucket of uploads holds; what is there already with the same content is left. Returns how many."""
    s3 = session.client("s3")
    there = dict(_objects(s3, target))
    count = 0
    for key, tag in _objects(s3, source):
        if there.get(key) == tag:
            continue
        count += 1
        if sends:
            s3.copy({"Bucket": source, "Key": key}, target, key)  # In parts, where it is large.
        if count % 1000 == 0:
            say(f"  {count} files")
    say(f"  {count} files {'copied' if sends else 'to copy'}")
    return count


def _objects(s3: Any, bucket: str) -> Iterator[tuple[str, str]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from ((str(one["Key"]), str(one["ETag"])) for one in page.get("Contents", []))


def tell_again(stage: str, target: str, at: datetime, margin: timedelta, *, sends: bool, say: Say) -> Counter[str]:
    """Send the events that rode in rows at that moment: who should have heard them may be restored without."""
    _act_at(stage, target)
    from tools.operate import replay

    found: Counter[str] = Counter()
    until = at + SKEW  # What is in a restored row was there at that moment, whatever the writer's clock said.
    for table in topology.TABLES:
        found += replay.replay_table(table, at - margin, until, sends=sends, say=say).events
    return found


def hand_on(session: Any, source: str, target: str, *, sends: bool, say: Say) -> int:
    """Move what providers and hubs told since then to the target's queues; returns how many. It asks about each."""
    sqs = session.client("sqs")
    moved = 0
    for queue in OUTSIDE:
        old, new = (
            sqs.get_queue_url(QueueName=f"{stack_name(installed)}-{queue}")["QueueUrl"]
            for installed in (source, target)
        )
        if not sends:
            attributes = sqs.get_queue_attributes(QueueUrl=old, AttributeNames=["ApproximateNumberOfMessages"])
            moved += int(attributes["Attributes"]["ApproximateNumberOfMessages"])
            continue
        moved += _move(sqs, old, new)
        say(f"  {queue}: {moved} messages handed on")
    return moved


def _move(sqs: Any, old: str, new: str) -> int:
    moved = 0
    while True:
        asked = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 1, "MessageAttributeNames": ["All"]}
        messages = sqs.receive_message(QueueUrl=old, **asked).get("Messages", [])
        if not messages:
            return moved
        for message in messages:
            attributes = {"MessageAttributes": message["MessageAttributes"]} if message.get("MessageAttributes") else {}
            sqs.send_message(QueueUrl=new, MessageBody=message["Body"], **attributes)
            sqs.delete_message(QueueUrl=old, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
