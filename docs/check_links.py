"""Every link within the built pages leads to a page and to a place on it: ``check_links.py docs/_build/html``."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The places of one page, and where its links and pictures lead."""

    def __init__(self, text):
        super().__init__()
        self.places, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if value is None:
                continue
            if name in ("id", "name"):
                self.places.add(value)
            if name in ("href", "src") and tag in ("a", "img", "script", "link", "source"):
                self.links.append(value)


def broken(folder):
    """(page, link) of every link that leads nowhere."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        # The page for missing pages speaks from the root of the site.
        if path.name == "404.html":
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            missing = bool(parts.fragment) and target in pages and unquote(parts.fragment) not in pages[target].places
            if missing or not target.exists():
                yield path, link


def main(folder):
    links = list(broken(Path(folder).resolve()))
    for path, link in links:
        print(f"{path}: {link}")
    print(f"{len(links)} broken links")
    return 1 if links else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
