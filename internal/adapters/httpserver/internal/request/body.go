package request

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
)

// maxBodyBytes bounds the size of a body.
const maxBodyBytes = 1 << 20

// Body is a decoded body.
type Body[T any] struct {
	Value T
	// Members names the members of the JSON object that the client has sent.
	Members map[string]bool
	// Raw is the body as it was sent.
	Raw []byte
}

// bodyField is a Body[T] of any T, and bodyTarget a pointer to one.
type (
	bodyField interface{ valueType() reflect.Type }

	bodyTarget interface {
		decode(body []byte, isRequired bool) *api.Problem
	}
)

func (b Body[T]) valueType() reflect.Type { return reflect.TypeFor[T]() }

func (b *Body[T]) decode(body []byte, isRequired bool) *api.Problem {
	b.Raw = body
	text := body
	if !isRequired && len(strings.TrimSpace(string(body))) == 0 {
		text = []byte("{}")
	}
	var p *api.Problem
	b.Members, p = decodeObject(text, &b.Value)
	return p
}

// ReadBody reads the body of a request that is forwarded, within the limits of size and time.
func ReadBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) ([]byte, *api.Problem) {
	return readBody(w, r, timeout)
}

// readBody reads the request's body within its limits of size and time.
func readBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) ([]byte, *api.Problem) {
	if p := checkContentType(r.Header); p != nil {
		return nil, p
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(timeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		// The rest of the body is not read, so the connection cannot be used any more.
		w.Header().Set("Connection", "close")
		return nil, bodyProblem(err)
	}
	// From here on net/http reads the connection only to detect that the client disconnects,
	// without a time limit.
	_ = control.SetReadDeadline(time.Time{})
	return body, nil
}

func bodyProblem(err error) *api.Problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problem.New(api.CodePayloadTooLarge, "the body may have at most 1 MiB")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.New(api.CodeRequestTimeout, "the body took too long to arrive")
	}
	return problem.BadRequest("body", "could not be read completely")
}

// checkContentType allows JSON, no media type, which plain scripts send, and the one that
// curl -d sends by default. It does not protect from web pages: the server checks the
// origin for that.
func checkContentType(header http.Header) *api.Problem {
	for _, encoding := range header.Values("Content-Encoding") {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return problem.New(api.CodeUnsupportedMediaType, "Content-Encoding "+Clip(encoding)+" is not supported; send the body without an encoding")
		}
	}
	for _, given := range header.Values("Content-Type") {
		if given == "" {
			continue
		}
		media, _, err := mime.ParseMediaType(given)
		if err != nil || media != "application/json" && media != "application/x-www-form-urlencoded" {
			return problem.New(api.CodeUnsupportedMediaType, "Content-Type "+Clip(given)+" is not supported; send application/json")
		}
	}
	return nil
}
