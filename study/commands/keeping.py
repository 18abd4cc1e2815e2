"""Verbs that look after studies and their databases: doctor."""
