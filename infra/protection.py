"""Whether tables refuse to be deleted: in ``prod`` always, but while the stack is created for the first time.

A creation that fails must be able to take its empty tables away again, else nobody can retry it.
``tools.release.deploy`` creates with ``Protection`` off and switches it on as soon as the stack stands.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

PARAMETER = "Protection"
CONDITIONS: Json = {"IsProtected": {"Fn::Equals": [{"Ref": PARAMETER}, "on"]}}
TABLES: Json = {"Fn::If": ["IsProtected", True, False]}


def default(stage: str) -> str:
    """Return whether a stage's tables are protected unless somebody says otherwise."""
    return "on" if stage == "prod" else "off"


def parameters(stage: str) -> Json:
    """Return the parameter."""
    return {
        PARAMETER: {
            "Type": "String",
            "Default": default(stage),
            "AllowedValues": ["on", "off"],
            "Description": "Whether tables refuse to be deleted; off only while the stack is created.",
        }
    }
