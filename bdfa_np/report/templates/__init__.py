"""The page that a report is made of: jinja2 templates."""
