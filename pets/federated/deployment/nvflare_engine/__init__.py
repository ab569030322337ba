"""NVIDIA FLARE (NVFlare 2.9) as a transport: the only folder that imports it.

One job runs as long as the federation's server does. Its part at the server (:class:`Post`) takes one round of messages
from the coordinator's admin session and hands each to its site; its part at a site (:class:`Carrier`) hands a message
to the gate (:mod:`pets.federated.deployment.gateway`) and returns the reply. Neither can read, alter or forge anything
that another party would accept, and neither has data, a ledger or a key of pets.

NVFlare finds these classes by their names here: startup kits that were handed out say them.
"""

from pets.errors import missing_extra

try:
    from pets.federated.deployment.nvflare_engine.job import Carrier, Post, ServerLauncher, SiteLauncher
    from pets.federated.deployment.nvflare_engine.kits import Certificates, provision
    from pets.federated.deployment.nvflare_engine.line import Line
except ImportError:
    raise missing_extra("NVIDIA FLARE", "federated") from None

__all__ = ["Carrier", "Certificates", "Line", "Post", "ServerLauncher", "SiteLauncher", "provision"]
