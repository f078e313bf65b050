"""Fixtures."""

# Installed, it is there by itself.
pytest_plugins = ["mcp_auth.pytest_plugin"]
