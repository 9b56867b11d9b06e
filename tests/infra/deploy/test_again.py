"""What comes before and after a deployment that goes well: one that fails at first, one more, one that is undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib import topology
from infra import shift
from tests.support.deployed import STAGE, Deployed, bring_up, broken, tables
from tools.release import changes
from tools.release.errors import DeployError

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("deploy")]

FUNCTION = f"biandan-{STAGE}-api"


def live(deployed: Deployed) -> tuple[str, str]:
    """Return the version that callers get, and the release that it says it is."""
    client = deployed.client("lambda")
    version = client.get_alias(FunctionName=FUNCTION, Name=shift.ALIAS)["FunctionVersion"]
    told = client.get_function_configuration(FunctionName=FUNCTION, Qualifier=shift.ALIAS)
    return str(version), str(told["Environment"]["Variables"][shift.VARIABLE])


def serves(deployed: Deployed) -> bool:
    status, _, _ = deployed.call("GET", "/v1/categories")
    return status == 200


def public_url(deployed: Deployed) -> str:
    client = deployed.client("lambda")
    told = client.get_function_configuration(FunctionName=FUNCTION, Qualifier=shift.ALIAS)
    return str(told["Environment"]["Variables"]["BIANDAN_PUBLIC_URL"])


def stack(deployed: Deployed) -> changes.Stack:
    return changes.Stack(deployed.client("cloudformation"), f"biandan-{STAGE}", print, poll_s=0.2)


def test_the_first_creation_failed_and_the_second_found_nothing_in_its_way(deployed: Deployed) -> None:
    """By the fixture: all that the first had made was taken away, names and all, and all of it is there now."""
    assert "ended as ROLLBACK_COMPLETE, run again when that is mended: BrokenUrl" in deployed.first_attempt
    assert stack(deployed).status() in changes.GOOD
    assert set(tables(deployed)) == set(topology.TABLES)


def test_callers_get_a_published_version_by_the_alias(deployed: Deployed) -> None:
    version, release = live(deployed)
    assert version.isdigit()
    assert release == stack(deployed).parameters()[shift.RELEASE]
    assert serves(deployed)


def test_an_update_publishes_a_version_and_moves_the_callers_there(deployed: Deployed) -> None:
    before, released = live(deployed)
    said: list[str] = []
    # What reaches the function by a parameter alone: no byte of zip or template differs.
    told = {"PublicUrl": f"{deployed.url}/"}
    bring_up(deployed.engine_url, deployed.session, deployed.built, told, said.append)

    after, release = live(deployed)
    assert int(after) > int(before)
    assert release != released
    assert public_url(deployed) == f"{deployed.url}/"
    assert serves(deployed)
    assert any("ApiVersion" in line for line in said)
    assert not [line for line in said if "its data" in line]


def test_an_update_that_fails_is_undone_whole_and_the_shop_serves_on(deployed: Deployed, tmp_path: Path) -> None:
    before = (*live(deployed), public_url(deployed))
    wanted: dict[str, Any] = {"PublicUrl": "https://elsewhere.example.org"}
    with pytest.raises(DeployError, match="ended as UPDATE_ROLLBACK_COMPLETE, all is as it was before: BrokenUrl"):
        bring_up(deployed.engine_url, deployed.session, broken(deployed.built, tmp_path), wanted, lambda _: None)

    assert (*live(deployed), public_url(deployed)) == before
    assert serves(deployed)
    assert set(tables(deployed)) == set(topology.TABLES)
    said: list[str] = []
    bring_up(deployed.engine_url, deployed.session, deployed.built, {}, said.append)
    assert "nothing to change" in said
