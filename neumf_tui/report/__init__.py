"""A run as one page of HTML, for people who do not have the program."""
