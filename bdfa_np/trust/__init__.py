"""Which files of nets and rules may be run: those that this call names, and those that stand in the user's own list."""
