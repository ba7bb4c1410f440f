"""Engines that compute over the lake."""
