"""People: the table with one row a person, made from linked snapshots on each engine."""
