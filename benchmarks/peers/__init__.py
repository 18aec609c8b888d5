"""This program and its peers on the same split, each in a process of its own."""
