"""Pool: connections to a database that rest between their uses."""
