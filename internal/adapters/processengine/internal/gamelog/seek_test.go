package gamelog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine/internal/gamelog"
)

// allLines returns the lines of a snapshot, with an incomplete one at the end.
func allLines(t *testing.T, r *gamelog.Reader) []gamelog.Line {
	t.Helper()
	lines := readLines(t, r)
	if rest, hasRest := r.Rest(); hasRest {
		lines = append(lines, rest)
	}
	return lines
}

// The lines after SeekTail are the last ones of the whole log, with their times and runs.
func TestSeekTail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 150<<10)
	for name, write := range map[string]func(name string){
		"no log":            func(string) {},
		"one line":          func(name string) { gamelog.Copy(strings.NewReader("one\n"), name, 1<<20) },
		"an incomplete one": func(name string) { gamelog.Copy(strings.NewReader("one\ntwo\nthr"), name, 1<<20) },
		"runs": func(name string) {
			for run := range 5 {
				gamelog.Copy(strings.NewReader(fmt.Sprintf("%d\nincomplete %d", run, run)), name, 1<<20)
			}
		},
		"long lines": func(name string) { gamelog.Copy(strings.NewReader("a\n"+long+"\nb\n"+long+"\nc\n"+long), name, 4<<20) },
		"two files": func(name string) {
			gamelog.Copy(strings.NewReader(strings.Repeat("first\n", 30)+"sta"), name, 1<<20)
			require.NoError(t, os.Rename(name, name+".1"))
			require.NoError(t, os.Rename(name+".times", name+".1.times"))
			gamelog.CopyRest(strings.NewReader("rt\nsecond\n"), name, 1<<20)
			gamelog.Copy(strings.NewReader("third\n"), name, 1<<20)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "log")
			write(file)
			all := allLines(t, snapshotOf(t, file))
			for count := range len(all) + 2 {
				r := snapshotOf(t, file)
				require.NoError(t, r.SeekTail(count))
				for range 2 {
					tail := allLines(t, r)
					require.GreaterOrEqual(t, len(tail), min(count, len(all)))
					if len(tail) > 0 {
						require.Equal(t, all[len(all)-len(tail):], tail)
					}
					require.NoError(t, r.Rewind())
				}
			}
		})
	}
}

// SeekTail skips almost all of a large log, and the reader then follows it.
func TestSeekTailOfALargeLog(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	gamelog.Copy(strings.NewReader(strings.Repeat("y\n", 1<<20)), file, 3<<20) // two files
	require.FileExists(t, file+".1")
	r := snapshotOf(t, file)
	require.NoError(t, r.SeekTail(3))
	require.Len(t, allLines(t, r), 3)
	require.NoError(t, r.Rewind())
	r.Follow()
	gamelog.CopyRest(strings.NewReader("end\n"), file, 3<<20)
	require.Equal(t, []string{"y", "y", "y", "end"}, texts(readLines(t, r)))
}

func snapshotOf(t *testing.T, file string) *gamelog.Reader {
	t.Helper()
	r, err := gamelog.New(file).NewSnapshot()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}
