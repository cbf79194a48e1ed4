package restapi

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
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/adapters/restapi/wire"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

const (
	// dialTimeout bounds how long another node may take to accept a connection.
	dialTimeout = 3 * time.Second
	// presenceEvery is how often it is seen whether a node that works for us is
	// still there.
	presenceEvery = time.Second
	// maxPeerAnswer bounds what is read of another node's answer.
	maxPeerAnswer = 64 << 20
)

// unreachableError is a node that cannot be asked. It errors.Is
// runtime.ErrNodeUnreachable.
type unreachableError struct {
	place  place // empty where no node at all was found
	reason string
	// network: the node is said to be there, and does not answer at its address.
	network bool
}

func (e *unreachableError) Error() string {
	if e.place.node == "" {
		return fmt.Sprintf("%s: %s", runtime.ErrNodeUnreachable, e.reason)
	}
	return fmt.Sprintf("%s: %s %s", runtime.ErrNodeUnreachable, e.place, e.reason)
}

// Is reports whether target is runtime.ErrNodeUnreachable.
func (e *unreachableError) Is(target error) bool { return target == runtime.ErrNodeUnreachable }

func describeUnreachable(p *wire.Problem, e *unreachableError) {
	p.Region, p.Node = e.place.region, e.place.node
	if e.network {
		p.Status = http.StatusBadGateway
	}
}

// newPeerTransport is for requests to addresses of the register only: no proxy of
// the environment's gets to see them.
func newPeerTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}
}

// nodeAt returns the present node of these names.
func (s *Server) nodeAt(ctx context.Context, at place) (*ports.Node, error) {
	if s.cfg.Nodes == nil {
		return nil, &unreachableError{place: at, reason: "is another node, and this daemon knows of none"}
	}
	present, err := s.cfg.Nodes.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for node %s: %w", at, err)
	}
	i := slices.IndexFunc(present, func(n ports.Node) bool { return placeOf(n) == at })
	if i < 0 {
		return nil, &unreachableError{place: at, reason: "is not among the present nodes; since when is not known"}
	}
	return &present[i], nil
}

// addressOf returns the URL of a path at a node. Only the register says where a
// node is.
func addressOf(node ports.Node, path string, query url.Values) (*url.URL, error) {
	base, err := url.Parse(node.API)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.User != nil {
		return nil, &unreachableError{place: placeOf(node), reason: "names no address at which other nodes reach it; see --advertise"}
	}
	return url.Parse(strings.TrimSuffix((&url.URL{Scheme: base.Scheme, Host: base.Host, Path: base.Path}).String(), "/") + path + withQuery(query))
}

func withQuery(query url.Values) string {
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// whilePresent returns a context that also ends when the node is not present any
// more: one that is cut off, or hangs, does not say so itself. The cause is then
// an *unreachableError. The returned function waits until all has ended.
func (s *Server) whilePresent(ctx context.Context, node ports.Node) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(presenceEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if _, err := s.nodeAt(ctx, placeOf(node)); errors.Is(err, runtime.ErrNodeUnreachable) {
				cancel(err)
				return
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}

// peerCall is one request to another node.
type peerCall struct {
	method, path string
	query        url.Values
	body         any // nil for none
}

// askPeer makes the call, and decodes the answer into target. A problem that the
// node answers comes back as it is. Without an answer it is an *unreachableError,
// together with runtime.ErrOutcomeUnknown for what may have changed something there.
func (s *Server) askPeer(ctx context.Context, node ports.Node, call peerCall, target any) error {
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
	request.Header.Set(wire.HeaderForwarded, wire.EncodeHeaderText(s.self().String()))
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := s.peers.RoundTrip(request) // which follows no redirects
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		err = readPeer(response, target)
	}
	var problem *wire.Problem
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
	case media == wire.ProblemMediaType:
		var problem wire.Problem
		if err := json.NewDecoder(body).Decode(&problem); err != nil {
			return err
		}
		problem.Status = response.StatusCode
		return &problem
	}
	return fmt.Errorf("it answered %s, which is not an answer of the API", response.Status)
}

// unanswered puts into words why a node that is said to be there gave no answer.
func unanswered(ctx context.Context, node ports.Node, err error) error {
	var absent *unreachableError
	if errors.As(context.Cause(ctx), &absent) {
		return absent
	}
	reason := "does not answer at " + node.API + ": " + err.Error()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		reason = "did not answer in time at " + node.API
	}
	return &unreachableError{place: placeOf(node), network: true, reason: reason}
}
