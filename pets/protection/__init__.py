"""What is asked of privacy, what a custodian allows, and what it may cost."""
