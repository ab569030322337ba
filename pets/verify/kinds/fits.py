"""A regression of released counts, worked out again: its coefficients make the likelihood of the counts greatest.

Rows with the same covariates count as one, with n of them and s the sum of their outcomes (McCullagh and Nelder 1989,
section 2.2.4). At the coefficients one more step of Newton's goes nowhere; the errors are those of the information
there. docs/proofs/post_processing.md.
"""

import math
from typing import Any

PARTS = ["coefficients", "dispersion", "errors", "family", "rows", "terms"]
MANY = 20_000_000  # products in one step
CLOSE = 1e-6  # relative: what is stated was found by floats, and is found again by others


def design(cells: Any, n: list[int]) -> tuple[list[int], list[str], list[list[float]]]:
    """The groups that have rows and a value of each covariate, the terms, and a row of covariates for each group."""
    kept = [at for at, group in enumerate(cells.groups) if n[at] > 0 and cells.known(group)]
    terms, columns = ["intercept"], [[1.0] * len(kept)]
    for place, key in enumerate(cells.keys):
        values = [cells.groups[at][place] for at in kept]
        if cells.plan.columns[key].kind == "integer":
            terms.append(key)
            columns.append([float(value) for value in values])
            continue
        for level in list(dict.fromkeys(values))[1:]:
            terms.append(f"{key}[{level}]")
            columns.append([float(value == level) for value in values])
    return kept, terms, [list(row) for row in zip(*columns, strict=True)]


def solved(core: Any, matrix: list[list[float]], right: list[float]) -> tuple[list[float], list[float]]:
    """Of a symmetric matrix A and b: A⁻¹b, and the diagonal of A⁻¹, by elimination with the greatest pivot."""
    size = len(matrix)
    rows = [
        [*line, value, *(float(at == place) for place in range(size))]
        for at, (line, value) in enumerate(zip(matrix, right, strict=True))
    ]
    for at in range(size):
        best = max(range(at, size), key=lambda place: abs(rows[place][at]))
        rows[at], rows[best] = rows[best], rows[at]
        core.need(rows[at][at] != 0, "its covariates determine no one best fit")
        rows[at] = [value / rows[at][at] for value in rows[at]]
        for other in range(size):
            if other != at and rows[other][at]:
                by = rows[other][at]
                rows[other] = [value - by * own for value, own in zip(rows[other], rows[at], strict=True)]
    return [row[size] for row in rows], [row[size + 1 + at] for at, row in enumerate(rows)]


def inside(cells: Any, kept: list[int]) -> float:
    """The squares within groups, Σ (y - mean)², of a straight line's outcome; at least 0 in each."""
    form, (squares, totals, counts), first = cells.output("v")
    factor = cells.core.number(form["factor"])
    total = 0.0
    for at in kept:
        if counts[at] > 0:
            whole = squares[at] + first.get("centre", 0) * counts[at]
            total += float(factor**2 * (whole - cells.core.number(totals[at]) ** 2 / counts[at]))
    return total


def check(core: Any, made: Any, cells: Any, has: Any, true: Any, near: Any) -> str:
    """What was found, in words."""
    need, number = core.need, core.number
    need(sorted(made) == PARTS and cells.exact, "it has other parts than pets writes")
    family = made["family"]
    need(family in ("gaussian", "binomial", "poisson"), "its family is none")
    outcome = cells.query["agg"][0][1]["where"]["term"]["column"]
    total = true(outcome) if family == "binomial" else {"agg": "sum", "column": outcome}
    spread = {"v": {"agg": "variance", "column": outcome}} if family == "gaussian" else {}
    cells.asks({"n": has(outcome), "s": total} | spread, by=0)
    n, s = cells.sums("n"), cells.sums("s")
    kept, terms, x = design(cells, n)
    need(made["terms"] == terms, "its terms are others")
    need(made["rows"] == sum(n[at] for at in kept), "it is about another number of rows")
    size, sizes = len(terms), [len(made[name]) for name in ("coefficients", "errors")]
    need(sizes == [size, size], "it has not one coefficient for each term")
    if len(kept) * size**2 > MANY:
        raise core.CannotCheck("it has too many patterns and terms to be worked out again by this program")
    beta = [float(number(value)) for value in made["coefficients"]]
    information, score, apart = [[0.0] * size for _ in terms], [0.0] * size, 0.0
    for at, row in zip(kept, x, strict=True):
        eta = math.fsum(b * value for b, value in zip(beta, row, strict=True))
        mean = {"gaussian": eta, "poisson": math.exp(min(eta, 700)), "binomial": 1 / (1 + math.exp(-max(eta, -700)))}[
            family
        ]
        slope = {"gaussian": 1.0, "poisson": mean, "binomial": mean * (1 - mean)}[family]
        away = float(s[at]) - n[at] * mean
        apart += away**2 / n[at]
        for i, one in enumerate(row):
            if one:
                score[i] += one * away
                for j, other in enumerate(row):
                    information[i][j] += n[at] * slope * one * other
    move, squares = solved(core, information, score)
    dispersion = (inside(cells, kept) + apart) / (made["rows"] - size) if family == "gaussian" else 1.0
    need(near(core, made["dispersion"], dispersion, CLOSE), "its dispersion is another")
    errors = [math.sqrt(square * dispersion) for square in squares]
    for told, error, step, b in zip(made["errors"], errors, move, beta, strict=True):
        # a coefficient may be off by less than anybody could see beside its error
        need(abs(step) <= CLOSE * max(abs(b), error), "its coefficients are not those of the released counts")
        need(near(core, told, error, CLOSE), "its standard errors are not those of the released counts")
    return f"{family}, {size} coefficients and their errors, {made['rows']} rows"
