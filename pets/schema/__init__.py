"""What is public: tables, their columns' domains, units and rules."""
