package federation

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/daemonhttp"
	"galaxy/rtmanager/internal/domain/federation"
)

// forwardedHeaders are the headers of a client that the API defines.
func forwardedHeaders() []string {
	return []string{
		"Accept", "Content-Type", "Content-Encoding", "If-Match", "If-None-Match", "Last-Event-ID", "Prefer",
		api.HeaderIdempotencyKey, api.HeaderActor, api.HeaderReason,
	}
}

// returnedHeaders are the headers of a response that the API defines, without those that this
// daemon sets.
func returnedHeaders() []string {
	return []string{
		"Allow", "Content-Type", "Content-Length", "Etag", "Location", "Preference-Applied", "Retry-After", "X-Accel-Buffering",
		api.HeaderHeartbeat, api.HeaderStore, api.HeaderAsOf, api.HeaderAge,
	}
}

// Forward sends a request of the API to a daemon of another store, and writes the response to w as
// it arrives. It sends and returns only what the API defines. If no connection can be made, or a
// read gets no response, it tries the other URLs of the store. ctx bounds the call. If the response
// ends early, Forward aborts the connection of w, so that the client does not treat it as complete.
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
	hasConnected, err := daemonhttp.Forward(ctx, w, r, daemonhttp.Request{
		URL: address, Header: c.headerOf(ctx, r.Header, request), Body: request.Body,
		RoundTrip: func(out *http.Request) (*http.Response, error) { return c.roundTrip(out, to.url) },
		Filter: func(response *http.Response) error {
			if err := checkResponse(response, to.storeID); err != nil {
				return err
			}
			w.Header().Del(api.HeaderStore) // the revisions are those of the other store
			if daemonhttp.KeepUpgrade(response) {
				return nil
			}
			if location := response.Header.Get("Location"); location != "" {
				response.Header.Set("Location", "/v1/stores/"+url.PathEscape(request.Store)+location)
			}
			for name := range response.Header {
				if !slices.Contains(returnedHeaders(), name) {
					response.Header.Del(name)
				}
			}
			return nil
		},
		WriteTimeout: request.WriteTimeout, IdleTimeout: request.IdleTimeout, Log: c.log,
	})
	if err != nil {
		return c.unusableError(ctx, to, request, err, hasConnected)
	}
	return nil
}

// headerOf returns the headers to send to the other daemon.
func (c *Client) headerOf(ctx context.Context, inbound http.Header, request federation.Request) http.Header {
	header := http.Header{}
	for _, name := range forwardedHeaders() {
		if values := inbound.Values(name); len(values) > 0 {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	daemonhttp.CopyUpgrade(header, inbound)
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
