"""Sessions: started in one way by every method of signing in, kept alive by refresh tokens, ended here."""
