"""What is measured of a run's net while it trains, and who is told: its folder, its log, TensorBoard."""
