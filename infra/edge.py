"""What stands between readers and the shop: the bucket of published files, and the CDN. See docs/edge.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.runtime import published
from chalicelib.runtime.http import client_address
from infra import buckets, faces
from infra.policies import att, sub

Json = dict[str, Any]


def bucket() -> Json:
    """Return the bucket of published files. Nobody reaches it but functions and the CDN, both by their own names."""
    return {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            # Without a name of ours: CloudFormation makes one up that the world does not have yet.
            **buckets.private(),
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        # What is named by no manifest any more is deleted by the sweep, which knows the manifests.
                        "Id": "abandoned-uploads",
                        "Status": "Enabled",
                        "Prefix": f"{published.ROOT}/",
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    },
                    {
                        # Publishing writes anew, with the tag, what the newest build has no more: days count from then.
                        "Id": "faces-left",
                        "Status": "Enabled",
                        "Prefix": f"{faces.PREFIX}/",
                        "TagFilters": [{"Key": faces.LEFT, "Value": "yes"}],
                        "ExpirationInDays": faces.LEFT_KEPT_DAYS,
                    },
                ]
            },
        },
    }


def bucket_policy() -> Json:
    """Return who may do what with the bucket, beside the functions' own policies: the CDN reads, and nobody else."""
    found = _tls_only("PublishedBucket")
    reads = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Condition": {
            "StringEquals": {
                "AWS:SourceArn": sub(
                    "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${CdnDistribution}"
                )
            }
        },
    }
    for sid, action, resource in (
        (
            "CdnReads",
            "s3:GetObject",
            [sub(f"${{PublishedBucket.Arn}}/{prefix}/*") for prefix in (published.ROOT, faces.PREFIX)],
        ),
        # Without it S3 answers 403, not 404, for what is not there.
        ("CdnMissing", "s3:ListBucket", att("PublishedBucket", "Arn")),
    ):
        statement = {"Sid": sid, "Action": action, "Resource": resource, **reads}
        found["Properties"]["PolicyDocument"]["Statement"].append(
            {"Fn::If": ["HasCdn", statement, {"Ref": "AWS::NoValue"}]}
        )
    return found


def _tls_only(bucket_name: str) -> Json:
    return {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": bucket_name},
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "TlsOnly",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [att(bucket_name, "Arn"), sub(f"${{{bucket_name}.Arn}}/*")],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        },
    }


# The CDN: both origins under one name

PARAMETERS: Json = {
    "Cdn": {
        "Type": "String",
        "Default": "off",
        "AllowedValues": ["off", "on"],
        "Description": "CloudFront before the published files and the API. The API then refuses what goes around it.",
    },
    "CdnDomain": {"Type": "String", "Default": "", "Description": "The shop's own domain; empty for CloudFront's."},
    "CdnCertificateArn": {
        "Type": "String",
        "Default": "arn:aws:acm:us-east-1:000000000000:certificate/none",
        "AllowedPattern": "^arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/.+$",
        "Description": "ACM certificate of that domain, in us-east-1.",
    },
}
CONDITIONS: Json = {
    "HasCdn": {"Fn::Equals": [{"Ref": "Cdn"}, "on"]},
    "HasCdnDomain": {"Fn::And": [{"Condition": "HasCdn"}, {"Fn::Not": [{"Fn::Equals": [{"Ref": "CdnDomain"}, ""]}]}]},
    "CdnNamesClients": {
        "Fn::And": [{"Condition": "HasCdn"}, {"Fn::Equals": [{"Ref": "ClientAddress"}, client_address.GATEWAY]}]
    },
}
CLIENT_ADDRESS: Json = {"Fn::If": ["CdnNamesClients", "forwarded:1", {"Ref": "ClientAddress"}]}
"""CloudFront appends the viewer to X-Forwarded-For, the gateway appends CloudFront. Its own header for it cannot be had
together with all of the viewer's headers but ``Host``, and API Gateway takes no other ``Host`` than its own."""
OUTPUTS: Json = {
    "CdnDomainName": {"Condition": "HasCdn", "Value": att("CdnDistribution", "DomainName")},
    "CdnId": {"Condition": "HasCdn", "Value": {"Ref": "CdnDistribution"}},
}

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""AWS's own policies: CachingDisabled, and AllViewerExceptHostHeader."""
BROWSED = ("/v1/products*", "/v1/search*", "/v1/categories", "/v1/merchants/*")
"""What everybody gets the same answer to, and may be kept as long as the answer itself says."""
LOGS_KEPT_DAYS = 185
"""Six months of network logs (CN-CSL-23-1). Months have up to 184 days, and the day of the visit itself does not count
(Civil Code, articles 201 and 202): what was done just after midnight is kept to the end of the day half a year on."""
HSTS_S = 63_072_000
SECURITY_HEADERS: dict[str, str] = {
    "Strict-Transport-Security": f"max-age={HSTS_S}; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'self'; object-src 'none'",
}
"""What CloudFront adds; the dev server adds the same, but for the first, which would bind 127.0.0.1 to TLS."""
NOT_FOUND_PAGE = (
    '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>404</title><h1>找不到此页面 · Not found</h1>"
    "<p>此地址没有内容，商品可能已下架。"
    "There is nothing at this address; goods may have been taken off the shelves.</p>"
    '<p><a href="/">返回首页 · To the shop</a></p></html>'
)
MISSING = "/missing"
"""Where the CDN turns to for what the bucket does not have: a path of the API that answers the page without a function.
CloudFront's own error pages would stand in for the API's problem documents as well."""


def missing_path() -> Json:
    """Return the API's path that answers the page for what is not there."""
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "public, max-age=10"}
    return {
        f"{MISSING}/{{path+}}": {
            "x-amazon-apigateway-any-method": {
                "produces": ["text/html"],
                "parameters": [{"name": "path", "in": "path", "required": True, "type": "string"}],
                "responses": {"404": {"description": "Not found", "headers": {n: {"type": "string"} for n in headers}}},
                "x-amazon-apigateway-integration": {
                    "type": "mock",
                    "passthroughBehavior": "when_no_match",
                    "requestTemplates": {"application/json": '{"statusCode": 404}'},
                    "responses": {
                        "default": {
                            "statusCode": "404",
                            "responseParameters": {f"method.response.header.{n}": f"'{v}'" for n, v in headers.items()},
                            "responseTemplates": {"text/html": NOT_FOUND_PAGE},
                        }
                    },
                },
            }
        }
    }


def cdn(kept: Callable[[Json], Json]) -> Json:
    """Return the distribution and what belongs to it; all of it only where the parameter ``Cdn`` is on."""
    found = {
        "CdnAccess": {
            "Type": "AWS::CloudFront::OriginAccessControl",
            "Properties": {
                "OriginAccessControlConfig": {
                    # Names of CloudFront count in all regions: by stack and region an account may have several.
                    "Name": sub("${AWS::StackName}-${AWS::Region}-published"),
                    "OriginAccessControlOriginType": "s3",
                    "SigningBehavior": "always",
                    "SigningProtocol": "sigv4",
                }
            },
        },
        "CdnFilesCache": _cache(
            sub("${AWS::StackName}-${AWS::Region}-files"), most_s=31_536_000, queries=False, headers=()
        ),
        "CdnBrowsedCache": _cache(
            sub("${AWS::StackName}-${AWS::Region}-browsed"),
            most_s=60,
            queries=True,
            headers=("Accept-Language", "Origin"),
        ),
        "CdnFilesHeaders": _headers(sub("${AWS::StackName}-${AWS::Region}-files"), shared=True),
        "CdnFacesHeaders": _faces_headers(),
        "CdnFacesFunction": _faces_function(),
        "CdnApiHeaders": _headers(sub("${AWS::StackName}-${AWS::Region}-api"), shared=False),
        "CdnLogsBucket": kept(_logs_bucket()),
        "CdnLogsBucketPolicy": _tls_only("CdnLogsBucket"),
        "CdnDistribution": {
            "Type": "AWS::CloudFront::Distribution",
            "Properties": {"DistributionConfig": _distribution()},
        },
    }
    return {logical: {"Condition": "HasCdn", **resource} for logical, resource in found.items()}


def _distribution() -> Json:
    return {
        "Enabled": True,
        "Comment": sub("${AWS::StackName}"),
        "HttpVersion": "http2and3",
        "IPV6Enabled": True,
        "PriceClass": "PriceClass_200",
        "Aliases": {"Fn::If": ["HasCdnDomain", [{"Ref": "CdnDomain"}], {"Ref": "AWS::NoValue"}]},
        "ViewerCertificate": {
            "Fn::If": [
                "HasCdnDomain",
                {
                    "AcmCertificateArn": {"Ref": "CdnCertificateArn"},
                    "SslSupportMethod": "sni-only",
                    "MinimumProtocolVersion": "TLSv1.2_2021",
                },
                {"CloudFrontDefaultCertificate": True},
            ]
        },
        "Logging": {"Bucket": att("CdnLogsBucket", "RegionalDomainName"), "IncludeCookies": False, "Prefix": "cdn/"},
        "Origins": [
            {
                "Id": "files",
                "DomainName": att("PublishedBucket", "RegionalDomainName"),
                "OriginAccessControlId": {"Ref": "CdnAccess"},
                "S3OriginConfig": {"OriginAccessIdentity": ""},
            },
            _api_origin("api", ""),
            _api_origin("missing", MISSING),
            {
                "Id": "faces",
                "DomainName": att("PublishedBucket", "RegionalDomainName"),
                "OriginPath": f"/{faces.PREFIX}",
                "OriginAccessControlId": {"Ref": "CdnAccess"},
                "S3OriginConfig": {"OriginAccessIdentity": ""},
            },
        ],
        "OriginGroups": {
            "Quantity": 2,
            "Items": [_or_missing("files"), _or_missing("faces")],
        },
        "DefaultCacheBehavior": _behaviour("files-or-missing", cache={"Ref": "CdnFilesCache"}, files=True),
        "CacheBehaviors": [
            *({"PathPattern": path, **_behaviour("api", cache={"Ref": "CdnBrowsedCache"})} for path in BROWSED),
            {"PathPattern": "/v1/*", **_behaviour("api", cache=CACHING_DISABLED, writes=True)},
            {"PathPattern": "/docs*", **_behaviour("api", cache=CACHING_DISABLED)},
            *({"PathPattern": path, **_face()} for path in ("/", *(f"{face.at.rstrip('/')}*" for face in faces.FACES))),
        ],
    }


def _api_origin(origin: str, path: str) -> Json:
    return {
        "Id": origin,
        "DomainName": sub("${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}"),
        "OriginPath": f"/api{path}",
        "CustomOriginConfig": {
            "OriginProtocolPolicy": "https-only",
            "OriginSSLProtocols": ["TLSv1.2"],
            "OriginReadTimeout": 30,
        },
        "OriginCustomHeaders": [
            {
                "HeaderName": client_address.ORIGIN_KEY_HEADER,
                "HeaderValue": sub("{{resolve:secretsmanager:biandan/${Stage}/http:SecretString:origin_key}}"),
            }
        ],
    }


def _behaviour(origin: str, *, cache: Json | str, files: bool = False, writes: bool = False) -> Json:
    reads = ["GET", "HEAD", "OPTIONS"]
    return {
        "TargetOriginId": origin,
        "ViewerProtocolPolicy": "redirect-to-https" if files else "https-only",
        "Compress": True,
        "AllowedMethods": [*reads, "PUT", "POST", "PATCH", "DELETE"] if writes else reads,
        "CachedMethods": ["GET", "HEAD"],
        "CachePolicyId": cache,
        "ResponseHeadersPolicyId": {"Ref": "CdnFilesHeaders" if files else "CdnApiHeaders"},
        **({} if files else {"OriginRequestPolicyId": ALL_BUT_HOST}),
    }


def _or_missing(origin: str) -> Json:
    """Return an origin behind which stands the page for what is not there."""
    return {
        "Id": f"{origin}-or-missing",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 2, "Items": [403, 404]}},
        "Members": {"Quantity": 2, "Items": [{"OriginId": origin}, {"OriginId": "missing"}]},
    }


def _face() -> Json:
    """Return how pages are served: as files, with their own policy, behind what finds the document of a place."""
    return {
        **_behaviour("faces-or-missing", cache={"Ref": "CdnFilesCache"}, files=True),
        "ResponseHeadersPolicyId": {"Ref": "CdnFacesHeaders"},
        "FunctionAssociations": [
            {"EventType": "viewer-request", "FunctionARN": att("CdnFacesFunction", "FunctionARN")},
        ],
    }


def _faces_function() -> Json:
    return {
        "Type": "AWS::CloudFront::Function",
        "Properties": {
            "Name": sub("${AWS::StackName}-${AWS::Region}-faces"),
            "AutoPublish": True,
            "FunctionConfig": {"Comment": "Finds the document of a place in a face.", "Runtime": "cloudfront-js-2.0"},
            "FunctionCode": faces.function_code(),
        },
    }


def _faces_headers() -> Json:
    """Return the pages' own policy: nothing is loaded or asked but here, and pictures of a complaint go to uploads."""
    found = _headers(sub("${AWS::StackName}-${AWS::Region}-faces"), shared=False)
    uploads = ["https://${UploadsBucket}.s3.${AWS::Region}.${AWS::URLSuffix}"]  # As runtime.sdk has them signed.
    found["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]["ContentSecurityPolicy"] = {
        "ContentSecurityPolicy": sub(faces.policy(uploads)),
        "Override": True,
    }
    return found


def _cache(name: Json, *, most_s: int, queries: bool, headers: tuple[str, ...]) -> Json:
    keyed: Json = {"HeaderBehavior": "whitelist", "Headers": list(headers)} if headers else {"HeaderBehavior": "none"}
    return {
        "Type": "AWS::CloudFront::CachePolicy",
        "Properties": {
            "CachePolicyConfig": {
                "Name": name,
                "MinTTL": 0,
                "DefaultTTL": 0,  # What says nothing is not kept.
                "MaxTTL": most_s,
                "ParametersInCacheKeyAndForwardedToOrigin": {
                    "EnableAcceptEncodingGzip": True,
                    "EnableAcceptEncodingBrotli": True,
                    "CookiesConfig": {"CookieBehavior": "none"},
                    "HeadersConfig": keyed,
                    "QueryStringsConfig": {"QueryStringBehavior": "all" if queries else "none"},
                },
            }
        },
    }


def _headers(name: Json, *, shared: bool) -> Json:
    config: Json = {
        "Name": name,
        "SecurityHeadersConfig": {
            "StrictTransportSecurity": {
                "AccessControlMaxAgeSec": HSTS_S,
                "IncludeSubdomains": True,
                "Override": True,
            },
            "ContentTypeOptions": {"Override": True},
            "FrameOptions": {"FrameOption": SECURITY_HEADERS["X-Frame-Options"], "Override": True},
            "ReferrerPolicy": {"ReferrerPolicy": SECURITY_HEADERS["Referrer-Policy"], "Override": True},
            "ContentSecurityPolicy": {
                "ContentSecurityPolicy": SECURITY_HEADERS["Content-Security-Policy"],
                "Override": False,  # The page of the API's documentation has a stricter one of its own.
            },
        },
    }
    if shared:  # Files are everybody's. What the API shares with whom it says itself.
        config["CorsConfig"] = {
            "AccessControlAllowCredentials": False,
            "AccessControlAllowHeaders": {"Items": ["*"]},
            "AccessControlAllowMethods": {"Items": ["GET", "HEAD"]},
            "AccessControlAllowOrigins": {"Items": ["*"]},
            "OriginOverride": True,
        }
    return {"Type": "AWS::CloudFront::ResponseHeadersPolicy", "Properties": {"ResponseHeadersPolicyConfig": config}}


def _logs_bucket() -> Json:
    return {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            # CloudFront delivers its logs by an ACL; no other way writes them without a stream that costs by the line.
            **buckets.private("BucketOwnerPreferred"),
            "LifecycleConfiguration": {
                "Rules": [{"Id": "logs-end", "Status": "Enabled", "ExpirationInDays": LOGS_KEPT_DAYS}]
            },
        },
    }
