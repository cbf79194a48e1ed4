package render_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/testkit/hostile"
)

func TestHostileTextIsNeverPrintedUnchanged(t *testing.T) {
	t.Parallel()
	for _, value := range hostile.Texts() {
		for name, show := range map[string]func(string) string{
			"Value": render.Value, "Cell": render.Cell, "SentenceCell": render.SentenceCell, "ShellWord": render.ShellWord,
		} {
			shown := show(value)
			hostile.RequirePrintable(t, shown, value)
			require.NotEqual(t, value, shown, "%s of %q", name, value)
		}
		hostile.RequirePrintable(t, render.Printable(value), value, '\n')
	}
}

func TestValueCannotBeMisread(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"game-1": "game-1", "a/b:c@d": "a/b:c@d", "żółw": "żółw", "日本": "日本", "🚀": "🚀", "'a'": "'a'",
		"": `""`, "-": `"-"`, "a b": `"a b"`, " a": `" a"`, `"a"`: `"\"a\""`, `a\n`: `"a\\n"`,
		"a\nb": `"a\nb"`, "\x1b": `"\x1b"`, "\u202e": `"\u202e"`, "\xff": `"\xff"`, "\ufffd": "\"\ufffd\"", "a\u00a0b": `"a\u00a0b"`,
	} {
		require.Equal(t, want, render.Value(value), "Value of %q", value)
		if value != "" {
			require.Equal(t, want, render.Cell(value), "Cell of %q", value)
		}
	}
	require.Equal(t, "-", render.Cell(""), "an empty cell is a dash")
}

func TestSentenceCellsAreOneLine(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"": "-", "planned maintenance": "planned maintenance", `replied "no"`: `replied "no"`,
		"a\nb": `"a\nb"`, "a\tb": `"a\tb"`, "\x1b[0m": `"\x1b[0m"`, "-": `"-"`, " ": `" "`, "a ": `"a "`,
	} {
		require.Equal(t, want, render.SentenceCell(reason), "reason %q", reason)
	}
}

func TestPrintableKeepsLines(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a\nb c", render.Printable("a\nb c"))
	require.Equal(t, "\ufffd[2J\ufffdx", render.Printable("\x1b[2J\u202ex"))
	require.Equal(t, "日本 🚀", render.Printable("日本 🚀"))
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value string
		limit int
		want  string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"żółw", 4, "żółw"}, {"żółwie", 4, "żół…"}, {"abcd", 1, "…"},
	} {
		require.Equal(t, c.want, render.Truncate(c.value, c.limit), "%q truncated to %d", c.value, c.limit)
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
		require.Equal(t, c.want, render.Age(c.passed), "age of %s", c.passed)
	}
}

func TestTimeIsInUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 30, 0, 999, time.FixedZone("", 3600))
	require.Equal(t, "2026-02-28T23:30:00Z", render.Time(at))
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 ledger entries", 1: "1 ledger entry", 2: "2 ledger entries"} {
		require.Equal(t, want, render.Count(n, "ledger entry"))
	}
	require.Equal(t, "2 index keys", render.Count(2, "index key"))
}
