"""Pages on AWS: who serves them, under which policy, and that no page ever names a file that is not there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.runtime import sdk
from chalicelib.runtime.config import config
from infra import faces, policies, stack
from tools.release import faces as publishing
from tools.release.errors import DeployError
from tools.web import build

Json = dict[str, Any]


@pytest.fixture(params=policies.STAGES)
def template(request: pytest.FixtureRequest) -> Json:
    return stack.template(str(request.param))


def test_pages_are_files_behind_the_cdn(template: Json) -> None:
    config = template["Resources"]["CdnDistribution"]["Properties"]["DistributionConfig"]
    (origin,) = (found for found in config["Origins"] if found["Id"] == "faces")
    assert origin["OriginPath"] == "/faces"
    assert origin["OriginAccessControlId"] == {"Ref": "CdnAccess"}
    ours = [found for found in config["CacheBehaviors"] if found["TargetOriginId"] == "faces-or-missing"]
    assert [found["PathPattern"] for found in ours] == ["/", "/shop*", "/console*"]
    for found in ours:
        assert found["AllowedMethods"] == ["GET", "HEAD", "OPTIONS"]
        assert found["CachePolicyId"] == {"Ref": "CdnFilesCache"}
        assert found["ResponseHeadersPolicyId"] == {"Ref": "CdnFacesHeaders"}
        assert "OriginRequestPolicyId" not in found, "a reader's tokens never reach the bucket"
        assert found["FunctionAssociations"] == [
            {"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["CdnFacesFunction", "FunctionARN"]}}
        ]


def test_pages_have_a_strict_policy_of_their_own(template: Json) -> None:
    headers = template["Resources"]["CdnFacesHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    security = headers["SecurityHeadersConfig"]
    uploads = "https://${UploadsBucket}.s3.${AWS::Region}.${AWS::URLSuffix}"
    assert security["ContentSecurityPolicy"] == {
        "ContentSecurityPolicy": {"Fn::Sub": faces.policy([uploads])},
        "Override": True,
    }
    assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31_536_000
    assert security["FrameOptions"]["FrameOption"] == "DENY"
    assert "CorsConfig" not in headers


def test_only_what_was_left_behind_runs_out(template: Json) -> None:
    bucket = template["Resources"]["PublishedBucket"]["Properties"]
    (rule,) = (rule for rule in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule)
    assert rule == {
        "Id": "faces-left",
        "Status": "Enabled",
        "Prefix": "faces/",
        "TagFilters": [{"Key": "left", "Value": "yes"}],
        "ExpirationInDays": 30,
    }


PATHS = (
    *(
        "/",
        "/shop",
        "/shop/",
        "/shop/orders/ord_1",
        "/shop/index.html",
        "/shop/assets/index-C7PPi8dw.js",
        "/shop/v1.2/x",
    ),
    *("/console", "/console/", "/console/a.b/c", "/shopping", "/shop.html", "/other/x.js"),
)


@pytest.mark.process
@pytest.mark.skipif(shutil.which("node") is None, reason="no Node here to run the CDN's function with")
def test_the_cdn_finds_what_the_dev_server_finds() -> None:
    asked = f"{json.dumps(PATHS)}.map((uri) => handler({{request: {{uri}}}}))"
    script = f"{faces.function_code()}\nconsole.log(JSON.stringify({asked}))"
    ran = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=60)
    for path, found in zip(PATHS, json.loads(ran.stdout), strict=True):
        if path in ("/", "/shop", "/console"):
            assert found["statusCode"] == 302
            assert found["headers"]["location"]["value"] == (faces.HOME if path == "/" else f"{path}/")
        else:
            assert found["uri"] == (faces.document_of(path) or path), path


# Publishing


class Shelf:
    """A face's built files, and the bucket that they are published to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.s3 = sdk.client("s3")
        self.outputs = {"PublishedBucketName": config().published_bucket, "CdnId": "E1"}
        self.said: list[str] = []

    def write(self, **files: str) -> None:
        folder = self.root / "storefront" / "dist" / "h5"
        shutil.rmtree(folder, ignore_errors=True)
        for name, text in files.items():
            path = folder / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def publish(self, make: Callable[[Any], None] = lambda _: None) -> int:
        return publishing.publish(self.s3, self.outputs, self.said.append, root=self.root, make=make)

    def left(self, name: str) -> str:
        found = self.s3.get_object_tagging(Bucket=self.outputs["PublishedBucketName"], Key=f"faces/shop/{name}")
        (tag,) = found["TagSet"]
        assert tag["Key"] == "left"
        return str(tag["Value"])

    def head(self, name: str) -> Json:
        return dict(self.s3.head_object(Bucket=self.outputs["PublishedBucketName"], Key=f"faces/shop/{name}"))


OLD, NEW, PAGE = "assets__index-AAAAAAAA_DOT_js", "assets__index-BBBBBBBB_DOT_js", "index_DOT_html"


@pytest.fixture
def shelf(cloud: str, tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_what_a_page_names_is_there_before_the_page(shelf: Shelf) -> None:
    shelf.write(**{PAGE: "<p>", OLD: "1", "sw_DOT_js": "2", "a_DOT_html": "<p>", "static__logo_DOT_png": "3"})
    keys = [file.key for file in publishing.built(faces.FACES[0], shelf.root)]
    assert keys == [
        f"faces/shop/{name}"
        for name in ("assets/index-AAAAAAAA.js", "static/logo.png", "sw.js", "a.html", "index.html")
    ]
    assert shelf.publish() == 5
    page, script = shelf.head("index.html"), shelf.head("assets/index-AAAAAAAA.js")
    assert (page["ContentType"], page["CacheControl"]) == ("text/html; charset=utf-8", faces.ASK)
    assert (script["ContentType"], script["CacheControl"]) == ("text/javascript; charset=utf-8", faces.FOREVER)


def test_older_files_stay_for_open_pages_and_go_later(shelf: Shelf) -> None:
    shelf.write(**{PAGE: "one", OLD: "1"})
    shelf.publish()
    assert shelf.left("assets/index-AAAAAAAA.js") == "no"
    shelf.write(**{PAGE: "two", NEW: "2"})
    shelf.publish()
    assert shelf.left("assets/index-AAAAAAAA.js") == "yes"
    assert shelf.head("assets/index-AAAAAAAA.js")["CacheControl"] == faces.FOREVER
    assert shelf.left("assets/index-BBBBBBBB.js") == shelf.left("index.html") == "no"
    tagged = shelf.head("assets/index-AAAAAAAA.js")["LastModified"]
    shelf.publish()
    assert shelf.head("assets/index-AAAAAAAA.js")["LastModified"] == tagged, "its days are counted from the first time"
    assert "0 older ones leave" in shelf.said[-2]


def test_going_back_keeps_the_files_again(shelf: Shelf) -> None:
    for name in (OLD, NEW, OLD):
        shelf.write(**{PAGE: name, name: "x"})
        shelf.publish()
    assert shelf.left("assets/index-AAAAAAAA.js") == "no"
    assert shelf.left("assets/index-BBBBBBBB.js") == "yes"


def test_what_is_no_part_of_a_page_is_not_published(shelf: Shelf) -> None:
    shelf.write(**{PAGE: "<p>", "assets__index_DOT_js_DOT_map": "{}"})
    with pytest.raises(DeployError, match="is no part of a page"):
        shelf.publish()
    with pytest.raises(Exception, match=r"404|Not Found"):
        shelf.head("index.html")


def test_without_a_cdn_or_node_nothing_is_published(shelf: Shelf) -> None:
    shelf.write(**{PAGE: "<p>"})
    del shelf.outputs["CdnId"]
    assert shelf.publish(make=lambda _: pytest.fail("built for nobody")) == 0
    shelf.outputs["CdnId"] = "E1"

    def none(_: Any) -> None:
        raise build.Missing("Node is not here")

    assert shelf.publish(make=none) == 0
    assert "stay as they are published: Node is not here" in shelf.said[-1]
    with pytest.raises(Exception, match=r"404|Not Found"):
        shelf.head("index.html")
