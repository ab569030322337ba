"""How a rule of disclosure control shows a count, for the checker: the presets, and what a number stands for.

The page docs/proofs/rounded.md has the reasons.
"""

from typing import Any

RULE = ("threshold", "base", "midpoint", "hide_zero", "totals")
PUBLISHED = {
    "hes": (7, 5, False, False, "exact"),
    "ons_10_5": (9, 5, False, True, "exact"),
    "opensafely": (7, 5, False, True, "parts"),
    "midpoint6": (0, 6, True, False, "exact"),
}


def rule_of(protection: Any, base: Any) -> dict[str, Any]:
    """How a count is shown, from the protection alone."""
    need, given = base.need, {name: part for name, part in protection.items() if name not in ("kind", "width")}
    if "preset" in given:
        need({*given} == {"preset"} and given["preset"] in PUBLISHED, "its rule is none that releases are made by")
        return dict(zip(RULE, PUBLISHED[given["preset"]], strict=True))
    need({*given} <= {*RULE} and given, "its rule has settings that pets does not know")
    usual = {"threshold": 0, "base": 5, "midpoint": False, "hide_zero": False, "totals": "exact"}
    return usual | given


def ends(rule: Any, shown: int) -> tuple[int, int]:
    """The least and the greatest count that is shown so; raises for what no count is shown as."""
    step, least = rule["base"], rule["threshold"] + 1
    if shown == -1 and rule["threshold"]:
        return int(not rule["hide_zero"]), rule["threshold"]
    if shown == 0 and not rule["hide_zero"]:
        return 0, 0
    if rule["midpoint"]:
        top = shown + step // 2
        if shown > 0 and top % step == 0:
            return top - step + 1, top
        raise ValueError(shown)
    low, high = shown - step // 2, shown - step // 2 + step - 1
    if shown % step or shown <= 0 or high < least:
        raise ValueError(shown)
    return max(low, least), high


def middle(rule: Any) -> int:
    """What a hidden cell counts as in a sum."""
    least, most = ends(rule, -1) if rule["threshold"] else (0, 0)
    return (least + most) // 2


def words(one: Any) -> str:
    """The rule of a release in words, with its name."""
    rule, named = one["rule"], f"'{one['protection']['preset']}'" if "preset" in one["protection"] else "of its own"
    least, most = ends(rule, -1) if rule["threshold"] else (0, 0)
    text = f"{least} to {most} hidden, " * bool(rule["threshold"])
    text += "shown as the middle of their step of " if rule["midpoint"] else "others to the nearest "
    return f"{named} ({text}{rule['base']})"


def shows(rule: Any, number: int) -> bool:
    """Whether a rule shows some count so."""
    try:
        ends(rule, number)
    except ValueError:
        return False
    return True


def adds_up(rule: Any, seen: int, hidden: int, shown: int, low: int, high: int) -> bool:
    """Whether so many shown and hidden cells can be added up to these three numbers."""
    base, half, least = rule["base"], rule["base"] // 2, rule["threshold"] + 1
    if hidden:
        ends_low, ends_high = ends(rule, -1)
        shown, low, high = shown - hidden * middle(rule), low - hidden * ends_low, high - hidden * ends_high
    above, below = (half, base - 1 - half) if rule["midpoint"] else (base - 1 - half, half)
    if min(shown, low, high) < 0:
        return False
    some, rest = divmod(high - shown, above) if above else (0, high - shown)  # cells that are not shown as 0
    if rest or not (seen if rule["hide_zero"] else 0) <= some <= seen:
        return False
    if (shown - some * (base - half if rule["midpoint"] else 0)) % base:
        return False
    first = base - half if rule["midpoint"] else (least + half) // base * base  # the least number but 0
    if shown < some * first or (not some and shown):
        return False
    # the least number may stand for fewer counts than others do
    lost, more = max(0, least - (first - below)) if not rule["midpoint"] else 0, low - (shown - some * below)
    if not lost:
        return bool(more == 0)
    cells, odd = divmod(more, lost)
    left = shown - cells * first  # by the others, each of which shows more
    fits = left == 0 if cells == some else left >= (some - cells) * (first + base)
    return bool(odd == 0 and 0 <= cells <= some and fits)
