package daemonhttp

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// Request is a request to be forwarded to another daemon.
type Request struct {
	URL    *url.URL
	Header http.Header
	Body   []byte
	// RoundTrip sends the request.
	RoundTrip func(*http.Request) (*http.Response, error)
	// Filter removes headers from the response, or returns an error for a response that does not
	// come from the API.
	Filter func(*http.Response) error
	// WriteTimeout bounds each write to the client.
	WriteTimeout time.Duration
	// IdleTimeout bounds the time between two writes, and is longer than the heartbeat of every
	// daemon.
	IdleTimeout time.Duration
	// Log receives debug lines.
	Log *slog.Logger
}

// Forward sends the request with the method of r, and writes the response to w as it arrives. ctx
// bounds the call. If the response ends early, Forward aborts the connection of w, so that the
// client does not treat it as complete.
//
// The error is that of RoundTrip or Filter. Nothing has been written to w then. hasConnected reports
// that the other daemon may have received the request.
func Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, request Request) (hasConnected bool, err error) {
	traced, connected := TraceConnection(ctx)
	inbound := r.Clone(traced)
	inbound.Body, inbound.ContentLength = io.NopCloser(bytes.NewReader(request.Body)), int64(len(request.Body))
	proxy := &httputil.ReverseProxy{
		Transport: roundTripFunc(func(out *http.Request) (*http.Response, error) {
			// The proxy's own trace forwards informational responses, and then clears the headers
			// that this server has set: replace it.
			return withoutTrailers(request.RoundTrip(out.WithContext(traced)))
		}),
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(request.Log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL, p.Out.Host = request.URL, request.URL.Host
			p.Out.Header = request.Header
		},
		ModifyResponse: request.Filter,
		ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, failure error) { err = failure },
	}
	proxy.ServeHTTP(&deadlineWriter{ResponseWriter: w, timeout: request.WriteTimeout, idle: request.IdleTimeout}, inbound)
	return connected.Load(), err
}

// TraceConnection returns a context for a request, and a flag that is set when the request gets a
// connection. From then on the other daemon may have received the request.
func TraceConnection(ctx context.Context) (context.Context, *atomic.Bool) {
	connected := &atomic.Bool{}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}), connected
}

// roundTripFunc implements http.RoundTripper by a function.
type roundTripFunc func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// withoutTrailers returns a copy of the response without trailers: the transport adds them to the
// original when the body is read.
func withoutTrailers(response *http.Response, err error) (*http.Response, error) {
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

// Hijack implements http.Hijacker for an upgrade. Each write to the client may then take as long as the connection
// may be idle.
func (d *deadlineWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(d.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return deadlineConn{conn, d.idle}, buffer, nil
}

// deadlineConn sets a deadline for each write.
type deadlineConn struct {
	net.Conn
	timeout time.Duration
}

// Write implements net.Conn.
func (c deadlineConn) Write(data []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(c.timeout))
	return c.Conn.Write(data)
}

// Unwrap returns the inner writer to http.ResponseController.
func (d *deadlineWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }
