package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// plain returns a value as it is where a reader cannot mistake it, and quoted
// otherwise: with blanks, quotes, or anything that cannot be printed.
func plain(value string) string {
	odd := func(r rune) bool {
		return r == '"' || r == '\\' || r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}
	if value == "" || value == "-" || strings.ContainsFunc(value, odd) {
		return strconv.Quote(value)
	}
	return value
}

// plainAll is plain for the arguments of a command line, as a message names
// them: the start of each is enough.
func plainAll(values []string) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = plain(clip(v, 64))
	}
	return all
}

// shellWord returns a value in a form that a POSIX shell reads as that one
// argument, so that a command that is suggested can be taken as it is, whatever
// an id is made of. What cannot be printed is written as bash, zsh and ksh
// understand it.
func shellWord(value string) string {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_@%+=:,./-", r)
	}
	switch {
	case !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
		return ansiQuoted(value)
	case value == "" || value[0] == '-' || value[0] == '=' || strings.ContainsFunc(value, odd):
		value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	if strings.HasPrefix(value, "'-") {
		return "-- " + value // quotes alone do not keep it from being a flag
	}
	return value
}

func ansiQuoted(value string) string {
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

// cell is plain for a table, where nothing is a dash.
func cell(value string) string {
	if value == "" {
		return "-"
	}
	return plain(value)
}

// columns is how many columns of a terminal the text takes: East Asian letters
// and most emoji take two, and marks that sit on another letter none.
func columns(text string) int {
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

// clip shortens a value to so many characters.
func clip(value string, most int) string {
	runes := []rune(value)
	if len(runes) <= most {
		return value
	}
	return string(runes[:most-1]) + "…"
}

func instant(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }

// age puts a duration in one unit, as people say it; one that is negative, by a
// clock that runs ahead, is 0s.
func age(d time.Duration) string {
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
