"""The package at home in other libraries: each module imports one host, and only when it is imported itself."""
