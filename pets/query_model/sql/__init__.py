"""Questions in SQL: read into a query, and a query printed back. No SQL is stored or run."""
