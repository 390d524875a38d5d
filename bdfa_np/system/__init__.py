"""The machine: files, interrupts, memory, and how far work has come."""
