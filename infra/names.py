"""What an installation is called: its stage, and a label where one account and region hold more than one of a stage.

Everything with a fixed name is called ``biandan-<installation>-<thing>``; so a second stack, or one restored beside the
first, takes none of the first one's names. Names that count in all regions or in the whole world also hold region and
account (``infra/stack.py``).
"""

from __future__ import annotations

import re
from typing import Any

from chalicelib.runtime import names

Json = dict[str, Any]

LABEL = re.compile(r"[a-z][a-z0-9]{0,9}", re.ASCII)
VARIABLE = "BIANDAN_INSTALLATION"


class BadLabel(ValueError):
    """A label that names of AWS cannot hold."""


def installation(stage: str, label: str = "") -> str:
    """Return what an installation of a stage is called.

    Raises:
        BadLabel: if the label is none.
    """
    if label and not LABEL.fullmatch(label):
        raise BadLabel("a label is a lower-case letter and up to nine more letters or digits")
    return f"{stage}-{label}" if label else stage


def stack_name(installed: str) -> str:
    """Return the name of an installation's stack."""
    return f"{names.PROJECT}-{installed}"


def labelled(template: Json, stage: str, label: str) -> Json:
    """Return the template of a stage as that of the labelled installation: nothing of it is called as the plain one's.

    Raises:
        BadLabel: if the label is none.
    """
    if not label:
        return template
    installed = installation(stage, label)
    own = re.compile(rf"\b{names.PROJECT}([-/])({re.escape(stage)}|\$\{{Stage\}})(?![A-Za-z0-9])")
    renamed: Json = _renamed(template, own, label)
    variables = renamed["Globals"]["Function"]["Environment"]["Variables"]
    variables[VARIABLE] = installed
    for resource in renamed["Resources"].values():
        if resource.get("Type") == "AWS::CloudWatch::Alarm":
            for dimension in resource["Properties"].get("Dimensions", []):
                if dimension["Name"] == "stage":
                    dimension["Value"] = installed
        if resource.get("Type") == "AWS::CloudWatch::Dashboard":
            resource["Properties"]["DashboardBody"]["Fn::Sub"][1]["Installation"] = installed
    return renamed


def _renamed(value: Any, own: re.Pattern[str], label: str) -> Any:
    if isinstance(value, str):
        return own.sub(rf"{names.PROJECT}\g<1>\g<2>-{label}", value)
    if isinstance(value, list):
        return [_renamed(part, own, label) for part in value]
    if isinstance(value, dict):
        return {key: _renamed(part, own, label) for key, part in value.items()}
    return value
