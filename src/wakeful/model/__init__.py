"""Frozen nouns, protocols and errors; imports nothing else of Wakeful."""
