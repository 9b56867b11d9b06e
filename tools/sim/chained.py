"""The audit's chain in the simulator: its job runs now and then, dies, meets itself; at the end all is proven.

It draws from a random source of its own, as the balances' clock does. At a seed's end every line of the audit is sealed
and what it was, every refund that an operator asked for has its line, and every order explains itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib.explaining import orders as explaining
from chalicelib.explaining.domain import Kind
from chalicelib.kernel import clock
from chalicelib.kernel.clock import epoch_ms
from chalicelib.orders import service as orders
from chalicelib.oversight.chain import domain, sealing, store
from chalicelib.oversight.chain.proof import Proof
from chalicelib.runtime import names, write_once
from tools.sim.apart import Apart, run_beside
from tools.sim.faults import Crash

if TYPE_CHECKING:
    from tools.sim.world import World

CHANCE = 0.04
PROMISE = "audit"
EXPLAINED = 40
"""So many orders of a seed, the last, explain themselves at its end."""


class Chained:
    """Runs the audit's job of a world, and judges what became of the audit."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._own = Apart(world, "audit")

    def step(self) -> None:
        """Let the job run, or not; it may run twice at once, and die anywhere."""
        if self._own.chance.random() >= CHANCE:
            return
        self._own.faults.armed = self._own.faults.rate > 0
        with self._own.playing():
            twice = self._own.chance.random() < 0.2
            try:
                run_beside(sealing.run, store, "progress_row") if twice else sealing.run()
            except Crash:
                self._world.say("      the audit's job dies")
            except Exception as error:  # It runs again in a minute.
                self._world.say(f"      the audit's job: {type(error).__name__}")

    def finish(self) -> None:
        """Days later every day is closed, and all of it proves itself."""
        self._own.faults.armed = False
        with self._own.playing():
            for _ in range(2):
                self._world.clock.advance(timedelta(days=2))
                while any(sealing.run().values()):
                    pass
            for found in self.proof().broken:
                self._world.oracle.broken(PROMISE, f"{found.kind}: {found.where}")
            for problem in self._unexplained():
                self._world.oracle.broken(PROMISE, problem)

    def proof(self) -> Proof:
        """Hold what the tables have against the seals, as the operators' command does."""
        proof = Proof()
        before = f"{epoch_ms(clock.now()):014d}"
        progress = store.progress_of(store.progress_row())
        for number in range(1, (progress.number if progress else 0) + 1):
            content = write_once.read(sealing.key_of(number))
            proof.add(number, domain.read(content) if content else None)
        for item in self._rows("audit"):
            proof.check_line(item["day"]["S"], item["id"]["S"], domain.line_digest(item), before=before)
        for item in self._rows("chains"):
            if item["subject"]["S"] != store.JOB:
                found = store.linked(item)
                proof.check_link(found.link, found.line)
        proof.check_end(progress)
        return proof

    def _unexplained(self) -> Iterator[str]:
        sales = list(self._world.oracle.sales.values())
        found = [(order_id, order.status, sale) for sale in sales for order_id, order in sale.orders.items()]
        for order_id, status, sale in found[-EXPLAINED:]:
            steps = explaining.steps(orders.load_order(order_id))
            told = [step.status for step in steps if step.kind is Kind.ORDER]
            if told[-1:] != [status] and (told or status != orders.OrderStatus.PLACED):
                yield f"{order_id} is {status}, and explains that it is {told[-1:]}"
            refunds = {step.record_id for step in steps if step.what == "refund.requested"}
            if missing := sorted(set(sale.refunds) - refunds):
                yield f"{order_id} does not explain {missing}"
            if any(step.seal is not None and not step.seal.batch for step in steps):
                yield f"{order_id} has acts that were never sealed"

    def _rows(self, table: str) -> list[dict[str, dict[str, str]]]:
        return [dict(row) for row in self._world.storage.tables[names.table_name(table)].items.values()]


__all__ = ["Chained"]
