"""Feast declarations and the offline store they use."""
