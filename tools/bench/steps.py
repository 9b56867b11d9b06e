"""What one step of a measurement used: DynamoDB calls, write and read units."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from tools.bench import metering
from tools.bench.lab import Lab

BETWEEN = timedelta(seconds=5)


@dataclass(frozen=True)
class Step:
    """What one step used."""

    name: str
    calls: int
    write_units: float
    read_units: float
    index_units: float
    sends: int
    """Calls that send to SQS."""
    operations: tuple[str, ...]

    @classmethod
    def of(cls, name: str, meter: metering.Meter) -> Step:
        """Return a finished meter's figures."""
        return cls(
            name,
            meter.calls,
            meter.write_units,
            meter.read_units,
            meter.index_units,
            sum(count for operation, count in meter.sqs.items() if operation.startswith("Send")),
            tuple(meter.operations()),
        )

    @property
    def figures(self) -> tuple[int, float, float]:
        """Return calls, write units, read units."""
        return self.calls, self.write_units, self.read_units


@contextmanager
def measuring(lab: Lab, steps: list[Step], name: str) -> Iterator[None]:
    """Measure what is done inside as one more step."""
    lab.time.advance(BETWEEN)  # Deadlines then move as they do in life.
    with metering.measured() as meter:
        yield
    steps.append(Step.of(name, meter))
