"""Who is who: the search for periods that were counted with other visitors."""
