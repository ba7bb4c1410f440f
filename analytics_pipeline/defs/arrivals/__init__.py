"""The accounts of what arrived: that they balance, that little of it is broken, and that it goes on."""
