// Package compress compresses large JSON responses with gzip for clients that accept it.
//
// It uses gzhttp of klauspost/compress: the Go standard library has no handler that negotiates an
// encoding, and the Prometheus client links that module already. It must not wrap streams, which would
// wait in its buffer, or responses whose ETag clients use as a precondition.
package compress

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"
)

// MinBytes is the size of the smallest response that is compressed: a smaller one fits into one packet
// in any case.
const MinBytes = 1400

// etagSuffix distinguishes the ETag of a compressed response: a strong ETag is that of the bytes.
const etagSuffix = "-gzip"

// Handler returns a handler that compresses the response of next. Its responses vary by
// Accept-Encoding, and the ETag of a compressed response has a suffix of its own.
func Handler(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(MinBytes), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false), gzhttp.SuffixETag(etagSuffix),
		gzhttp.ContentTypeFilter(func(contentType string) bool { return strings.Contains(contentType, "json") }),
	)
	if err != nil {
		panic("compress: " + err.Error()) // the options are constant
	}
	return wrap(next)
}

// IsAccepted reports whether Handler compresses a large response to the request, for a handler that has
// a compressed response already: it sets Content-Encoding itself.
func IsAccepted(r *http.Request) bool {
	if r.Method == http.MethodHead {
		return false
	}
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return isPositive(parameters)
		}
	}
	return false
}

// isPositive reports whether the parameters of a coding have no quality, or one above 0.
func isPositive(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "q") {
			quality, err := strconv.ParseFloat(value, 64)
			return err == nil && quality > 0
		}
	}
	return true
}

// PlainETags returns the entity tags of an If-None-Match as if no response had been compressed.
func PlainETags(ifNoneMatch string) string {
	return strings.ReplaceAll(ifNoneMatch, etagSuffix+`"`, `"`)
}
