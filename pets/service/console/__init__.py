"""Console: the service in a browser. Pages made here, without a build step, that work without JavaScript too.

A page asks what a client asks, at the same endpoints, in this process; it decides nothing by itself.
"""
