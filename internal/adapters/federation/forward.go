package federation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/federation"
)

// forwardedHeaders are the headers of a client that the API defines.
func forwardedHeaders() []string {
	return []string{
		"Accept", "Content-Type", "Content-Encoding", "If-Match", "If-None-Match", "Last-Event-ID",
		api.HeaderIdempotencyKey, api.HeaderActor, api.HeaderReason,
	}
}

// returnedHeaders are the headers of a response that the API defines, without those that this
// daemon sets.
func returnedHeaders() []string {
	return []string{
		"Allow", "Content-Type", "Content-Length", "Etag", "Retry-After", "X-Accel-Buffering",
		api.HeaderHeartbeat, api.HeaderStore, api.HeaderAsOf, api.HeaderAge,
	}
}

// Forward sends a request of the API to a daemon of another store, and writes the response to w as
// it arrives. It sends and returns only what the API defines. If no connection can be made, or a
// read gets no response, it tries the other URLs of the store. ctx bounds the call. If the response ends early, Forward aborts the
// connection of w, so that the client does not treat it as complete.
//
// The error is a *federation.UnusableError, a *federation.UnknownStoreError or the cause of ctx.
// Nothing has been written to w then.
func (c *Client) Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, request federation.Request) error {
	for attempt := 1; ; attempt++ {
		to, err := c.connect(ctx, request.Store)
		if err != nil {
			return err
		}
		err = c.forwardTo(ctx, w, r, request, to)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			to.remote.invalidate(to.url)
		}
		var unusable *federation.UnusableError
		isRepeatable := errors.As(err, &unusable) && (request.IsRead || !unusable.MayHaveArrived)
		if !isRepeatable || attempt > len(to.remote.setting.URLs) || ctx.Err() != nil {
			return err
		}
	}
}

// forwardTo forwards the request to one daemon.
func (c *Client) forwardTo(ctx context.Context, w http.ResponseWriter, r *http.Request, request federation.Request, to connection) error {
	address, err := url.Parse(to.url + request.Path)
	if err != nil {
		return &federation.UnusableError{Store: request.Store, State: federation.StateUnreachable, Reason: "has no valid URL: " + to.url}
	}
	address.RawQuery = request.Query
	traced, connected := traceConnection(ctx)
	inbound := r.Clone(traced)
	inbound.Body, inbound.ContentLength = io.NopCloser(bytes.NewReader(request.Body)), int64(len(request.Body))
	var failed error
	proxy := &httputil.ReverseProxy{
		Transport: roundTripFunc(func(out *http.Request) (*http.Response, error) {
			// The proxy's own trace forwards informational responses, and then clears the headers
			// that this server has set: replace it.
			return c.roundTripWithoutTrailers(out.WithContext(traced), to.url)
		}),
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL, p.Out.Host = address, address.Host
			p.Out.Header = c.headerOf(ctx, p.In.Header, request)
		},
		ModifyResponse: func(response *http.Response) error {
			if err := checkResponse(response, to.storeID); err != nil {
				return err
			}
			w.Header().Del(api.HeaderStore) // the revisions are those of the other store
			for name := range response.Header {
				if !slices.Contains(returnedHeaders(), name) {
					response.Header.Del(name)
				}
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			failed = c.unusableError(ctx, to, request, err, connected.Load())
		},
	}
	proxy.ServeHTTP(&deadlineWriter{ResponseWriter: w, timeout: request.WriteTimeout, idle: request.IdleTimeout}, inbound)
	return failed
}

// headerOf returns the headers to send to the other daemon.
func (c *Client) headerOf(ctx context.Context, inbound http.Header, request federation.Request) http.Header {
	header := http.Header{}
	for _, name := range forwardedHeaders() {
		if values := inbound.Values(name); len(values) > 0 {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	c.setForwarded(ctx, header)
	if request.OperationID != "" {
		header.Set(api.HeaderIdempotencyKey, api.EncodeHeaderText(request.OperationID))
	}
	return header
}

// unusableError returns the error of a request without a response: the cause with which ctx was
// canceled, or a *federation.UnusableError.
func (c *Client) unusableError(ctx context.Context, to connection, request federation.Request, err error, hasConnected bool) error {
	cause := context.Cause(ctx)
	mayHaveArrived := hasConnected && !request.IsRead
	if cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) && !mayHaveArrived {
		return cause
	}
	return &federation.UnusableError{Store: request.Store, State: federation.StateUnreachable, Reason: c.unreachableReason(ctx, to.url, err), MayHaveArrived: mayHaveArrived}
}

// traceConnection returns a context for a request, and a flag that is set when the request gets a
// connection. From then on the other daemon may have received the request.
func traceConnection(ctx context.Context) (context.Context, *atomic.Bool) {
	connected := &atomic.Bool{}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}), connected
}

// roundTripFunc implements http.RoundTripper by a function.
type roundTripFunc func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// roundTripWithoutTrailers returns a copy of the response without trailers: the transport adds
// them to the original when the body is read.
func (c *Client) roundTripWithoutTrailers(out *http.Request, base string) (*http.Response, error) {
	response, err := c.roundTrip(out, base)
	if err != nil {
		return nil, err
	}
	final := *response
	final.Trailer = nil
	return &final, nil
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
