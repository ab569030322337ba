"""`pets learn`: lessons that mark themselves, for students and their trainers."""
