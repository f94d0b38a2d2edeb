"""What careless agents do, and what they are told: the right code, and a hint that works when it is followed."""
