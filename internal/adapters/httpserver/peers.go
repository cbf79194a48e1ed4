package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
)

const (
	// dialTimeout bounds how long another node may take to accept a connection.
	dialTimeout = 3 * time.Second
	// presenceEvery is how often it is seen whether a node that works for us is
	// still there.
	presenceEvery = time.Second
)

// errClosing ends what waits for another node when this server shuts down.
var errClosing = errors.New("the server is shutting down")

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
		return fmt.Sprintf("%s: %s", node.ErrUnreachable, e.reason)
	}
	return fmt.Sprintf("%s: %s %s", node.ErrUnreachable, e.place, e.reason)
}

// Is reports whether target is runtime.ErrNodeUnreachable.
func (e *unreachableError) Is(target error) bool { return target == node.ErrUnreachable }

func describeUnreachable(p *api.Problem, e *unreachableError) {
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
func (s *Server) nodeAt(ctx context.Context, at place) (*node.Node, error) {
	if s.cfg.Nodes == nil {
		return nil, &unreachableError{place: at, reason: "is another node, and this daemon knows of none"}
	}
	present, err := s.cfg.Nodes.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for node %s: %w", at, err)
	}
	i := slices.IndexFunc(present, func(n node.Node) bool { return placeOf(n) == at })
	if i < 0 {
		return nil, &unreachableError{place: at, reason: "is not among the present nodes"}
	}
	return &present[i], nil
}

// addressOf returns the URL of a path at a node. Only the register says where a
// node is.
func addressOf(node node.Node, path string, query url.Values) (*url.URL, error) {
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
// an *unreachableError. It also ends, with errClosing, in time for an answer before
// a shutdown cuts the request off. The returned function waits until all has ended.
func (s *Server) whilePresent(ctx context.Context, target node.Node) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(presenceEvery)
		defer ticker.Stop()
		closing, drained := (<-chan struct{})(s.closing), (<-chan time.Time)(nil)
		for {
			select {
			case <-ctx.Done():
				return
			case <-closing:
				// As for operations of this node's own: see follow.
				closing, drained = nil, time.After(s.cfg.DrainTimeout/2)
				continue
			case <-drained:
				cancel(errClosing)
				return
			case <-ticker.C:
			}
			if _, err := s.nodeAt(ctx, placeOf(target)); errors.Is(err, node.ErrUnreachable) {
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
