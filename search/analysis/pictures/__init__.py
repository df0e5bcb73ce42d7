"""Pictures of a search: one file per picture, one style. matplotlib is imported when the first one is drawn."""
