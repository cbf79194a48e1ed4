package secret

import (
	"cmp"
	"slices"
	"strings"
)

// minRedacted is the length of the shortest text that a redactor replaces. A shorter one is no
// secret, and occurs in other words.
const minRedacted = 4

// Redactor returns what replaces the values in a text, and each line of a value of several lines. It is
// safe for concurrent use.
func (v Values) Redactor() *strings.Replacer {
	var secrets []string
	for _, value := range v {
		for _, part := range append(strings.Split(value.Reveal(), "\n"), value.Reveal()) {
			if part = strings.TrimSpace(part); len(part) >= minRedacted {
				secrets = append(secrets, part)
			}
		}
	}
	// A replacer selects the first of several texts: the longest one.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	var pairs []string
	for _, text := range slices.Compact(secrets) {
		pairs = append(pairs, text, redacted)
	}
	return strings.NewReplacer(pairs...)
}
