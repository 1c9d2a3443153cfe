"""The risk desk: margin calls and their ledger, expiry and assignment."""
