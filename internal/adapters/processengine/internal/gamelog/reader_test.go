package gamelog_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine/internal/gamelog"
)

// readLines returns the complete lines that the reader has at present.
func readLines(t *testing.T, r *gamelog.Reader) (lines []gamelog.Line) {
	t.Helper()
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		require.NoError(t, err)
		lines = append(lines, line)
	}
}

func openReader(t *testing.T, name string) *gamelog.Reader {
	t.Helper()
	r, err := gamelog.New(name).NewReader()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func texts(lines []gamelog.Line) []string {
	found := []string{}
	for _, line := range lines {
		found = append(found, line.Text)
	}
	return found
}

func TestReader(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	r := openReader(t, name)
	require.Empty(t, readLines(t, r), "there is no file")
	before := time.Now().Add(-time.Second)
	gamelog.Copy(strings.NewReader("one\r\ntw"), name, 1000)
	lines := readLines(t, r)
	require.Equal(t, []string{"one"}, texts(lines))
	require.Equal(t, 1, lines[0].Run)
	require.WithinRange(t, lines[0].Time, before, time.Now())

	gamelog.CopyRest(strings.NewReader("o\nthr"), name, 1000)
	require.Equal(t, []string{"two"}, texts(readLines(t, r)))
	gamelog.Copy(strings.NewReader("four\n\xff\n"), name, 1000)
	lines = readLines(t, r)
	require.Equal(t, []string{"thr", "four", "?"}, texts(lines), "a run starts on a new line")
	require.Equal(t, []int{1, 2, 2}, []int{lines[0].Run, lines[1].Run, lines[2].Run})
	require.Equal(t, 2, r.Run())
	gamelog.Copy(strings.NewReader(""), name, 1000)
	require.Empty(t, readLines(t, r))
	require.Equal(t, 3, r.Run())

	_, hasRest := r.Rest()
	require.False(t, hasRest)
	gamelog.CopyRest(strings.NewReader("end"), name, 1000)
	require.Empty(t, readLines(t, r))
	rest, hasRest := r.Rest()
	require.True(t, hasRest)
	require.Equal(t, "end", rest.Text)
}

func TestReaderSplitsLongLines(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	gamelog.Copy(strings.NewReader(strings.Repeat("x", 150<<10)+"\nend\n"), name, 1<<20)
	lines := readLines(t, openReader(t, name))
	require.Len(t, lines, 4)
	require.Equal(t, []int{64 << 10, 64 << 10, 22 << 10, 3}, []int{len(lines[0].Text), len(lines[1].Text), len(lines[2].Text), len(lines[3].Text)})
}

// A log of an earlier version has no times.
func TestReaderOfALogWithoutTimes(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(name+".1", []byte("one\ntw"), 0o600))
	require.NoError(t, os.WriteFile(name, []byte("o\nthree\n"), 0o600))
	r := openReader(t, name)
	require.Equal(t, []gamelog.Line{{Text: "one"}, {Text: "two"}, {Text: "three"}}, readLines(t, r))
	require.Zero(t, r.Run())
	require.NoError(t, gamelog.New(name).Shorten(4))
	require.NoError(t, os.WriteFile(name, []byte("4\n"), 0o600))
	require.Equal(t, []string{"4"}, texts(readLines(t, r)), "the file was truncated")
}

// Entries that a full disk has cut do not stop a reader.
func TestReaderOfInvalidTimes(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(name, []byte("one\ntwo\n"), 0o600))
	require.NoError(t, os.WriteFile(name+".times", []byte("\nx y\n0 1000 sta\n0 1000 start\n4 2000\n4"), 0o600))
	lines := readLines(t, openReader(t, name))
	require.Equal(t, []gamelog.Line{{Time: time.UnixMilli(1000).UTC(), Run: 1, Text: "one"}, {Time: time.UnixMilli(2000).UTC(), Run: 1, Text: "two"}}, lines)
}

// A reader that keeps up with the writer reads every line once, in order, across many files.
func TestReaderFollowsRotations(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	input, output := io.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); gamelog.Copy(input, name, 2000) }()
	r := openReader(t, name)
	var want, got []string
	for i := range 500 {
		line := fmt.Sprintf("line %d", i)
		want = append(want, line)
		_, err := io.WriteString(output, line+"\n")
		require.NoError(t, err)
		if i%40 == 0 {
			got = append(got, texts(readLines(t, r))...)
		}
	}
	require.NoError(t, output.Close())
	<-done
	got = append(got, texts(readLines(t, r))...)
	require.Equal(t, want, got)
}

// A slow reader misses what was dropped, and continues with what the log has.
func TestReaderThatIsSlow(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	gamelog.Copy(strings.NewReader("first\n"), name, 2000)
	r := openReader(t, name)
	require.Equal(t, []string{"first"}, texts(readLines(t, r)))
	input, output := io.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); gamelog.CopyRest(input, name, 2000) }()
	for i := range 1000 {
		_, err := fmt.Fprintf(output, "line %d\n", i)
		require.NoError(t, err)
	}
	require.NoError(t, output.Close())
	<-done
	got := texts(readLines(t, r))
	require.Equal(t, "line 999", got[len(got)-1])
	require.Less(t, len(got), 500)
}

// A snapshot has the lines of its time, also those that were dropped since. After Rewind and Follow
// it continues with the later ones.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	gamelog.Copy(strings.NewReader("one\ntwo\nth"), name, 200)
	r, err := gamelog.New(name).NewSnapshot()
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	gamelog.CopyRest(strings.NewReader("ree\n"+strings.Repeat("more\n", 3)), name, 1<<20)
	require.Equal(t, []string{"one", "two"}, texts(readLines(t, r)))
	rest, hasRest := r.Rest()
	require.True(t, hasRest)
	require.Equal(t, "th", rest.Text)
	require.Equal(t, 1, r.Run())

	require.NoError(t, os.Rename(name, name+".1"))
	require.NoError(t, os.Rename(name+".times", name+".1.times"))
	gamelog.Copy(strings.NewReader("last\n"), name, 1<<20)
	require.NoError(t, r.Rewind())
	require.Equal(t, []string{"one", "two"}, texts(readLines(t, r)))
	require.NoError(t, r.Rewind())
	r.Follow()
	require.Equal(t, []string{"one", "two", "three", "more", "more", "more", "last"}, texts(readLines(t, r)))
	require.Equal(t, 2, r.Run())
	gamelog.CopyRest(strings.NewReader("end\n"), name, 1<<20)
	require.Equal(t, []string{"end"}, texts(readLines(t, r)))
}

func TestSnapshotWithoutAFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	r, err := gamelog.New(name).NewSnapshot()
	require.NoError(t, err)
	require.Empty(t, readLines(t, r))
	gamelog.Copy(strings.NewReader("one\n"), name, 1000)
	require.Empty(t, readLines(t, r))
	r.Follow()
	require.Equal(t, []string{"one"}, texts(readLines(t, r)))
	require.NoError(t, r.Close())
}
