"""What a bound on each person's rows leaves out: from released counts of people by their number of rows."""
