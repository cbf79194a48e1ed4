// Package compress compresses large JSON responses with gzip for clients that accept it.
//
// It uses gzhttp of klauspost/compress: the Go standard library has no handler that negotiates an
// encoding, and the Prometheus client links that module already. It must not wrap streams, which would
// wait in its buffer, or responses whose ETag clients use as a precondition.
package compress

import (
	"compress/gzip"
	"net/http"
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

// PlainETags returns the entity tags of an If-None-Match as if no response had been compressed.
func PlainETags(ifNoneMatch string) string {
	return strings.ReplaceAll(ifNoneMatch, etagSuffix+`"`, `"`)
}
