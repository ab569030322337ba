"""The account in a database: tables, statements, one transaction at a time. Only here is SQLAlchemy."""
