"""The way of calls to the API's new version: which release it is, how far they have gone over, why they went back.

CodeDeploy moves them (``infra/shift.py``); CloudFormation waits for it within its update, and tells nothing meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from infra.shift import RELEASE

Json = dict[str, Any]

DIGEST = 16
UNDER_WAY = ("Created", "Queued", "InProgress", "Baking", "Ready")
_NAMES = re.compile(r"\$\{([A-Za-z0-9]+)[.}]")


# Which release it is


def release(template: Mapping[str, Any], parameters: Mapping[str, str], before: Mapping[str, str]) -> str:
    """Return what tells this release of the API's function from others: the one before's word if nothing changed.

    Lambda publishes no version of what did not change, and CloudFormation fails if asked to; and without a new version
    the alias stays on what there was. So it changes with exactly what the function is made of, and with each attempt.
    """
    digest = _digest(template, {**_defaults(template), **before, **parameters})
    if before.get(RELEASE, "").partition("-")[0] == digest:
        return before[RELEASE]
    return f"{digest}-{time.time_ns() // 1_000_000}"


def _defaults(template: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(one["Default"]) for name, one in template.get("Parameters", {}).items() if "Default" in one}


def _digest(template: Mapping[str, Any], values: Mapping[str, str]) -> str:
    function = template["Resources"]["APIHandler"]["Properties"]
    told = {name: values.get(name, "") for name in sorted(_parameters_of(template, function)) if name != RELEASE}
    text = json.dumps([function, told], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]


def _parameters_of(template: Mapping[str, Any], part: Any) -> set[str]:
    """Return the parameters on which a part of the template hangs, be it by conditions of conditions."""
    known, conditions = template.get("Parameters", {}), template.get("Conditions", {})
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(_named(part))
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in known:
            found.add(name)
        if name in conditions:
            waiting += _named(conditions[name])
    return found


def _named(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for one in part:
            yield from _named(one)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in ("Ref", "Condition") and isinstance(value, str):
                yield value
            elif key == "Fn::If":
                yield str(value[0])
            elif key == "Fn::Sub":
                yield from _NAMES.findall(value if isinstance(value, str) else value[0])
            yield from _named(value)


# How far it has got


class Watch:
    """Looks at CodeDeploy while CloudFormation waits for it. ``application`` names its one group, too."""

    def __init__(self, codedeploy: Any, application: str) -> None:
        self._codedeploy = codedeploy
        self._application = application
        self._since = datetime.now(UTC)
        self._said: dict[str, str] = {}
        self._blind = False
        self.taken_back: list[str] = []
        """Why calls went back to the version before."""

    def look(self) -> list[str]:
        """Return what is new since the last look, for people."""
        if self._blind:
            return []
        try:
            return [line for deployment in self._deployments() if (line := self._news(deployment))]
        except Exception as error:  # Whoever may deploy may perhaps not look; that stops no release.
            code = str(getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__))
            if code in ("ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException"):
                return []  # The update that makes it is under way.
            self._blind = True
            return [f"  how far the calls have gone over cannot be looked at: {code}"]

    def _deployments(self) -> list[str]:
        found = self._codedeploy.list_deployments(
            applicationName=self._application,
            deploymentGroupName=self._application,
            createTimeRange={"start": self._since},
        )
        return [str(one) for one in reversed(found["deployments"])]

    def _news(self, deployment: str) -> str:
        told = self._codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
        line = self._line(deployment, told)
        if not line or self._said.get(deployment) == line:
            return ""
        self._said[deployment] = line
        if told["status"] in ("Failed", "Stopped"):
            self.taken_back.append(_why(told))
        return f"  {line}"

    def _line(self, deployment: str, told: Json) -> str:
        status = str(told["status"])
        if status in ("Failed", "Stopped"):
            return f"! the API's calls go back to the version before: {_why(told)}"
        if status == "Succeeded":
            return "all of the API's calls go to one version"
        if status not in UNDER_WAY:
            return ""
        function = self._function(deployment)
        if not function:
            return ""
        share = float(function.get("targetVersionWeight", 0))
        return f"{share:.0%} of the API's calls go to version {function['targetVersion']}, the rest to " + str(
            function["currentVersion"]
        )

    def _function(self, deployment: str) -> Json:
        ids = self._codedeploy.list_deployment_targets(deploymentId=deployment)["targetIds"]
        if not ids:
            return {}
        targets = self._codedeploy.batch_get_deployment_targets(deploymentId=deployment, targetIds=ids)
        found: Json = targets["deploymentTargets"][0].get("lambdaTarget", {}).get("lambdaFunctionInfo", {})
        return found if {"targetVersion", "currentVersion"} <= found.keys() else {}


def _why(told: Json) -> str:
    error = told.get("errorInformation", {})
    words = [str(error[key]) for key in ("code", "message") if error.get(key)]
    return ": ".join(words) or f"CodeDeploy says {told['status']}"
