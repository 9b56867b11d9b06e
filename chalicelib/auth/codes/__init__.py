"""One-time codes: sent to an e-mail address or a phone number, used once by whoever reads them there."""
