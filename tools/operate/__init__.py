"""What people run against an installation: doctor, grant, replay, republish, backfill, reconcile. Never shipped."""
