"""The command line, one file a command group."""

from pg2.cli.app import main

__all__ = ["main"]
