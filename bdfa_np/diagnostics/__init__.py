"""What is measured of a net while it trains: angles to the exact gradient, norms, rank, dead units, separability."""
