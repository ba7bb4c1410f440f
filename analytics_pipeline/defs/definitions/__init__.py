"""Saved cohorts and funnels: computed when they are new, and again while events arrive."""
