package peer

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
)

// Forwarded is the request of an operation to be forwarded.
type Forwarded struct {
	Request ports.OperationRequest
	Body    []byte
	Wait    string // the query parameter; empty for none
	// WriteTimeout bounds each write to the client.
	WriteTimeout time.Duration
	// IdleTimeout bounds the time between two writes, and is longer than the heartbeat of
	// every node.
	IdleTimeout time.Duration
}

// ForwardError is the error of a request that got no response from the other node. Nothing
// has been written to the client.
type ForwardError struct {
	Err error // a *node.UnreachableError, or the cause of the request's context
	// MayHaveArrived reports that the other node may have received the request, so that the
	// operation may continue there.
	MayHaveArrived bool
}

// Error returns the reason.
func (e *ForwardError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *ForwardError) Unwrap() error { return e.Err }

// Forward sends the request of an operation to another node, and writes the response to w
// as it arrives. It sends only the parts of r that the API defines. It returns only the
// status, the body and the headers of the response that the API defines. ctx bounds the
// call. If the response ends early, Forward aborts the connection of w, so that the client
// does not treat it as complete. The error is a *ForwardError.
func (c *Client) Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, target node.Node, forwarded Forwarded) error {
	request := forwarded.Request
	query := url.Values{}
	if forwarded.Wait != "" {
		query.Set("wait", forwarded.Wait)
	}
	address, err := addressOf(target, gamePath(request.GameID)+"/"+string(request.Kind), query)
	if err != nil {
		return &ForwardError{Err: err}
	}
	traced, connected := traceConnection(ctx)
	inbound := r.Clone(traced)
	inbound.Body, inbound.ContentLength = io.NopCloser(bytes.NewReader(forwarded.Body)), int64(len(forwarded.Body))
	var failed error
	proxy := &httputil.ReverseProxy{
		Transport: roundTripFunc(func(out *http.Request) (*http.Response, error) {
			// The proxy's own trace forwards informational responses, and then clears the
			// headers that this server has set: replace it.
			return c.roundTripWithoutTrailers(out.WithContext(traced), target)
		}),
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL, p.Out.Host = address, address.Host
			p.Out.Header = c.forwardedHeader(ctx, p.In.Header, request.Origin)
		},
		ModifyResponse: filterResponse,
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			failed = &ForwardError{Err: unreachableError(ctx, target, err), MayHaveArrived: connected.Load()}
		},
	}
	proxy.ServeHTTP(&deadlineWriter{ResponseWriter: w, timeout: forwarded.WriteTimeout, idle: forwarded.IdleTimeout}, inbound)
	return failed
}

// roundTripFunc implements http.RoundTripper by a function.
type roundTripFunc func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// roundTripWithoutTrailers returns a copy of the response without trailers: the transport
// adds them to the original when the body is read.
func (c *Client) roundTripWithoutTrailers(out *http.Request, target node.Node) (*http.Response, error) {
	response, err := c.roundTrip(out, target)
	if err != nil {
		return nil, err
	}
	final := *response
	final.Trailer = nil
	return &final, nil
}

// forwardedHeader returns the headers to send to the other node.
func (c *Client) forwardedHeader(ctx context.Context, inbound http.Header, origin ports.Origin) http.Header {
	header := http.Header{}
	c.setForwarded(ctx, header)
	header.Set("Content-Type", "application/json")
	if accept := inbound.Values("Accept"); len(accept) > 0 {
		header["Accept"] = accept
	}
	for name, text := range map[string]string{
		api.HeaderIdempotencyKey: origin.OperationID, api.HeaderActor: origin.Actor, api.HeaderReason: origin.Reason,
	} {
		if text != "" {
			header.Set(name, api.EncodeHeaderText(text))
		}
	}
	return header
}

// filterResponse returns an error for a response that does not come from the API. It
// removes the headers that the API does not define, and those that this server has set.
func filterResponse(response *http.Response) error {
	isResult := response.StatusCode == http.StatusOK || response.StatusCode == http.StatusAccepted
	isResult = isResult && slices.Contains([]string{"application/json", api.EventStreamMediaType, api.NDJSONMediaType}, mediaTypeOf(response))
	if !isResult && !isProblem(response) {
		return foreignResponseError(response)
	}
	kept := []string{"Content-Type", "Content-Length", "Retry-After", "X-Accel-Buffering", api.HeaderHeartbeat}
	for name := range response.Header {
		if !slices.Contains(kept, name) {
			response.Header.Del(name)
		}
	}
	return nil
}

// deadlineWriter sets a deadline for each write, since a response may take long.
type deadlineWriter struct {
	http.ResponseWriter
	timeout, idle time.Duration
}

// Write implements http.ResponseWriter.
func (d *deadlineWriter) Write(data []byte) (int, error) {
	d.setDeadline(d.timeout)
	return d.ResponseWriter.Write(data)
}

// FlushError is called by http.ResponseController. Over HTTP/2 the deadline of the write also
// ends a response that is idle, so it is extended.
func (d *deadlineWriter) FlushError() error {
	d.setDeadline(d.timeout)
	defer d.setDeadline(d.idle + d.timeout)
	return http.NewResponseController(d.ResponseWriter).Flush()
}

func (d *deadlineWriter) setDeadline(timeout time.Duration) {
	_ = http.NewResponseController(d.ResponseWriter).SetWriteDeadline(time.Now().Add(timeout))
}

// Unwrap returns the inner writer to http.ResponseController.
func (d *deadlineWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }
