"""Tables that left by a rule of disclosure control: counts of people, small ones hidden and the others rounded."""
