"""
The rule catalogue: every rule is one function, registered under its public id when this package is imported.
"""
