"""What sites and coordinator say to each other, in signed bytes."""
