"""From measurements to predictions: operator graphs, the store, the campaign, predictors and their calibrated bound."""
