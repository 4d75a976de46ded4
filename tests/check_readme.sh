#!/usr/bin/env bash
# The README stays true: its configuration reference is the key table, its links lead somewhere.
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh

same_help() {
    diff <(sed -n '/^```text$/,/^```$/p' README.md | sed '1d;$d') <("$DAGAN" --help config)
}
expect readme_lists_every_key_as_the_program_does same_help

links_exist() {   # of a page, from its folder
    local missing=0 link
    for link in $(grep -oE '\]\([^)#]+' "$1" | sed 's/](//' | grep -v '^http'); do
        [ -e "$(dirname "$1")/$link" ] || { echo "$1 links to $link"; missing=1; }
    done
    return "$missing"
}
expect every_link_of_the_readme_leads_to_a_file links_exist README.md
expect every_link_of_the_page_on_sites_leads_to_a_file links_exist jobs/README.md
