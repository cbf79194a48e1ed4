package gamecmd

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"galaxy/rtmanager/internal/cli/internal/render"
)

// terminalWriter writes the output of a game to a terminal, and replaces what could control the
// terminal. Colors and tabs are kept.
type terminalWriter struct {
	out     io.Writer
	partial []byte // an incomplete character or color at the end of the previous write
}

// maxPartialBytes is the longest color that a write can split.
const maxPartialBytes = 32

// color matches the select graphic rendition of ECMA-48.
var color = regexp.MustCompile("\x1b\\[[0-9;]*m")

// splitColor matches the start of a color at the end of a text.
var splitColor = regexp.MustCompile("\x1b(\\[[0-9;]*)?$")

// Write implements io.Writer.
func (w *terminalWriter) Write(data []byte) (int, error) {
	text := slices.Concat(w.partial, data)
	end := len(text)
	if split := splitColor.FindIndex(text); split != nil && end-split[0] <= maxPartialBytes {
		end = split[0]
	} else {
		for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
			if c := text[len(text)-n]; utf8.RuneStart(c) {
				if !utf8.FullRune(text[len(text)-n:]) {
					end = len(text) - n
				}
				break
			}
		}
	}
	w.partial = append([]byte(nil), text[end:]...)
	if _, err := io.WriteString(w.out, printable(string(text[:end]))); err != nil {
		return 0, err
	}
	return len(data), nil
}

// flush writes what is incomplete.
func (w *terminalWriter) flush() {
	_, _ = io.WriteString(w.out, printable(string(w.partial)))
	w.partial = nil
}

// printable is render.Printable that keeps colors and tabs.
func printable(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		next := color.FindStringIndex(text)
		if next == nil {
			next = []int{len(text), len(text)}
		}
		for i, part := range strings.Split(text[:next[0]], "\t") {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(render.Printable(part))
		}
		b.WriteString(text[next[0]:next[1]])
		text = text[next[1]:]
	}
	return b.String()
}
