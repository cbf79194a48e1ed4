package httpserver

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
	"sync/atomic"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// maxPeerAnswer bounds what is read of another node's answer.
const maxPeerAnswer = 64 << 20

// peerCall is one request to another node.
type peerCall struct {
	method, path string
	query        url.Values
	body         any    // nil for none
	actor        string // who asks, where that matters
}

// askPeer makes the call, and decodes the answer into target. A problem that the
// node answers comes back as it is. Without an answer it is an *unreachableError,
// or errClosing, together with runtime.ErrOutcomeUnknown for what may have changed
// something there.
func (s *Server) askPeer(ctx context.Context, node node.Node, call peerCall, target any) error {
	address, err := addressOf(node, call.path, call.query)
	if err != nil {
		return err
	}
	var body []byte
	if call.body != nil {
		body = encodeJSON(call.body)
	}
	ctx, done := s.whilePresent(ctx, node)
	defer done()
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	request, err := http.NewRequestWithContext(traced, call.method, address.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask node %s: %w", placeOf(node), err)
	}
	request.Header.Set(api.HeaderForwarded, api.EncodeHeaderText(s.self().String()))
	if call.actor != "" {
		request.Header.Set(api.HeaderActor, api.EncodeHeaderText(call.actor))
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := s.peers.RoundTrip(request) // which follows no redirects
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		err = readPeer(response, target)
	}
	var problem *api.Problem
	if err == nil || errors.As(err, &problem) {
		return err
	}
	err = unanswered(ctx, node, err)
	if call.method != http.MethodGet && connected.Load() {
		return fmt.Errorf("%w: %w", runtime.ErrOutcomeUnknown, err)
	}
	return err
}

// readPeer decodes an answer of the API; anything else is an error.
func readPeer(response *http.Response, target any) error {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	body := io.LimitReader(response.Body, maxPeerAnswer)
	switch {
	case response.StatusCode == http.StatusOK && media == "application/json":
		return json.NewDecoder(body).Decode(target)
	case media == api.ProblemMediaType:
		var problem api.Problem
		if err := json.NewDecoder(body).Decode(&problem); err != nil {
			return err
		}
		problem.Status = response.StatusCode
		return &problem
	}
	return fmt.Errorf("it answered %s, which is not an answer of the API", response.Status)
}

// unanswered puts into words why a node that is said to be there gave no answer.
func unanswered(ctx context.Context, node node.Node, err error) error {
	var absent *unreachableError
	if cause := context.Cause(ctx); errors.As(cause, &absent) || errors.Is(cause, errClosing) {
		return cause
	}
	reason := "does not answer at " + node.API + ": " + err.Error()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		reason = "did not answer in time at " + node.API
	}
	return &unreachableError{place: placeOf(node), network: true, reason: reason}
}
