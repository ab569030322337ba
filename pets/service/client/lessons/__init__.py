"""What a student's folder asks of a marking service."""
