"""Grid part: a site's part of rounded counts, which is sums of the shown cells of its own grid. No row is read for it.

The grid's cells were protected once, when the site's custodian named it, and all of them stand in the site's book of
releases without noise since then. So whatever is asked of it, over whichever sites, tells no more of the site's people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pets.common.codec import Json
from pets.errors import BudgetError
from pets.federated.query_round import rounded_counts
from pets.federated.site.gate import Admission
from pets.plan.vector import Ints
from pets.protection.sdc import SDC
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.session.custody import Custody
from pets.session.grid.answers import RoundedJob, rounded_jobs, summed


@dataclass(frozen=True)
class GridPart:
    """The sums of a grid's cells that a question asks for."""

    job: RoundedJob

    @property
    def id(self) -> str:
        """The public name of the rows that the grid counted."""
        return self.job.source.snapshot_id

    @property
    def told(self) -> Json:
        """Of which grid, as a certificate states it: its random name and its question.

        Not its digest, from which its few small numbers could be tried out.
        """
        return {"id": self.job.source.id, "query": self.job.source.form["query"]}

    def vector(self) -> Ints:
        """The numbers that are added to those of other sites."""
        ((cells,),) = self.job.source.counts()
        ones = np.ones(len(cells.shown), dtype=np.int64)
        return rounded_counts.written([[(summed(one, cells), one.of(ones)) for one in part] for part in self.job.sums])


Source = Snapshot | Linked | GridPart
"""What a site answers from."""


def source_of(admission: Admission, custody: Custody) -> Source:
    """The rows that an answer is tabulated from; of rounded counts, the site's grid instead.

    Raises:
        QueryError, PolicyError: by what is asked, the policy and the grid's own question alone; no row is read.
    """
    protection = admission.order.protection
    if not isinstance(protection, SDC) or admission.order.for_holder:
        return custody.rows_of(admission.plan)
    (job,) = rounded_jobs(custody, [admission.order.query], protection, again=False)
    if len(job.sums) != len(admission.plan.outputs):  # (both follow from one question and one schema)
        raise BudgetError("the question is another than its grid answers; run one version of pets everywhere")
    return GridPart(job)


def place_of(source: Source, site: str, data: str) -> Json:
    """What a certificate states of where an answer is from."""
    grid = {"grid": source.told} if isinstance(source, GridPart) else {}
    return {"site": site, "snapshot": source.id, "data": data} | grid
