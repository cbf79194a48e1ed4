package audit

import (
	"strings"
	"unicode/utf8"
)

// The longest texts of an event, in bytes.
const (
	MaxTextBytes   = 256
	MaxReasonBytes = 1024
	MaxGroups      = 32
)

// Clipped returns the event with texts of bounded length and valid UTF-8, so that a client
// cannot make it large.
func (e Event) Clipped() Event {
	for _, text := range []*string{
		&e.RequestID, &e.Node, &e.Actor, &e.AuthMethod, &e.RemoteAddr, &e.Via, &e.UserAgent, &e.Action,
		&e.HTTPMethod, &e.GameID, &e.Target, &e.Region, &e.Code, &e.OperationID,
	} {
		*text = clip(*text, MaxTextBytes)
	}
	e.Reason, e.Detail = clip(e.Reason, MaxReasonBytes), clip(e.Detail, MaxReasonBytes)
	if len(e.Groups) > MaxGroups {
		e.Groups = e.Groups[:MaxGroups]
	}
	groups := make([]string, 0, len(e.Groups))
	for _, group := range e.Groups {
		groups = append(groups, clip(group, MaxTextBytes))
	}
	e.Groups = groups
	return e
}

// clip shortens the text to a number of bytes, and marks that by an ellipsis.
func clip(text string, limit int) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
