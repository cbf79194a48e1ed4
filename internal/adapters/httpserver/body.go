package httpserver

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"galaxy/rtmanager/internal/api"
)

// maxBodyBytes is the largest request body.
const maxBodyBytes = 1 << 20

type bodyKey struct{}

// withBody reads the request's body, within its limits of size and time, for
// the handler to find by bodyOf. Huma could read it too, but would decode it by
// laxer rules than decodeBody's.
func (s *Server) withBody(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	if p := checkContentType(r.Header); p != nil {
		writeProblem(w, p)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(s.cfg.BodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		// What is left of the body is not read: the connection is of no more use.
		w.Header().Set("Connection", "close")
		writeProblem(w, bodyProblem(err))
		return
	}
	// From here on the connection is read for the client's leaving only, which
	// has no time limit.
	_ = control.SetReadDeadline(time.Time{})
	next(huma.WithValue(ctx, bodyKey{}, body))
}

// bodyOf returns what withBody has read.
func bodyOf(ctx context.Context) []byte {
	body, _ := ctx.Value(bodyKey{}).([]byte)
	return body
}

func bodyProblem(err error) *api.Problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, api.CodePayloadTooLarge, "Payload too large",
			"the body may have at most 1 MiB")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return newProblem(http.StatusRequestTimeout, api.CodeRequestTimeout, "Request timeout",
			"the body took too long to arrive")
	}
	return badRequest("body", "could not be read to its end")
}

// checkContentType allows JSON, no word at all, which is what a plain request
// from a script says, and the word that curl -d says unasked. It is no guard
// against web pages: that is guard's.
func checkContentType(header http.Header) *api.Problem {
	refuse := func(detail string) *api.Problem {
		return newProblem(http.StatusUnsupportedMediaType, api.CodeUnsupportedMediaType, "Unsupported media type", detail)
	}
	for _, encoding := range header.Values("Content-Encoding") {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return refuse("Content-Encoding " + clip(encoding) + " is not supported; send the body as it is")
		}
	}
	for _, given := range header.Values("Content-Type") {
		if given == "" {
			continue
		}
		media, _, err := mime.ParseMediaType(given)
		if err != nil || media != "application/json" && media != "application/x-www-form-urlencoded" {
			return refuse("Content-Type " + clip(given) + " is not supported; send application/json")
		}
	}
	return nil
}
