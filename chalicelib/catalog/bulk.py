"""Bulk work."""


def advance(merchant_id: str, job_id: str, *, step: int) -> None:
    """Do one step."""
    raise NotImplementedError
