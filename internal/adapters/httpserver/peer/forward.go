package peer

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/daemonhttp"
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
	hasConnected, err := daemonhttp.Forward(ctx, w, r, daemonhttp.Request{
		URL: address, Header: c.forwardedHeader(ctx, r.Header, request), Body: forwarded.Body,
		RoundTrip:    func(out *http.Request) (*http.Response, error) { return c.roundTrip(out, target) },
		Filter:       filterResponse,
		WriteTimeout: forwarded.WriteTimeout, IdleTimeout: forwarded.IdleTimeout, Log: c.log,
	})
	if err != nil {
		return &ForwardError{Err: unreachableError(ctx, target, err), MayHaveArrived: hasConnected}
	}
	return nil
}

// ForwardedStream is a request whose response is a stream, to be forwarded.
type ForwardedStream struct {
	Body []byte // nil for none
	// WriteTimeout bounds each write to the client.
	WriteTimeout time.Duration
	// IdleTimeout bounds the time between two writes.
	IdleTimeout time.Duration
}

// ForwardStream sends the request with its path and query to another node, and writes the response to w
// as it arrives, as Forward does. The error is a *ForwardError.
func (c *Client) ForwardStream(ctx context.Context, w http.ResponseWriter, r *http.Request, target node.Node, forwarded ForwardedStream) error {
	address, err := addressOf(target, r.URL.EscapedPath(), r.URL.Query())
	if err != nil {
		return &ForwardError{Err: err}
	}
	header := http.Header{}
	c.setForwarded(ctx, header)
	for _, name := range []string{"Accept", "Content-Type", api.HeaderActor, api.HeaderReason} {
		if values := r.Header.Values(name); len(values) > 0 {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	daemonhttp.CopyUpgrade(header, r.Header)
	hasConnected, err := daemonhttp.Forward(ctx, w, r, daemonhttp.Request{
		URL: address, Header: header, Body: forwarded.Body,
		RoundTrip:    func(out *http.Request) (*http.Response, error) { return c.roundTrip(out, target) },
		Filter:       filterResponse,
		WriteTimeout: forwarded.WriteTimeout, IdleTimeout: forwarded.IdleTimeout, Log: c.log,
	})
	if err != nil {
		return &ForwardError{Err: unreachableError(ctx, target, err), MayHaveArrived: hasConnected}
	}
	return nil
}

// forwardedHeader returns the headers to send to the other node.
func (c *Client) forwardedHeader(ctx context.Context, inbound http.Header, request ports.OperationRequest) http.Header {
	header := http.Header{}
	c.setForwarded(ctx, header)
	header.Set("Content-Type", "application/json")
	if accept := inbound.Values("Accept"); len(accept) > 0 {
		header["Accept"] = accept
	}
	if request.IsReserved {
		header.Set("Rtmanager-Reserved", "true")
	}
	setOrigin(header, request.Origin)
	return header
}

// setOrigin adds the fields of the origin that are not empty.
func setOrigin(header http.Header, origin ports.Origin) {
	for name, text := range map[string]string{
		api.HeaderIdempotencyKey: origin.OperationID, api.HeaderActor: origin.Actor, api.HeaderReason: origin.Reason,
	} {
		if text != "" {
			header.Set(name, api.EncodeHeaderText(text))
		}
	}
}

// filterResponse returns an error for a response that does not come from the API. It
// removes the headers that the API does not define, and those that this server has set.
func filterResponse(response *http.Response) error {
	if daemonhttp.KeepUpgrade(response) {
		return nil
	}
	isResult := response.StatusCode == http.StatusOK || response.StatusCode == http.StatusAccepted
	isResult = isResult && slices.Contains([]string{"application/json", "text/plain", api.EventStreamMediaType, api.NDJSONMediaType}, daemonhttp.MediaType(response))
	if !isResult && !daemonhttp.IsProblem(response) {
		return foreignResponseError(response)
	}
	kept := []string{"Content-Type", "Content-Length", "Retry-After", "Location", "X-Accel-Buffering", api.HeaderHeartbeat}
	for name := range response.Header {
		if !slices.Contains(kept, name) {
			response.Header.Del(name)
		}
	}
	return nil
}
