from __future__ import annotations

from typing import Any

import pytest

from tests.support import people
from tests.support.complaining import Case
from tests.support.paying import Till


@pytest.fixture
def case(cloud: str, noon: Any) -> Case:
    till = Till.open(noon)
    sale, payment_id = till.paid()
    order = sale.orders[0]
    return Case(till, order, payment_id, people.staff(order.merchant_id), people.buyer(), people.staff("mer_other"))
