package render

import (
	"maps"
	"slices"
	"strings"
)

// Labels returns the labels as KEY=VALUE,… in the order of their keys, and <none> for none.
func Labels(labels map[string]string) string {
	if len(labels) == 0 {
		return "<none>"
	}
	pairs := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return Printable(strings.Join(pairs, ","))
}
