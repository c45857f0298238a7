"""Readers and writers of files, the mirror, the artefact store."""
