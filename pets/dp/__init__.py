"""Differentially private releases: noise for exact integers, and how much of it.

``noise`` draws it (the only importer of OpenDP), ``calibrate`` decides how much, ``mechanism`` adds it to a vector.
This package imports none of them: loading it loads no engine.
"""
