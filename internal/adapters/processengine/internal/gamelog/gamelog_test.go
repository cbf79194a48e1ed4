package gamelog_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine/internal/gamelog"
)

func TestTail(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	log := gamelog.New(name)
	lines, err := log.Tail(5)
	require.NoError(t, err)
	require.Equal(t, []string{}, lines, "there is no file")

	x, y := strings.Repeat("x", 1000)+"\n", strings.Repeat("y", 70<<10)
	for _, test := range []struct {
		earlier, current string
		lines            int
		want             []string
	}{
		{current: "", lines: 5, want: []string{}},
		{current: "\n", lines: 5, want: []string{}},
		{current: "one\ntwo", lines: 5, want: []string{"one", "two"}},
		{current: "one\ntwo\n", lines: 1, want: []string{"two"}},
		{current: "one\ntwo\n", lines: 0, want: []string{}},
		{current: "one\r\n\r\n", lines: 5, want: []string{"one", ""}},
		{current: "a\xffb\n", lines: 5, want: []string{"a?b"}},
		{earlier: "one\ntw", current: "o\nthree\n", lines: 5, want: []string{"one", "two", "three"}},
		{earlier: y + "\n", current: "one\n", lines: 2, want: []string{"one"}},
		{current: y, lines: 2, want: []string{y[:64<<10]}},
		{current: strings.Repeat(x, 65) + strings.Repeat("z", 536) + "\n", lines: 1000, want: append(strings.Split(strings.Repeat(x, 64), "\n")[:64], strings.Repeat("z", 536))},
	} {
		require.NoError(t, os.WriteFile(name+".1", []byte(test.earlier), 0o600))
		require.NoError(t, os.WriteFile(name, []byte(test.current), 0o600))
		got, err := log.Tail(test.lines)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	log := gamelog.New(name)
	require.NoError(t, log.Shorten(20), "there is no file")
	f, err := log.OpenForAppend()
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString("0123456789")
	require.NoError(t, err)
	require.NoError(t, log.Shorten(20))
	require.NoFileExists(t, name+".1")
	_, err = f.WriteString("\nnext\n")
	require.NoError(t, err)
	require.NoError(t, log.Shorten(20))
	_, err = f.WriteString("last\n")
	require.NoError(t, err)

	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "last\n", string(content), "the open file continues to append")
	lines, err := log.Tail(10)
	require.NoError(t, err)
	require.Equal(t, []string{"0123456789", "next", "last"}, lines)
}

func TestCopyBoundsTheLog(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	gamelog.Copy(strings.NewReader("one\n"), name, 1000)
	gamelog.Copy(strings.NewReader("two\n"), name, 1000)
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "one\ntwo\n", string(content), "it appends")

	gamelog.Copy(iotest.OneByteReader(strings.NewReader(strings.Repeat("0123456789", 1000)+"end")), name, 1000)
	current, err := os.Stat(name)
	require.NoError(t, err)
	earlier, err := os.Stat(name + ".1")
	require.NoError(t, err)
	times, err := os.Stat(name + ".1.times")
	require.NoError(t, err)
	require.EqualValues(t, 500, earlier.Size()+times.Size())
	require.LessOrEqual(t, current.Size(), int64(500))
	lines, err := gamelog.New(name).Tail(1)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(lines[0], "789end"))
}

// Output that cannot be written is lost, and later output is written.
func TestCopyContinuesAfterAnError(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.Mkdir(name, 0o700))
	reader, writer := io.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); gamelog.Copy(reader, name, 1000) }()
	_, err := io.WriteString(writer, "lost")
	require.NoError(t, err)
	_, err = io.WriteString(writer, "lost")
	require.NoError(t, err)
	require.NoError(t, os.Remove(name))
	_, err = io.WriteString(writer, "kept")
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	<-done
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(content), "kept"))
}
