package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
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

func plainAll(values []string) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = plain(v)
	}
	return all
}

// cell is plain for a table, where nothing is a dash.
func cell(value string) string {
	if value == "" {
		return "-"
	}
	return plain(value)
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
