package httpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"galaxy/rtmanager/internal/domain/runtime"
)

// maxProblemBytes bounds how much of an error's body is read.
const maxProblemBytes = 1 << 20

// apiRequest is one request of the API.
type apiRequest struct {
	method string
	// path is escaped and relative to the base URL.
	path   string
	query  url.Values
	header http.Header
	body   []byte
}

func gamePath(gameID string, suffix string) string {
	return "/v1/runtimes/" + url.PathEscape(gameID) + suffix
}

// sendError is the error of an attempt without a complete response.
type sendError struct {
	// err is a *url.Error if there was no response at all, for callers that
	// distinguish this case.
	err error
	// mayHaveArrived is false if no connection was made, or the server rejected its
	// handshake, so that the server cannot have received the request.
	mayHaveArrived bool
}

// Error omits the URL, because the callers add the server's address.
func (e *sendError) Error() string {
	if failed, ok := e.err.(failoverError); ok { //nolint:errorlint // its own text names each server
		return failed.Error()
	}
	var urlErr *url.Error
	if errors.As(e.err, &urlErr) {
		return urlErr.Err.Error()
	}
	return e.err.Error()
}

func (e *sendError) Unwrap() error { return e.err }

// unavailableError is the error of a request without a complete response. It matches
// runtime.ErrUnavailable.
type unavailableError struct {
	server string
	err    error
}

func (e *unavailableError) Error() string {
	if failed, ok := errors.AsType[failoverError](e.err); ok {
		return fmt.Sprintf("cannot reach any of %d daemons: %v", len(failed), failed)
	}
	return fmt.Sprintf("cannot reach the daemon at %s: %v", e.server, e.err)
}

func (e *unavailableError) Unwrap() []error { return []error{runtime.ErrUnavailable, e.err} }

// timeoutError returns the error of an attempt that timed out. A timeout of the client or
// of the network is not the caller's deadline. Therefore the error has the text only, and
// does not match context.DeadlineExceeded.
func timeoutError(request apiRequest, text string) error {
	return &url.Error{Op: request.method, URL: request.path, Err: errors.New(text)}
}

// sendTo makes one attempt at a server and returns the response of any status. Its errors are
// those of send.
func (c *Client) sendTo(ctx context.Context, server endpoint, request apiRequest) (*http.Response, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	httpRequest, err := c.newHTTPRequest(ctx, server.base, request)
	if err != nil {
		return nil, &sendError{err: err}
	}
	if err := c.authorize(ctx, httpRequest); err != nil {
		return nil, err
	}
	response, err := server.http.Do(httpRequest)
	var urlErr *url.Error
	if errors.As(err, &urlErr) && (urlErr.Timeout() || ctx.Err() != nil) {
		err = timeoutError(request, urlErr.Err.Error())
	}
	if err != nil {
		return nil, &sendError{err: err, mayHaveArrived: connected.Load() && !isCertificateAlert(err)}
	}
	return response, nil
}

// isCertificateAlert reports whether the server rejected the certificate of this client. A
// client of TLS 1.3 has sent its request by then, and the server drops it: alerts about
// certificates belong to the handshake only.
func isCertificateAlert(err error) bool {
	var opErr *net.OpError // of crypto/tls, whose alerts have no exported type
	return errors.As(err, &opErr) && opErr.Op == "remote error" && strings.Contains(opErr.Err.Error(), "certificate")
}

func (c *Client) newHTTPRequest(ctx context.Context, base *url.URL, request apiRequest) (*http.Request, error) {
	target := strings.TrimSuffix(base.String(), "/") + request.path
	if len(request.query) > 0 {
		target += "?" + request.query.Encode()
	}
	httpRequest, err := http.NewRequestWithContext(ctx, request.method, target, bytes.NewReader(request.body))
	if err != nil {
		return nil, err
	}
	for name, values := range request.header {
		httpRequest.Header[name] = values
	}
	httpRequest.Header.Set("User-Agent", "rtmanager/"+c.cfg.Version)
	if request.body != nil {
		// With GetBody, net/http would resend a write by itself if a kept-alive
		// connection breaks, and hide that the first attempt may have arrived.
		httpRequest.GetBody = nil
		httpRequest.Header.Set("Content-Type", "application/json")
	}
	return httpRequest, nil
}

// roundTrip makes one attempt and decodes the response into target. If target is nil, the
// expected response is 204, otherwise 200, 201 or 202. It returns the error of decodeError for any other.
func (c *Client) roundTrip(ctx context.Context, request apiRequest, target any) (http.Header, error) {
	response, err := c.send(ctx, request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if target == nil && response.StatusCode == http.StatusNoContent {
		return response.Header, nil
	}
	isResult := response.StatusCode == http.StatusOK || response.StatusCode == http.StatusCreated || response.StatusCode == http.StatusAccepted
	if target == nil || !isResult {
		return response.Header, decodeError(response)
	}
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media != "application/json" {
		return nil, nonAPIResponseError(response)
	}
	if err := json.NewDecoder(response.Body).Decode(target); err != nil {
		return nil, &sendError{err: fmt.Errorf("read the response: %w", err), mayHaveArrived: true}
	}
	// Read the rest of the body, so that the connection can be reused.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxProblemBytes))
	return response.Header, nil
}

// attempt sends the request once and decodes the response, within Config.RequestTimeout.
func (c *Client) attempt(ctx context.Context, request apiRequest, target any) (http.Header, error) {
	attemptCtx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	header, err := c.roundTrip(attemptCtx, request, target)
	var sendErr *sendError
	if errors.As(err, &sendErr) && attemptCtx.Err() != nil {
		sendErr.err = timeoutError(request, "no response in time")
	}
	return header, err
}

// get sends a read request once.
func (c *Client) get(ctx context.Context, request apiRequest, target any) (http.Header, error) {
	request.method = http.MethodGet
	header, err := c.attempt(ctx, request, target)
	return header, c.unavailableError(ctx, err)
}

// unavailableError converts a *sendError to the error of ctx if ctx has ended, and otherwise
// to runtime.ErrUnavailable with the server's address. It returns other errors unchanged.
func (c *Client) unavailableError(ctx context.Context, err error) error {
	var sendErr *sendError
	switch {
	case !errors.As(err, &sendErr):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &unavailableError{server: c.server(), err: sendErr}
}
