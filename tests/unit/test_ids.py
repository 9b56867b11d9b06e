from __future__ import annotations

import pytest

from chalicelib.kernel import ids

BODY = "0123456789abcdefghjkmnpq"


@pytest.mark.parametrize(
    ("text", "is_id", "is_child"),
    [
        (f"ord_{BODY}", True, False),
        (f"ord_{BODY}_01", True, True),
        (f"ord_{BODY}_²³", False, False),
        (f"ord_{BODY}_1", False, False),
        (f"ord_{BODY}_01_01", False, False),
        (f"ord_{BODY}_01\n", False, False),
        (f"ord_{BODY.upper()}_01", False, False),
        (f"pur_{BODY}_01", False, False),
        ("ord_", False, False),
        ("", False, False),
    ],
)
def test_an_id_has_one_shape(text: str, is_id: bool, is_child: bool) -> None:
    assert (ids.is_id("ord", text), ids.is_child_id("ord", text)) == (is_id, is_child)
