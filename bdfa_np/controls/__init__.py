"""What a trained net is held against: nets trained alike whose lower layers learn nothing, or are not there."""
