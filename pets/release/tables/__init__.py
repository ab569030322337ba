"""Tables for publication that follow from a release's numbers: shares of totals, cross-tables with margins."""
