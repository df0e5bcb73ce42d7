"""Nets made of few templates, each applied several times (Nekrasov et al., WACV 2020)."""
