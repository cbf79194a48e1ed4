package httpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"galaxy/rtmanager/internal/domain/runtime"
)

// maxProblemBytes bounds what is read of an error's body.
const maxProblemBytes = 1 << 20

// call is one request of the API.
type call struct {
	method string
	// path is escaped and comes after the base URL.
	path   string
	query  url.Values
	header http.Header
	body   []byte
}

func gamePath(gameID string, more string) string {
	return "/v1/runtimes/" + url.PathEscape(gameID) + more
}

// sendError is a try that got no answer, or none to its end.
type sendError struct {
	// err is a *url.Error where no answer came at all, for callers who tell that apart.
	err error
	// mayHaveArrived is false when no connection was had, so that the server
	// cannot have seen the request.
	mayHaveArrived bool
}

// Error leaves out the URL, which whoever names the server would say again.
func (e *sendError) Error() string {
	var unanswered *url.Error
	if errors.As(e.err, &unanswered) {
		return unanswered.Err.Error()
	}
	return e.err.Error()
}

func (e *sendError) Unwrap() error { return e.err }

// noAnswer is a try that a timeout has ended. A timeout of the client or of the
// network is not the caller's deadline, so it is told in words.
func noAnswer(call call, words string) error {
	return &url.Error{Op: call.method, URL: call.path, Err: errors.New(words)}
}

// send makes one try and returns the answer, whatever its status. Any error is
// a *sendError.
func (c *Client) send(ctx context.Context, call call) (*http.Response, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	target := strings.TrimSuffix(c.base.String(), "/") + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, call.method, target, bytes.NewReader(call.body))
	if err != nil {
		return nil, &sendError{err: err}
	}
	if call.body != nil {
		// Or net/http would send a write again by itself when a kept connection
		// breaks, and hide that the first try may have arrived.
		request.GetBody = nil
	}
	for name, values := range call.header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", "rtmanager/"+c.cfg.Version)
	if call.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	var unanswered *url.Error
	if errors.As(err, &unanswered) && (unanswered.Timeout() || ctx.Err() != nil) {
		err = noAnswer(call, unanswered.Err.Error())
	}
	if err != nil {
		return nil, &sendError{err: err, mayHaveArrived: connected.Load()}
	}
	return response, nil
}

// roundTrip makes one try and decodes the answer into target. An answer other
// than 200 is an error as errorOf gives it.
func (c *Client) roundTrip(ctx context.Context, call call, target any) (http.Header, error) {
	response, err := c.send(ctx, call)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return response.Header, errorOf(response)
	}
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media != "application/json" {
		return nil, strangeAnswer(response)
	}
	if err := json.NewDecoder(response.Body).Decode(target); err != nil {
		return nil, &sendError{err: fmt.Errorf("read the answer: %w", err), mayHaveArrived: true}
	}
	// What is left is the end of the stream; reading it frees the connection.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxProblemBytes))
	return response.Header, nil
}

// try is roundTrip within the time that one try may take.
func (c *Client) try(ctx context.Context, call call, target any) (http.Header, error) {
	tryCtx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	header, err := c.roundTrip(tryCtx, call, target)
	var unsent *sendError
	if errors.As(err, &unsent) && tryCtx.Err() != nil {
		unsent.err = noAnswer(call, "no answer in time")
	}
	return header, err
}

// read is try for calls that change nothing.
func (c *Client) read(ctx context.Context, call call, target any) (http.Header, error) {
	call.method = http.MethodGet
	header, err := c.try(ctx, call, target)
	return header, c.settleRead(ctx, err)
}

// settleRead gives a read without an answer its error: the caller's own when
// it gave up, and else that the server is not to be reached.
func (c *Client) settleRead(ctx context.Context, err error) error {
	var unsent *sendError
	switch {
	case !errors.As(err, &unsent):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("server %s: %w: %w", c.base.Redacted(), runtime.ErrUnavailable, unsent)
}
