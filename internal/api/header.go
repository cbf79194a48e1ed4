package api

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// Header names of the API's own.
const (
	HeaderStore          = "Rtmanager-Store"
	HeaderHeartbeat      = "Rtmanager-Heartbeat"
	HeaderActor          = "Rtmanager-Actor"
	HeaderReason         = "Rtmanager-Reason"
	HeaderAsOf           = "Rtmanager-As-Of"
	HeaderIdempotencyKey = "Idempotency-Key"
	// HeaderForwarded names the node that passed a request on. One that carries it
	// is not passed on again.
	HeaderForwarded = "Rtmanager-Forwarded"
)

// extCharset opens a header value in the extended notation of RFC 8187, which
// carries text that a plain header cannot: the character set, an optional
// language and the percent-encoded text, with an apostrophe after each of the
// first two.
const extCharset = "UTF-8'"

// EncodeHeaderText returns text as a header value: printable ASCII as it is,
// all else percent-encoded in the notation of RFC 8187.
func EncodeHeaderText(text string) string {
	_, extended := extText(text)
	plain := strings.TrimSpace(text) == text && !extended
	for i := 0; plain && i < len(text); i++ {
		plain = text[i] >= ' ' && text[i] < 0x7f
	}
	if plain {
		return text
	}
	return extCharset + "'" + url.PathEscape(text)
}

// DecodeHeaderText is the inverse of EncodeHeaderText; a language is passed
// over. It returns false for a value that is not UTF-8 or whose escapes are
// broken.
func DecodeHeaderText(value string) (string, bool) {
	if escaped, extended := extText(value); extended {
		text, err := url.PathUnescape(escaped)
		return text, err == nil && utf8.ValidString(text)
	}
	return value, utf8.ValidString(value)
}

// extText returns the percent-encoded text of a value in the extended notation.
func extText(value string) (string, bool) {
	if len(value) < len(extCharset) || !strings.EqualFold(value[:len(extCharset)], extCharset) {
		return "", false
	}
	language, escaped, closed := strings.Cut(value[len(extCharset):], "'")
	isTag := strings.Trim(strings.ToLower(language), "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	return escaped, closed && isTag
}
