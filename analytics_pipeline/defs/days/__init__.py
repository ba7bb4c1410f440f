"""Local days, weeks and months: sessions, what actors did, and what follows from both."""
