"""The lake as Dagster sees it: written by others, noticed by a sensor."""
