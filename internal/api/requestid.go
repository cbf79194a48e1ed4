package api

import "strings"

// maxRequestIDBytes is the maximum length of a request id.
const maxRequestIDBytes = 64

// IsRequestID reports whether a client may use the text as a request id: 1 to 64 ASCII letters,
// digits or characters of "-_.:". Such a text needs no escape in a log, a URL or a shell.
func IsRequestID(text string) bool {
	if text == "" || len(text) > maxRequestIDBytes {
		return false
	}
	isForeign := func(char rune) bool {
		return (char < 'a' || char > 'z') && (char < 'A' || char > 'Z') && (char < '0' || char > '9') && !strings.ContainsRune("-_.:", char)
	}
	return !strings.ContainsFunc(text, isForeign)
}
