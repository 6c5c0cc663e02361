"""What a plan runs on, the same verbs each: our own scheme (`native`), SEAL (`seal`), NumPy (`clear`)."""
