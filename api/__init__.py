"""The REST API: one route file for each noun, a thin layer over the services."""
