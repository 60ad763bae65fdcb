"""What runs inside the sandbox's own Django: it looks, and answers in JSON. It changes nothing,
except that `rows` runs the statement it is given."""
