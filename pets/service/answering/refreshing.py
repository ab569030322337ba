"""Refreshing: an answering process makes a dataset's tables anew, because its custodian asked for that over HTTP.

A question that runs ends on the rows that it began with; the next one reads the new ones. Nothing is charged, and the
account goes on: what was spent on the old rows is spent.
"""

from __future__ import annotations

import traceback

from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.errors import UserError
from pets.ledger.incidents import Incidents
from pets.session.custody import Custody
from pets.session.tables import NO_SOURCES

_REMEDY = (
    "this service is given no data that its tables could be made anew from; on its machine, whoever may read the rows "
    "runs: pets snapshot --schema FILE --data FILE --out FOLDER, with the folder that is served, and the next question "
    "reads the new tables"
)


def refreshed(custody: Custody, incidents: Incidents) -> Json:
    """The public ids of the new snapshots, ``{"snapshots": {table: id}}``.

    Raises :class:`UserError` where there is no data, or it cannot be read: then the tables are served as they were, and
    why is kept for the custodian alone, since it may quote rows.
    """
    try:
        custody.refresh()
    except Exception as error:
        if str(error) == NO_SOURCES:
            raise UserError(_REMEDY) from None
        number = random_id()[:12]
        incidents.note(number, traceback.format_exc())
        raise UserError(
            "the tables could not be made anew, and are served as they were; on the service's machine, pets ledger "
            f"incident {number} tells why"
        ) from None
    return {"snapshots": {table: custody.snapshot(table).id for table in custody.tables}}
