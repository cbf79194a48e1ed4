package auditlog

import (
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"galaxy/rtmanager/internal/domain/audit"
)

// encode returns the event as one line of JSON. Every character that a terminal does not
// print is escaped, so a text of a client can neither start a line nor control a terminal.
func encode(event audit.Event) []byte {
	document, err := json.Marshal(event.Clipped())
	if err != nil { // a time beyond the year 9999
		event.Time = event.Time.UTC().AddDate(-event.Time.Year(), 0, 0)
		document, _ = json.Marshal(event.Clipped())
	}
	return append(escapeUnprintable(document), '\n')
}

// escapeUnprintable escapes the characters of a JSON document that json.Marshal leaves and
// that are not printable. They occur in strings only.
func escapeUnprintable(document []byte) []byte {
	escaped := make([]byte, 0, len(document)+1)
	for len(document) > 0 {
		char, size := utf8.DecodeRune(document)
		switch {
		case char < utf8.RuneSelf && char != 0x7f || unicode.IsPrint(char):
			escaped = append(escaped, document[:size]...)
		case char > 0xffff:
			high, low := utf16.EncodeRune(char)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, char)
		}
		document = document[size:]
	}
	return escaped
}
