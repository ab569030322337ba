"""Whether the invented people of the NHS-like pack show published rates, measured from the written tables alone."""
