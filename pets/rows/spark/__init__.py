"""Spark: rows counted and made ready on Apache Spark, in a session beside the caller's, which is never closed here."""
