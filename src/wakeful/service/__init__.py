"""Reconciles what the rows ask for with what is there."""
