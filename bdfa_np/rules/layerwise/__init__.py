"""Rules whose signal passes every layer, through a matrix other than the transposed forward weights."""
