"""Raw events that are past their app's retention: written to the archive, removed from the lake, brought back."""
