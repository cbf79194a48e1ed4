package render_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/render"
)

func write(t *testing.T, table *render.Table, headers bool, color func(string) string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, table.Write(&out, headers, color))
	return out.String()
}

var colorEscape = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestTableColumnsAreAligned(t *testing.T) {
	t.Parallel()
	rows := &render.Table{Header: []string{"GAME", "STATUS", "AGE"}}
	rows.Add("żółw", "running", "3s")
	rows.Add("日本", "removed", "12m")
	rows.Add("e\u0301a", "x", "1d") // a combining accent takes no column
	rows.Add("🚀", "-", "-")
	require.Equal(t, ""+
		"GAME  STATUS   AGE\n"+
		"żółw  running  3s\n"+
		"日本  removed  12m\n"+
		"e\u0301a    x        1d\n"+
		"🚀    -        -\n", write(t, rows, true, nil))
}

func TestTableWithoutHeaderIsAsWideAsItsCells(t *testing.T) {
	t.Parallel()
	rows := &render.Table{Header: []string{"A-LONG-HEADER", "B"}}
	rows.Add("a", "b")
	rows.Add("ccc", "d")
	require.Equal(t, "a    b\nccc  d\n", write(t, rows, false, nil))
	require.Equal(t, "A-LONG-HEADER  B\n", write(t, &render.Table{Header: rows.Header}, true, nil), "a table without rows")
	require.Empty(t, write(t, &render.Table{Header: rows.Header}, false, nil))
}

func TestColorsHaveNoWidth(t *testing.T) {
	t.Parallel()
	rows := &render.Table{Header: []string{"STATUS", "CHANGE", "AGE"}}
	rows.Add("running", "- → running", "3s")
	rows.Add("stopped", "running → stopped", "3s")
	rows.Add("removed", "stopped → removed", "3s")
	rows.Add("unknown", "removed → unknown", "3s")
	with := write(t, rows, true, render.ColorStatus)
	require.Equal(t, write(t, rows, true, nil), colorEscape.ReplaceAllString(with, ""))
	require.Contains(t, with, "\x1b[32mrunning\x1b[0m")
	require.Contains(t, with, "running → \x1b[33mstopped\x1b[0m")
	require.NotContains(t, with, "mrunning\x1b[0m →", "only the new status is colored")
	require.Equal(t, strings.Count(with, "\x1b[0m")*2, len(colorEscape.FindAllString(with, -1)), "each color ends:\n%q", with)
}

func TestSentencesAreNotColored(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "  ", "it is running", "not running", "Running", "running.", "runningstopped", `"running"`} {
		require.Equal(t, text, render.ColorStatus(text))
	}
}
