"""The analyst's pages."""

from pets.service.console.page import Page

PAGES: tuple[Page, ...] = ()
