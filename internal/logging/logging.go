// Package logging creates the logger of a process and adapts it for etcd.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// The formats of log lines.
const (
	FormatAuto = "auto" // text for a terminal, JSON for everything else
	FormatText = "text"
	FormatJSON = "json"
)

// Formats returns the formats that New accepts.
func Formats() []string { return []string{FormatAuto, FormatText, FormatJSON} }

// New returns a logger that writes lines of at least the given level to w, in FormatAuto,
// FormatText or FormatJSON. Any other format is an error.
func New(w io.Writer, level slog.Leveler, format string) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: level}
	if format == FormatAuto {
		format = FormatJSON
		if isTerminal(w) {
			format = FormatText
		}
	}
	switch format {
	case FormatText:
		return slog.New(slog.NewTextHandler(w, options)), nil
	case FormatJSON:
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("log format %q is unknown; use %s, %s or %s", format, FormatAuto, FormatText, FormatJSON)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
