"""Tables that others made: read as they were published, and checked like releases of one's own."""
