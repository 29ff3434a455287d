"""Makers of random test vectors, a module for each kind, in the format of ``vectors/crypto-vectors.json``.

A maker is a function that takes a source of random choices and gives one vector. It states inputs, and as outputs what
the libraries compute; a vector that must be refused is one that the libraries refuse.
"""
