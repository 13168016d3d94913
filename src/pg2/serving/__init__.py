"""The service: `pg2 serve`, an HTTP API around `pg2.pipeline`. Needs pg2[serve]."""
