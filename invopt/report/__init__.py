"""Pages a person reads: a module for each, and what their pictures and tables share.

Nothing is loaded here: who writes an index of runs need not wait for matplotlib.
"""
