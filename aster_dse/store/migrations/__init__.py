"""Alembic's folder: how a database comes from each revision of the schema to the next."""
