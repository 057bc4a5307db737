"""Measurements that say what things cost; none of them is a test."""
