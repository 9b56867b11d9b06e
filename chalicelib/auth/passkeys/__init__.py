"""Passkeys (WebAuthn): made for an account, and signing in, finishing a sign-in or proving once more with one."""
