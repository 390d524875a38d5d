"""Where data sets come from: what is published, where it is looked for, and how it is fetched."""
