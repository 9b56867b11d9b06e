"""The CDN and the preflights in the stack: who reaches what, and that nothing of it needs a function."""

from __future__ import annotations

import calendar
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.routes import ROUTES
from chalicelib.runtime.http import cors as said
from infra import cors, edge, policies, stack
from tools.release import package

Json = dict[str, Any]


@pytest.fixture(params=policies.STAGES)
def template(request: pytest.FixtureRequest) -> Json:
    return stack.template(str(request.param))


def distribution(template: Json) -> Json:
    found: Json = template["Resources"]["CdnDistribution"]["Properties"]["DistributionConfig"]
    return found


def test_without_the_parameter_there_is_no_cdn(template: Json) -> None:
    assert template["Parameters"]["Cdn"]["Default"] == "off"
    ours = {name: part for name, part in template["Resources"].items() if name.startswith("Cdn")}
    assert len(ours) == 10
    assert {part["Condition"] for part in ours.values()} == {"HasCdn"}
    reading = template["Resources"]["PublishedBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][1:]
    assert all(statement["Fn::If"][0] == "HasCdn" for statement in reading)


def test_the_cdn_alone_reads_the_files_and_only_those(template: Json) -> None:
    statements = template["Resources"]["PublishedBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    reads, lists = (statement["Fn::If"][1] for statement in statements[1:])
    assert (reads["Action"], lists["Action"]) == ("s3:GetObject", "s3:ListBucket")
    assert reads["Resource"] == [
        {"Fn::Sub": "${PublishedBucket.Arn}/published/*"},
        {"Fn::Sub": "${PublishedBucket.Arn}/faces/*"},
    ]
    for statement in (reads, lists):
        assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
        assert "${CdnDistribution}" in json.dumps(statement["Condition"])
    access = template["Resources"]["CdnAccess"]["Properties"]["OriginAccessControlConfig"]
    assert access["SigningBehavior"] == "always"


def test_one_name_serves_files_and_the_api(template: Json) -> None:
    config = distribution(template)
    assert config["DefaultCacheBehavior"]["TargetOriginId"] == "files-or-missing"
    by_path = {found["PathPattern"]: found for found in config["CacheBehaviors"]}
    api = by_path["/v1/*"]
    assert api["CachePolicyId"] == edge.CACHING_DISABLED
    assert {"POST", "PUT", "PATCH", "DELETE"} < set(api["AllowedMethods"])
    paths = ["/v1/*", "/docs*", "/", "/shop*", "/console*"]
    assert list(by_path)[-5:] == paths, "the first that fits counts: what may be kept stands before"
    for found in (config["DefaultCacheBehavior"], *by_path.values()):
        assert found["Compress"] is True
        assert found["ResponseHeadersPolicyId"]
        assert found["ViewerProtocolPolicy"] in ("https-only", "redirect-to-https")
    assert "OriginRequestPolicyId" not in config["DefaultCacheBehavior"], "a reader's tokens never reach the bucket"
    assert config["Logging"]["Bucket"] == {"Fn::GetAtt": ["CdnLogsBucket", "RegionalDomainName"]}


OF_EVERYBODY = (
    "chalicelib.catalog.api",
    "chalicelib.merchants.api",
    "chalicelib.bookings.api",
    "chalicelib.feedback.api",
)
"""Rooms whose public pages say the same to all; what a page says for how long is its own header's to say."""


def test_only_reads_of_everybody_are_kept(template: Json) -> None:
    behaviours = distribution(template)["CacheBehaviors"]
    kept = [found["PathPattern"] for found in behaviours if found["CachePolicyId"] == {"Ref": "CdnBrowsedCache"}]
    assert set(kept) == set(edge.BROWSED)
    patterns = [re.compile(path.replace("*", ".*")) for path in kept]
    for method, path, module, _ in ROUTES:
        if any(pattern.fullmatch(path) for pattern in patterns):
            assert method == "GET", f"{method} {path} would be refused by the CDN"
            assert module in OF_EVERYBODY, path
    policy = template["Resources"]["CdnBrowsedCache"]["Properties"]["CachePolicyConfig"]
    assert (policy["MinTTL"], policy["DefaultTTL"], policy["MaxTTL"]) == (0, 0, 60)


def test_the_viewers_address_is_taken_from_the_cdn_which_shows_its_key(template: Json) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["BIANDAN_CLIENT_ADDRESS"] == {
        "Fn::If": ["CdnNamesClients", "forwarded:1", {"Ref": "ClientAddress"}]
    }
    for origin in distribution(template)["Origins"][1:3]:
        (header,) = origin["OriginCustomHeaders"]
        assert header["HeaderName"] == "X-Origin-Key"
        assert "origin_key" in json.dumps(header["HeaderValue"])
        assert "Host" not in json.dumps(header)


def test_what_the_bucket_does_not_have_is_answered_by_a_page_and_not_by_a_function(template: Json) -> None:
    groups = distribution(template)["OriginGroups"]
    assert groups["Quantity"] == len(groups["Items"]) == 2
    for group, origin in zip(groups["Items"], ("files", "faces"), strict=True):
        assert [member["OriginId"] for member in group["Members"]["Items"]] == [origin, "missing"]
        assert 404 in group["FailoverCriteria"]["StatusCodes"]["Items"]
    assert "CustomErrorResponses" not in distribution(template), "they would stand in for the API's problems too"
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    integration = paths["/missing/{path+}"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]
    assert integration["type"] == "mock"
    assert integration["responses"]["default"]["statusCode"] == "404"


# Preflights


def test_every_path_answers_its_preflight_without_a_function(template: Json) -> None:
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    for _, path, _, _ in ROUTES:
        options = paths[path]["options"]
        assert options["x-amazon-apigateway-integration"]["type"] == "mock"
        names = {found["name"] for found in options.get("parameters", ())}
        assert names == set(re.findall(r"{(\w+)}", path))


def _says(origins: str, headers: dict[str, str]) -> dict[str, str]:
    """Work the template out as API Gateway does: as much of the Velocity language as it uses."""
    text = cors._template().replace("${O}", origins)
    (guard,) = re.findall(r'#if\(\$a\.contains\("(.*)"\)\)#set\(\$f="\*"\)', text)
    origin = headers.get("Origin") or headers.get("origin") or ""
    everything = f",{origins},"
    found = "*" if guard in everything else (origin if origin and f",{origin}," in everything else "")
    if not found:
        return {}
    set_to = dict(re.findall(r"#set\(\$context\.responseOverride\.header\.([A-Za-z-]+) = (.*)\)\n", text))
    return {name: found if value == "$f" else value.strip('"') for name, value in set_to.items()}


@pytest.mark.parametrize("origins", ["*", "https://shop.example", "https://a.example,https://shop.example", ""])
@pytest.mark.parametrize("origin", ["https://shop.example", "https://evil.example", "https://shop.example.evil", ""])
def test_the_gateway_says_what_the_local_one_says(origins: str, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(said.SETTING, origins)
    local = {name: value for name, value in said.preflight(origin or None).items() if name != "Vary"}
    assert _says(origins, {"Origin": origin}) == local


def test_the_parameter_takes_origins_only(template: Json) -> None:
    pattern = re.compile(template["Parameters"]["StorefrontOrigins"]["AllowedPattern"])
    assert all(
        pattern.match(good) for good in ("*", "https://shop.example", "http://127.0.0.1:5173", "https://[::1]:8")
    )
    bad = (
        "",
        "shop.example",
        "https://shop.example/",
        "https://*.example",
        "null",
        "https://shop.example,*",
        "https://a b",
    )
    assert not [one for one in bad if pattern.match(one)]


def test_the_whole_template_stays_below_cloudformations_limit() -> None:
    finished = package.cloudformation(package.sam_template("prod"), "us-east-1")
    assert len(json.dumps(finished, separators=(",", ":"))) < 900_000
    assert "/missing/{path+}" in json.dumps(finished)


def test_the_cdns_logs_outlive_six_months_whatever_day_they_begin_on(template: Json) -> None:
    """By the calendar of China: the day of the visit does not count, and the last day is kept to its end."""
    china = timezone(timedelta(hours=8))
    (rule,) = template["Resources"]["CdnLogsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    short = []
    for number in range(4 * 366):
        visit = datetime(2027, 1, 1, tzinfo=china) + timedelta(days=number)
        year, month = visit.year + (visit.month + 5) // 12, (visit.month + 5) % 12 + 1
        last = visit.replace(year=year, month=month, day=min(visit.day, calendar.monthrange(year, month)[1]))
        due = visit.astimezone(UTC) + timedelta(days=rule["ExpirationInDays"])
        if due.timetz() != datetime(1, 1, 1, tzinfo=UTC).timetz():  # S3 rounds up to the next midnight of UTC.
            due = due.replace(hour=0, minute=0) + timedelta(days=1)
        if due < last + timedelta(days=1):
            short.append(visit.date())
    assert short == []
