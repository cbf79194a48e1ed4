// Package hostile provides texts that tests pass as untrusted input, and a check that
// printed text is harmless.
package hostile

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// Texts returns texts that, printed unchanged, would control a terminal, forge a line or
// a column, or be misread as another text.
func Texts() []string {
	return []string{
		"\x1b[2J", "a\x1b]0;title\x07", "\u009b31m", "a\rb", "a\nb", "a\tb", "a\u0085b", "a\u2028b", "a\vb\fc", "\x00", "\x7f", "a\bb",
		"\u202egnp.exe", "\u2066a\u2069", "\u200e", "\u200b", "\ufeffa", "\U000e0041", "\xff", "a\xc3(", "\u00ad",
	}
}

// RequirePrintable requires that shown, the printed form of text, contains only printable
// characters and those in except.
func RequirePrintable(t *testing.T, shown, text string, except ...rune) {
	t.Helper()
	for _, r := range shown {
		if strings.ContainsRune(string(except), r) {
			continue
		}
		require.True(t, unicode.IsPrint(r), "%q is printed as %q, which contains %U", text, shown, r)
	}
}
