"""Lessons: what is asked of invented rows, declared in files, for students and for their trainers."""
