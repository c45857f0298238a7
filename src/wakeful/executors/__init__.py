"""Where jobs run: one narrow interface, `submit / poll / cancel`."""
