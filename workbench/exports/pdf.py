"""The printed page as PDF on A4."""

from __future__ import annotations

import io

import plutoprint

from workbench.exports.edition import Edition


class _NothingFromElsewhere(plutoprint.ResourceFetcher):
    """Everything a page needs lies in it; a request for more gets nothing, whatever the address."""

    def fetch_url(self, url: str) -> plutoprint.ResourceData:
        return plutoprint.ResourceData(b"", "text/plain", "utf-8")


def to_pdf(page: str, edition: Edition) -> bytes:
    """The page (see `workbench.exports.page`) as PDF. Nothing is fetched, neither from the network nor from files."""
    book = plutoprint.Book(plutoprint.PAGE_SIZE_A4, media=plutoprint.MEDIA_TYPE_PRINT)
    book.custom_resource_fetcher = _NothingFromElsewhere()
    book.load_html(page)
    book.set_metadata(plutoprint.PDF_METADATA_TITLE, edition.report_title)
    book.set_metadata(plutoprint.PDF_METADATA_AUTHOR, edition.tenant_name)
    book.set_metadata(plutoprint.PDF_METADATA_SUBJECT, edition.period)
    file = io.BytesIO()
    book.write_to_pdf_stream(file)
    return file.getvalue()
