"""Readers of the original files of datasets, one module per format.

Each format's module has a function `read(place, name, columns, report) -> Dataset`, where `place`
is the folder or file. It raises DatasetError naming file and line for anything unexpected.
"""
