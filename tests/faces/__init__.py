"""Shop and console in a real browser, against a running dev server; by `make web-test`, not by `make test`."""
