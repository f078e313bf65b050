"""Fixtures."""

from mcp_auth.testing import dev_issuer as dev_issuer
