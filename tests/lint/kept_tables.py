# SPDX-License-Identifier: Apache-2.0
"""Tables of a page that are made of kept results: checked, or with --write made anew."""
import sys


def renew(page, tables, marker, make):
    """`tables` finds each table as (begin)...(end); `make` is given the match and says what stands
    between the two. Returns the page as it has to be, and the file of the first table."""
    if sys.argv[1:] not in ([], ["--write"]):
        sys.exit(f"usage: {sys.argv[0]} [--write]")
    with open(page, encoding="utf-8") as file:
        text = file.read()
    found = tables.search(text)
    if not found:
        sys.exit(f"{page}: no table: it stands behind <!-- {marker} -->")
    made = tables.sub(lambda one: one[1] + make(one) + one[one.re.groups], text)
    if made != text and sys.argv[1:]:
        with open(page, "w", encoding="utf-8") as file:
            file.write(made)
    elif made != text:
        sys.exit(f"{page}: a table is not what {found[2]} says; {sys.argv[0]} --write makes it")
    return made, found[2]
