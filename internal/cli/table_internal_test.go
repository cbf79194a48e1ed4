package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func written(t *testing.T, table *table, headers bool, paint func(string) string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, table.write(&out, headers, paint))
	return out.String()
}

var coloured = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestTableColumnsLineUp(t *testing.T) {
	t.Parallel()
	words := &table{header: []string{"GAME", "STATUS", "AGE"}}
	words.add("żółw", "running", "3s")
	words.add("日本", "removed", "12m")
	words.add("e\u0301a", "x", "1d") // an accent of its own takes no column
	words.add("🚀", "-", "-")
	require.Equal(t, ""+
		"GAME  STATUS   AGE\n"+
		"żółw  running  3s\n"+
		"日本  removed  12m\n"+
		"e\u0301a    x        1d\n"+
		"🚀    -        -\n", written(t, words, true, nil))
}

func TestTableWithoutHeadersIsAsWideAsItsCells(t *testing.T) {
	t.Parallel()
	words := &table{header: []string{"A-LONG-HEADER", "B"}}
	words.add("a", "b")
	words.add("ccc", "d")
	require.Equal(t, "a    b\nccc  d\n", written(t, words, false, nil))
	require.Equal(t, "A-LONG-HEADER  B\n", written(t, &table{header: words.header}, true, nil), "a table without rows")
	require.Empty(t, written(t, &table{header: words.header}, false, nil))
}

func TestColoursTakeNoWidth(t *testing.T) {
	t.Parallel()
	words := &table{header: []string{"STATUS", "CHANGE", "AGE"}}
	words.add("running", "- → running", "3s")
	words.add("stopped", "running → stopped", "3s")
	words.add("removed", "stopped → removed", "3s")
	words.add("unheard", "removed → unheard", "3s")
	with := written(t, words, true, paintStatus)
	require.Equal(t, written(t, words, true, nil), coloured.ReplaceAllString(with, ""))
	require.Contains(t, with, "\x1b[32mrunning\x1b[0m")
	require.Contains(t, with, "running → \x1b[33mstopped\x1b[0m")
	require.NotContains(t, with, "mrunning\x1b[0m →", "only what it became is coloured")
	require.Equal(t, strings.Count(with, "\x1b[0m")*2, len(coloured.FindAllString(with, -1)), "each colour ends:\n%q", with)
}

func TestSentencesAreNotColoured(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "  ", "it is running", "not running", "Running", "running.", "runningstopped", `"running"`} {
		require.Equal(t, text, paintStatus(text))
	}
}

// A record that says as little as it may leaves no blanks at the end of a line.
func TestNoTrailingBlanks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, record := range []runtime.RuntimeRecord{
		{},
		{GameID: "a ", Node: " ", Region: "\n", StatePath: "x ", Status: "running ", CreatedAt: at},
		{GameID: strings.Repeat("g", 256), CurrentContainerID: strings.Repeat("c", 64), CurrentImageRef: strings.Repeat("i", 64)},
	} {
		for _, form := range []string{"", outputTable, outputWide} {
			for _, terminal := range []bool{false, true} {
				a := &app{streams: Streams{Now: func() time.Time { return at }}, globals: globals{output: form, terminal: terminal}}
				found := runtime.VersionedRecord{Record: record, Revision: 7}
				for _, shown := range []*table{a.recordTable([]runtime.VersionedRecord{found}), a.describe(found)} {
					text := written(t, shown, true, nil)
					for line := range strings.Lines(strings.TrimLeft(text, " \n")) { // describe has no header
						require.Equal(t, strings.TrimRight(line, " \t\n")+"\n", line, "form %q of %+v:\n%s", form, record, text)
					}
				}
			}
		}
	}
}

func TestEveryRowHasACellForEachColumn(t *testing.T) {
	t.Parallel()
	for _, form := range []string{outputTable, outputWide} {
		a := &app{streams: Streams{Now: time.Now}, globals: globals{output: form}}
		shown := a.recordTable(make([]runtime.VersionedRecord, 2))
		require.Len(t, shown.rows, 2)
		for _, row := range shown.rows {
			require.Len(t, row, len(shown.header), "form %s", form)
			require.NotContains(t, row, "", "form %s: nothing is a dash, not a gap", form)
		}
	}
}
