# Reads C files; fails where one includes a header of a layer to the right of its own, or another layer's private header.
function layer_of(path) {
    if (path ~ /include\/dagan\//) { sub(/.*include\/dagan\//, "", path); sub(/\.h$/, "", path); return path }
    sub(/^src\//, "", path); sub(/\/.*/, "", path); return path
}
BEGIN { n = split(layers, name, " "); for (i = 1; i <= n; i++) place[name[i]] = i }
/^#include "dagan\// {
    to = $2; gsub(/"|dagan\/|\.h/, "", to); from = layer_of(FILENAME)
    if (place[to] > place[from]) { print FILENAME ":" FNR ": " from " includes " to; bad = 1 }
}
/^#include "\.\./ { print FILENAME ":" FNR ": a private header of another folder"; bad = 1 }
END { exit bad }
