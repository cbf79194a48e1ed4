package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Value returns the value unchanged if a reader cannot misread it, and quoted
// otherwise: if it is empty or a dash, or contains blanks, quotes, or characters that
// cannot be printed.
func Value(value string) string {
	needsQuotes := func(r rune) bool {
		return r == '"' || r == '\\' || r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}
	if value == "" || value == "-" || strings.ContainsFunc(value, needsQuotes) {
		return strconv.Quote(value)
	}
	return value
}

// Args returns the arguments of a command line for a message: each shortened and rendered
// by Value.
func Args(args []string) []string {
	rendered := make([]string, len(args))
	for i, arg := range args {
		rendered[i] = Value(Truncate(arg, 64))
	}
	return rendered
}

// Cell is Value for a table cell, in which an empty value is a dash.
func Cell(value string) string {
	if value == "" {
		return "-"
	}
	return Value(value)
}

// SentenceCell is Cell for a sentence such as a reason. It keeps blanks unquoted if the
// sentence is one line that cannot be misread.
func SentenceCell(text string) string {
	if text == "" || text == "-" || strings.TrimSpace(text) != text || strings.Contains(text, "\n") || Printable(text) != text {
		return Cell(text)
	}
	return text
}

// Change returns a change of status; an empty status means that there is no record.
func Change(from, to string) string { return Cell(from) + " → " + Cell(to) }

// ShellWord returns the value in a form that a POSIX shell reads as one argument. With it a
// suggested command with any id can be copied. Characters that cannot
// be printed are escaped in the form of bash, zsh and ksh.
func ShellWord(value string) string {
	needsQuotes := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_@%+=:,./-", r)
	}
	switch {
	case !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
		return quoteANSI(value)
	case value == "" || value[0] == '-' || value[0] == '=' || strings.ContainsFunc(value, needsQuotes):
		value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	if strings.HasPrefix(value, "'-") {
		return "-- " + value // quotes alone do not keep it from being parsed as a flag
	}
	return value
}

func quoteANSI(value string) string {
	var b strings.Builder
	b.WriteString("$'")
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' || c == '\'' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// Printable replaces control characters and other characters that cannot be printed, so
// that text from a server or file cannot control the terminal. It keeps newlines and
// replaces tabs by blanks.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r != '\n' && !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// OneLine is Printable with newlines replaced by blanks.
func OneLine(text string) string { return strings.ReplaceAll(Printable(text), "\n", " ") }

// Count returns the number with the noun, in the plural unless n is 1.
func Count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "ry"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Width returns the number of terminal columns of the text. East Asian wide characters
// and most emoji take two columns, and combining marks take none.
func Width(text string) int {
	n := 0
	for _, r := range text {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// Truncate shortens the value to limit characters, and ends a shortened value with an
// ellipsis.
func Truncate(value string, limit int) string {
	runes := []rune(value)
	if len(runes) <= limit {
		return value
	}
	return string(runes[:limit-1]) + "…"
}

// Time returns the time in RFC 3339, in UTC, with a resolution of one second.
func Time(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }

// Age returns the duration in one unit, such as 90s or 3h. A negative duration, which
// comes from a clock that is ahead, is 0s.
func Age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
