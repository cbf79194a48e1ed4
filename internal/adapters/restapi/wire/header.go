package wire

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
	HeaderIdempotencyKey = "Idempotency-Key"
)

// extValuePrefix opens a header value in the extended notation of RFC 8187,
// which carries text that a plain header cannot.
const extValuePrefix = "UTF-8''"

// EncodeHeaderText returns text as a header value: printable ASCII as it is,
// all else percent-encoded in the notation of RFC 8187.
func EncodeHeaderText(text string) string {
	plain := strings.TrimSpace(text) == text && !hasExtPrefix(text)
	for i := 0; plain && i < len(text); i++ {
		plain = text[i] >= ' ' && text[i] < 0x7f
	}
	if plain {
		return text
	}
	return extValuePrefix + url.PathEscape(text)
}

// DecodeHeaderText is the inverse of EncodeHeaderText. It returns false for a
// value that is not UTF-8 or whose escapes are broken.
func DecodeHeaderText(value string) (string, bool) {
	if hasExtPrefix(value) {
		text, err := url.PathUnescape(value[len(extValuePrefix):])
		return text, err == nil && utf8.ValidString(text)
	}
	return value, utf8.ValidString(value)
}

func hasExtPrefix(value string) bool {
	return len(value) >= len(extValuePrefix) && strings.EqualFold(value[:len(extValuePrefix)], extValuePrefix)
}
