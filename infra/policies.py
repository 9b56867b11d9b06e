"""One IAM policy a function, and Chalice's configuration, from ``infra.functions``.

The policies hold CloudFormation references (``Fn::GetAtt`` of a table), so one file serves every stage and a table that
does not exist cannot be named.
"""

from __future__ import annotations

from typing import Any

from chalicelib import topology
from chalicelib.oversight.chain import sealing
from chalicelib.runtime import names, published
from chalicelib.runtime.laid_aside import PREFIX
from infra import audit, functions, rowkey
from infra.functions import FUNCTIONS, Function
from infra.tables import table_specs

Json = dict[str, Any]

READ = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
WRITE = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem")
ADD = ("dynamodb:PutItem",)
DELETE = ("dynamodb:DeleteItem",)
BATCH = ("dynamodb:BatchWriteItem",)
ACTIONS = {"r": READ, "a": ADD, "w": WRITE, "d": DELETE, "b": BATCH}
DUE_INDEX = "due"
STAGES = ("dev", "prod")
LOGS_KEPT_DAYS = {"dev": 14, "prod": 365}
"""Network logs are kept for six months at least (CN-CSL-23-1), which are up to 184 days. CloudWatch knows 180 and then
365, so prod keeps them for a year; they hold no payload."""


def table_resource(table: str) -> str:
    """Return the logical id of a table."""
    return f"{topology.resource_name(table)}Table"


def queue_resource(queue: str) -> str:
    """Return the logical id of a queue."""
    return f"{topology.resource_name(queue)}Queue"


def dead_resource(queue: str) -> str:
    """Return the logical id of a queue's dead letters."""
    return f"{topology.resource_name(queue)}DeadQueue"


def att(resource: str, attribute: str) -> Json:
    """Return a reference to a resource's attribute."""
    return {"Fn::GetAtt": [resource, attribute]}


def sub(text: str) -> Json:
    """Return a text with references."""
    return {"Fn::Sub": text}


def _statement(sid: str, actions: tuple[str, ...] | list[str], resources_: list[Json]) -> Json:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resources_}


def policy(name: str) -> Json:
    """Return the policy document of a function."""
    function = FUNCTIONS[name]
    tables = table_specs()
    statements = [_logs(name), *_tables(function, tables), *_queues(function)]
    if function.reads_streams:
        statements += [_streams(tables), *_laid_aside()]
    if function.reads_due:
        statements.append(_due(tables))
    if function.opens:
        statements.append(_row_key(function))
    if function.secrets:
        statements.append(_secrets(function))
    if function.keeps:
        statements.append(_kept_secrets(function))
    statements += _objects(function)
    if function.sends_mail:
        statements.append(_mail())
    return {"Version": "2012-10-17", "Statement": [part for part in statements if part["Resource"]]}


def _logs(name: str) -> Json:
    group = f"/aws/lambda/{names.PROJECT}-${{Stage}}-{functions.lambda_name(name)}"
    # A log stream is named by Lambda at run time: the wildcard stands behind our own group.
    return _statement(
        "Logs",
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        [sub(f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{group}:*")],
    )


def _tables(function: Function, tables: dict[str, Json]) -> list[Json]:
    by_letters: dict[str, list[str]] = {}
    for table, letters in sorted(function.tables.items()):
        if table in tables:
            by_letters.setdefault(letters, []).append(table)
    statements = []
    for letters, found in sorted(by_letters.items()):
        actions = [action for letter in letters for action in ACTIONS[letter]]
        statements.append(
            _statement(f"Tables{letters.upper()}", actions, [att(table_resource(table), "Arn") for table in found])
        )
    indexes = [
        sub(f"${{{table_resource(table)}.Arn}}/index/{index['IndexName']}")
        for table, letters in sorted(function.tables.items())
        if table in tables and "r" in letters
        for index in tables[table]["GlobalSecondaryIndexes"]
        if index["IndexName"] != DUE_INDEX
    ]
    if indexes:
        statements.append(_statement("Indexes", ["dynamodb:Query"], indexes))
    return statements


def _queues(function: Function) -> list[Json]:
    statements = []
    sends = [att(queue_resource(queue), "Arn") for queue in sorted(function.sends)]
    if function.consumes is not None:
        own = att(queue_resource(function.consumes), "Arn")
        actions = ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes", "GetQueueUrl"]
        statements.append(_statement("Consume", [f"sqs:{action}" for action in actions], [own]))
        sends += [own, att(dead_resource(function.consumes), "Arn")]  # A message that waits long goes on afresh.
    if sends:
        statements.append(_statement("Send", ["sqs:GetQueueUrl", "sqs:SendMessage"], sends))
    return statements


def _streams(tables: dict[str, Json]) -> Json:
    actions = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"]
    return _statement(
        "Streams",
        [f"dynamodb:{action}" for action in actions],
        [att(table_resource(table), "StreamArn") for table in sorted(tables)],
    )


def _laid_aside() -> list[Json]:
    """Changes that cannot be relayed are written down, by the function or by Lambda in its name, and never read."""
    return [
        _statement("LaidAside", ["s3:PutObject"], [sub(f"${{UploadsBucket.Arn}}/{PREFIX}*")]),
        _statement("LaidAsideWhere", ["s3:ListBucket"], [att("UploadsBucket", "Arn")]),
    ]


def _due(tables: dict[str, Json]) -> Json:
    return _statement(
        "Due",
        ["dynamodb:Query"],
        [
            sub(f"${{{table_resource(table)}.Arn}}/index/{DUE_INDEX}")
            for table, _, _ in topology.DUE_TABLES
            if table in tables
        ],
    )


def _row_key(function: Function) -> Json:
    """Only for rows: a data key that was made for anything else it does not unwrap."""
    actions = ["kms:Decrypt", *(["kms:GenerateDataKey"] if function.makes_keys else [])]
    return {
        **_statement("RowKey", actions, [att(rowkey.KEY, "Arn")]),
        "Condition": {"StringEquals": {"kms:EncryptionContext:purpose": "rows"}},
    }


def _secrets(function: Function) -> Json:
    base = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
    # Secrets Manager ends every ARN with a dash and six random characters.
    return _statement(
        "Secrets",
        ["secretsmanager:GetSecretValue"],
        [
            sub(f"{base}{names.PROJECT}/${{Stage}}/{secret if secret.endswith('*') else secret + '-??????'}")
            for secret in sorted(function.secrets)
        ],
    )


def _kept_secrets(function: Function) -> Json:
    base = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
    return _statement(
        "KeptSecrets",
        ["secretsmanager:PutSecretValue"],
        [sub(f"{base}{names.PROJECT}/${{Stage}}/{secret}-??????") for secret in sorted(function.keeps)],
    )


def _objects(function: Function) -> list[Json]:
    return [
        *(_bucket(function) if function.puts else []),
        *([_shown(function)] if function.shows else []),
        *(_erased(function) if function.erases else []),
        *(_published() if function.publishes else []),
        *(_seals() if function.seals else []),
    ]


def _bucket(function: Function) -> list[Json]:
    return [
        _statement(
            "Objects", ["s3:GetObject", "s3:PutObject"], [sub(f"${{UploadsBucket.Arn}}/{p}*") for p in function.puts]
        ),
        # Without it S3 answers 403, not 404, for an object that was never uploaded.
        _statement("Missing", ["s3:ListBucket"], [att("UploadsBucket", "Arn")]),
    ]


def _shown(function: Function) -> Json:
    places = [sub(f"${{UploadsBucket.Arn}}/{prefix}*") for prefix in function.shows]
    return _statement("Shown", ["s3:GetObject"], places)


def _erased(function: Function) -> list[Json]:
    return [
        _statement(
            "Erased",
            ["s3:DeleteObject", "s3:DeleteObjectVersion"],
            [sub(f"${{UploadsBucket.Arn}}/{prefix}*") for prefix in function.erases],
        ),
        _statement("ErasedVersions", ["s3:ListBucketVersions"], [att("UploadsBucket", "Arn")]),
    ]


def _published() -> list[Json]:
    return [
        _statement(
            "Published",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            [sub(f"${{PublishedBucket.Arn}}/{published.ROOT}/*")],
        ),
        _statement("PublishedKeys", ["s3:ListBucket"], [att("PublishedBucket", "Arn")]),
    ]


def _seals() -> list[Json]:
    return [
        _statement("Seals", ["s3:GetObject", "s3:PutObject"], [sub(f"${{{audit.BUCKET}.Arn}}/{sealing.ROOT}*")]),
        _statement("SealsMissing", ["s3:ListBucket"], [att(audit.BUCKET, "Arn")]),
    ]


def _mail() -> Json:
    # An address or domain that somebody verified by hand; which one is a setting of the stage.
    identity = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*"
    return _statement("Mail", ["ses:SendEmail"], [sub(identity)])


def policy_file(name: str) -> str:
    """Return the path of a function's policy, relative to ``.chalice``."""
    return f"policies/{functions.lambda_name(name)}.json"


def _own_part(stage: str, name: str) -> Json:
    from infra import limits

    own = limits.reserved(stage, name)
    return {} if own is None else {"reserved_concurrency": own}


def chalice_config() -> Json:
    """Return ``.chalice/config.json``."""
    return {
        "version": "2.0",
        "app_name": names.PROJECT,
        "autogen_policy": False,
        "api_gateway_endpoint_type": "REGIONAL",
        "minimum_compression_size": 1400,
        "lambda_architecture": "x86_64",
        "stages": {
            stage: {
                # Chalice's word for the first segment of the URL; a custom domain hides it.
                "api_gateway_stage": "api",
                "log_retention_in_days": LOGS_KEPT_DAYS[stage],
                "lambda_functions": {
                    name: {
                        "iam_policy_file": policy_file(name),
                        "lambda_memory_size": function.memory_mb,
                        "lambda_timeout": function.timeout_s,
                        # So that it can look at them before its first work (runtime/start.py).
                        **(
                            {"environment_variables": {"BIANDAN_SECRETS": ",".join(function.secrets)}}
                            if function.secrets
                            else {}
                        ),
                        **_own_part(stage, name),
                    }
                    for name, function in FUNCTIONS.items()
                },
            }
            for stage in STAGES
        },
    }
