"""What the checker knows of rounded counts: the rules, and the cells of a grid."""
