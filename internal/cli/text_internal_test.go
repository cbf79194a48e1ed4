package cli

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

// hostile are values that would steer a terminal, forge a line or a column, or
// pass for something else.
var hostile = []string{
	"\x1b[2J", "a\x1b]0;title\x07", "\u009b31m", "a\rb", "a\nb", "a\tb", "a\u0085b", "a\u2028b", "a\vb\fc", "\x00", "\x7f", "a\bb",
	"\u202egnp.exe", "\u2066a\u2069", "\u200e", "\u200b", "\ufeffa", "\U000e0041", "\xff", "a\xc3(", "\u00ad",
}

func requireHarmless(t *testing.T, shown, value string, except ...rune) {
	t.Helper()
	for _, r := range shown {
		if strings.ContainsRune(string(except), r) {
			continue
		}
		require.True(t, unicode.IsPrint(r), "%q is shown as %q, which holds %U", value, shown, r)
	}
}

func TestHostileTextIsNeverShownRaw(t *testing.T) {
	t.Parallel()
	for _, value := range hostile {
		for name, show := range map[string]func(string) string{
			"plain": plain, "cell": cell, "reasonCell": reasonCell, "shellWord": shellWord,
			"short": (&app{}).terminalShort,
		} {
			shown := show(value)
			requireHarmless(t, shown, value)
			require.NotEqual(t, value, shown, "%s of %q", name, value)
		}
		requireHarmless(t, printable(value), value, '\n')
	}
}

// terminalShort is what a terminal's narrow table makes of a value.
func (a *app) terminalShort(value string) string {
	a.globals.terminal = true
	return a.short(cell(value), shortContainer)
}

func TestPlainCannotBeMistaken(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"game-1": "game-1", "a/b:c@d": "a/b:c@d", "żółw": "żółw", "日本": "日本", "🚀": "🚀", "'a'": "'a'",
		"": `""`, "-": `"-"`, "a b": `"a b"`, " a": `" a"`, `"a"`: `"\"a\""`, `a\n`: `"a\\n"`,
		"a\nb": `"a\nb"`, "\x1b": `"\x1b"`, "\u202e": `"\u202e"`, "\xff": `"\xff"`, "\ufffd": "\"\ufffd\"", "a\u00a0b": `"a\u00a0b"`,
	} {
		require.Equal(t, want, plain(value), "plain of %q", value)
		if value != "" {
			require.Equal(t, want, cell(value), "cell of %q", value)
		}
	}
	require.Equal(t, "-", cell(""), "in a table nothing is a dash")
}

func TestReasonsAreSentencesInOneLine(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"": "-", "planned maintenance": "planned maintenance", `said "no"`: `said "no"`,
		"a\nb": `"a\nb"`, "a\tb": `"a\tb"`, "\x1b[0m": `"\x1b[0m"`, "-": `"-"`, " ": `" "`, "a ": `"a "`,
	} {
		require.Equal(t, want, reasonCell(reason), "reason %q", reason)
	}
}

func TestPrintableKeepsLines(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a\nb c", printable("a\nb c"))
	require.Equal(t, "\ufffd[2J\ufffdx", printable("\x1b[2J\u202ex"))
	require.Equal(t, "日本 🚀", printable("日本 🚀"))
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value string
		most  int
		want  string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"żółw", 4, "żółw"}, {"żółwie", 4, "żół…"}, {"abcd", 1, "…"},
	} {
		require.Equal(t, c.want, clip(c.value, c.most), "%q clipped to %d", c.value, c.most)
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		passed time.Duration
		want   string
	}{
		{-time.Hour, "0s"}, {0, "0s"}, {999 * time.Millisecond, "0s"}, {time.Second, "1s"}, {119 * time.Second, "119s"},
		{2*time.Minute - 1, "119s"}, {2 * time.Minute, "2m"}, {119*time.Minute + 59*time.Second, "119m"},
		{2 * time.Hour, "2h"}, {48*time.Hour - 1, "47h"}, {2 * day, "2d"}, {2*day + 23*time.Hour, "2d"}, {400 * day, "400d"},
	} {
		require.Equal(t, c.want, age(c.passed), "age of %s", c.passed)
	}
}

func TestInstantIsInUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 30, 0, 999, time.FixedZone("", 3600))
	require.Equal(t, "2026-02-28T23:30:00Z", instant(at))
}
