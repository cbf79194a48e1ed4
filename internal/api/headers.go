package api

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// Headers of the API.
const (
	// HeaderStore names the store that a response's revisions belong to.
	HeaderStore = "Rtmanager-Store"
	// HeaderHeartbeat is the longest time between two writes to a stream, in seconds.
	HeaderHeartbeat = "Rtmanager-Heartbeat"
	// HeaderActor and HeaderReason are stored in the ledger.
	HeaderActor  = "Rtmanager-Actor"
	HeaderReason = "Rtmanager-Reason"
	// HeaderAsOf is the revision of a local read.
	HeaderAsOf = "Rtmanager-As-Of"
	// HeaderAge is how many milliseconds ago etcd last confirmed that a local read is current.
	HeaderAge = "Rtmanager-Age"
	// HeaderIdempotencyKey is the operation id of a request.
	HeaderIdempotencyKey = "Idempotency-Key"
	// HeaderForwarded names the node that forwarded a request. A request with this
	// header is not forwarded.
	HeaderForwarded = "Rtmanager-Forwarded"
	// HeaderFederated names the node of another store that forwarded a request. Such a request
	// may be forwarded to a node of this store, and is never forwarded to a third store.
	HeaderFederated = "Rtmanager-Federated"
	// HeaderRequestID identifies a request in the response, in logs and in the audit log. A
	// client may send a value of its own (IsRequestID); otherwise the server generates one.
	HeaderRequestID = "X-Request-Id"
	// HeaderForwardedIdentity is the identity of the caller whose request is forwarded. Only a
	// daemon that proves its own identity may send it.
	HeaderForwardedIdentity = "Rtmanager-Forwarded-Identity"
)

// extCharset is the start of a header value in the extended notation of RFC 8187, which can
// contain any text. The value has three parts, separated by apostrophes: the character set,
// an optional language, and the percent-encoded text.
const extCharset = "UTF-8'"

// EncodeHeaderText returns text as a header value: unchanged if it is printable ASCII,
// otherwise percent-encoded in the notation of RFC 8187.
func EncodeHeaderText(text string) string {
	_, isExtended := extendedText(text)
	isPlain := strings.TrimSpace(text) == text && !isExtended
	for i := 0; isPlain && i < len(text); i++ {
		isPlain = text[i] >= ' ' && text[i] < 0x7f
	}
	if isPlain {
		return text
	}
	return extCharset + "'" + url.PathEscape(text)
}

// DecodeHeaderText is the inverse of EncodeHeaderText. It ignores a language. It returns
// false for a value that is not UTF-8 or has an invalid escape.
func DecodeHeaderText(value string) (string, bool) {
	if escaped, isExtended := extendedText(value); isExtended {
		text, err := url.PathUnescape(escaped)
		return text, err == nil && utf8.ValidString(text)
	}
	return value, utf8.ValidString(value)
}

// extendedText returns the percent-encoded text of a value in the extended notation, and
// false for any other value.
func extendedText(value string) (string, bool) {
	if len(value) < len(extCharset) || !strings.EqualFold(value[:len(extCharset)], extCharset) {
		return "", false
	}
	language, escaped, hasEnd := strings.Cut(value[len(extCharset):], "'")
	isTag := strings.Trim(strings.ToLower(language), "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	return escaped, hasEnd && isTag
}
