"""Analyst: the pages of whoever asks: what there is, a question and its price, jobs, answers, and what was asked."""

from __future__ import annotations

from pets.service.console.page import Page
from pets.service.console.pages.analyst import asking, datasets, history, jobs

PAGES: tuple[Page, ...] = (*datasets.PAGES, *asking.PAGES, *jobs.PAGES, *history.PAGES)
