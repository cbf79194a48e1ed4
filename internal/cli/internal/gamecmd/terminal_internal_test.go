package gamecmd

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// The output of a game keeps its colors and cannot control the terminal, however it is split.
func TestTerminalWriter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one\n\ttwo\n":                   "one\n\ttwo\n",
		"\x1b[1;31mred\x1b[0m 🎲 é\n":     "\x1b[1;31mred\x1b[0m 🎲 é\n",
		"\x1b[2J\x1b]0;title\x07\a\b\r":  "�[2J�]0;title����",
		"end \x1b[3":                     "end �[3",
		"\x1b" + strings.Repeat("x", 99): "�" + strings.Repeat("x", 99),
	} {
		for _, reader := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			var out bytes.Buffer
			w := &terminalWriter{out: &out}
			_, err := io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{reader})
			require.NoError(t, err)
			w.flush()
			require.Equal(t, want, out.String(), "%q", text)
		}
	}
}

func TestParseTail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"all": -1, "0": 0, "10": 10} {
		got, err := parseTail(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "-1", "x", "1.5", "99999999999"} {
		_, err := parseTail(text)
		require.ErrorContains(t, err, "is not a number of lines; use 0 or more, or all")
	}
}
