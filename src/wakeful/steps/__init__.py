"""The analyses: one file each, pure, discovered by the catalog."""
