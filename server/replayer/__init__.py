"""A replayer: shows what has been. A process of its own, beside the ticks of worlds and of lower priority."""
