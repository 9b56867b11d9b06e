"""What rules put before people: somebody takes it, decides with a reason, and whom it is about may object."""
