#!/bin/sh
# Draws each *.dot as an SVG beside it, in colours for light and dark pages. Needs Graphviz (Debian: `graphviz`).
# The other pictures here are drawn by hand.
set -eu
cd "$(dirname "$0")"
for dot in *.dot; do
    dot -Tsvg "$dot" | sed \
        -e 's/ fill="[^"]*"//g; s/ stroke="[^"]*"//g; s/ font-family="[^"]*"//g; s/ font-size="[^"]*"//g' \
        -e '/^<!--.*-->$/d' -e '/^<!--/,/-->$/d' -e '/^<?xml/d' -e '/^<!DOCTYPE/,/>$/d' -e 's/&#45;/-/g' \
        -e '/^<svg/,/>$/ { />$/ a\
<style>text{font:11px "DejaVu Sans",Verdana,sans-serif;fill:#24292f}.graph>polygon{fill:#fff}.node>path,.node>polygon,.node>ellipse{fill:#eef2f6;stroke:#57606a}.node.good>path,.node.good>polygon{fill:#d2eddb;stroke:#1a7f37}.node.lost>path{fill:#f8d0d0;stroke:#d1242f}.node.note>path,.node.note>polygon{fill:none;stroke:none}.edge>path{fill:none;stroke:#57606a}.edge>polygon{fill:#57606a;stroke:#57606a}.edge.lost>path{stroke:#d1242f}.edge.lost>polygon{fill:#d1242f;stroke:#d1242f}.edge.good>path{stroke:#1a7f37}.edge.good>polygon{fill:#1a7f37;stroke:#1a7f37}.cluster>polygon{fill:none;stroke:#afb8c1}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.graph>polygon{fill:#0d1117}.node>path,.node>polygon,.node>ellipse{fill:#21262d;stroke:#9aa4af}.node.good>path,.node.good>polygon{fill:#12351f;stroke:#3fb968}.node.lost>path{fill:#4a1d20;stroke:#f85149}.edge>path{stroke:#9aa4af}.edge>polygon{fill:#9aa4af;stroke:#9aa4af}.edge.lost>path{stroke:#f85149}.edge.lost>polygon{fill:#f85149;stroke:#f85149}.edge.good>path{stroke:#3fb968}.edge.good>polygon{fill:#3fb968;stroke:#3fb968}.cluster>polygon{stroke:#444c56}}</style>
}' > "${dot%.dot}.svg"
done
