from __future__ import annotations

import pytest

from chalicelib.kernel import ids

BODY = "0123456789abcdefghjkmnpq"


@pytest.mark.parametrize(
    ("text", "is_id", "is_child"),
    [
        (f"ord_{BODY}", True, False),
        (f"ord_{BODY}_01", True, True),
        (f"ord_{BODY}_100", True, True),
        (f"ord_{BODY}_999", True, True),
        (f"ord_{BODY}_001", False, False),
        (f"ord_{BODY}_1000", False, False),
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


def test_a_derived_parent_has_more_children_than_one_with_a_long_body() -> None:
    assert ids.child_id("ref", f"pur_{BODY}", 999) == f"ref_{BODY}_999"
    assert ids.child_number(f"ref_{BODY}_100") == 100
    assert ids.child_id("sku", f"prd_{BODY}ab", 99) == f"sku_{BODY}ab_99"
    for parent, number in ((f"pur_{BODY}", 1000), (f"pur_{BODY}", -1), (f"prd_{BODY}ab", 100)):
        with pytest.raises(ValueError, match="numbered children"):
            ids.child_id("ref", parent, number)


def test_ids_are_spelled_as_ever() -> None:
    assert ids.derived_id("pur", "a", "b") == "pur_zb6xwynz3tp5pc0jeenjwa1f"
