"""The doors for people: ``pets`` and its commands."""
