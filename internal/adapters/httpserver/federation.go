package httpserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/operation"
)

// Federation calls the daemons of other stores; adapters/federation implements it and documents
// the errors. It is safe for concurrent use.
type Federation interface {
	// Names returns the names of the other stores in the order of the settings.
	Names() []string
	// Stores returns what is known of the other stores.
	Stores(ctx context.Context) []federation.Store
	// Forward sends a request to another store, and the response to the client.
	Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, request federation.Request) error
	// ListPage returns a page of the list of another store, and the identity of the store.
	ListPage(ctx context.Context, store string, query url.Values) (page api.Page, storeID string, err error)
}

// noFederation is the federation of a server without other stores.
type noFederation struct{}

func (noFederation) Names() []string { return nil }

func (noFederation) Stores(context.Context) []federation.Store { return nil }

func (noFederation) Forward(_ context.Context, _ http.ResponseWriter, _ *http.Request, request federation.Request) error {
	return &federation.UnknownStoreError{Store: request.Store}
}

func (noFederation) ListPage(_ context.Context, store string, _ url.Values) (api.Page, string, error) {
	return api.Page{}, "", &federation.UnknownStoreError{Store: store}
}

// getStores handles GET /v1/stores.
func (s *Server) getStores(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	response := api.Stores{Items: []api.Store{api.StoreFrom(s.ownStore(r.Context()), s.cfg.Clock())}}
	for _, store := range s.cfg.Federation.Stores(r.Context()) {
		response.Items = append(response.Items, api.StoreFrom(store, time.Now()))
	}
	return writeJSON(w, http.StatusOK, response)
}

// ownStoreTimeout bounds how long a list of stores waits for the store of this daemon.
const ownStoreTimeout = 3 * time.Second

// ownStore describes the store of this daemon.
func (s *Server) ownStore(ctx context.Context) federation.Store {
	ctx, cancel := context.WithTimeout(ctx, ownStoreTimeout)
	defer cancel()
	store := federation.Store{Name: s.cfg.Region, IsOwn: true, State: federation.StateReady, ID: s.store.ID(), Version: s.cfg.Version}
	info, err := s.store.Info(ctx)
	if err != nil {
		store.State, store.Error = federation.StateDegraded, problem.Text(err)
		return store
	}
	store.Revision, store.RespondedAt = info.Revision, s.cfg.Clock()
	return store
}

// forwardToStore forwards a request to another store, and responds with its response.
func (s *Server) forwardToStore(w http.ResponseWriter, r *http.Request, match routeMatch) error {
	if err := checkForwardable(r); err != nil {
		return err
	}
	forwarded := federation.Request{
		Store: match.store, Path: match.path, Query: r.URL.RawQuery, IsRead: match.route.Method == http.MethodGet || match.route.isRead, WriteTimeout: s.cfg.WriteTimeout, IdleTimeout: 4 * s.cfg.Heartbeat,
	}
	if r.Header.Get("Upgrade") != "" {
		forwarded.IdleTimeout = s.cfg.CommandIdleTimeout
	}
	trailOf(r.Context()).forwardToStore(match.store)
	if match.route.Method != http.MethodGet {
		body, p := request.ReadBody(w, r, s.cfg.BodyTimeout)
		if p != nil {
			return p
		}
		forwarded.Body = body
	}
	if match.route.isOperation && r.Header.Get(api.HeaderIdempotencyKey) == "" {
		// The response can be lost, and the client then repeats the request with this id.
		forwarded.OperationID = operation.NewID()
	}
	release, err := s.acquireSlot(r.Context(), match.route)
	if err != nil {
		return err
	}
	defer release()
	ctx, stop := s.forwardContext(r.Context(), match.route)
	defer stop()
	err = s.cfg.Federation.Forward(ctx, w, r, forwarded)
	var unusable *federation.UnusableError
	if !errors.As(err, &unusable) {
		return err
	}
	if forwarded.IsRead || !unusable.MayHaveArrived {
		return err
	}
	s.cfg.Logger.Warn("no response from another store", "store", match.store, "route", match.route.Path, "error", err)
	p := problem.New(api.CodeOutcomeUnknown, err.Error()+"; it is unknown whether the store has carried out the request: repeat it with the same Idempotency-Key")
	p.Store, p.GameID, p.OperationID = match.store, match.variables["game_id"], forwarded.OperationID
	if p.OperationID == "" {
		p.OperationID, _ = api.DecodeHeaderText(r.Header.Get(api.HeaderIdempotencyKey))
	}
	return p
}

// checkForwardable returns an error for a request that must not be forwarded to another store: one
// that was forwarded by another store already, and one of a caller that another store cannot know.
func checkForwardable(r *http.Request) error {
	if len(r.Header.Values(api.HeaderFederated)) > 0 || len(r.Header.Values(api.HeaderForwarded)) > 0 {
		return problem.New(api.CodeInvalid, "the request was forwarded already; send it to a daemon that federates the store: a request is never forwarded to a third store")
	}
	identity := access.FromContext(r.Context())
	if _, isNode := identity.Node(); isNode {
		return problem.New(api.CodeForbidden, "the certificate is that of a daemon, and daemons call another store directly")
	}
	if identity.Method == access.MethodToken {
		return problem.New(api.CodeForbidden, identity.Subject+" is a token of this store, and another store does not know it; use a client certificate, "+
			"a login of an identity provider that both stores trust, or a token of the other store at one of its daemons")
	}
	return nil
}

// acquireSlot takes a slot of the server for a stream or an operation, as a request that is not
// forwarded does.
func (s *Server) acquireSlot(ctx context.Context, route *Route) (release func(), _ error) {
	identity := callers.Of(ctx).Identity
	switch {
	case s.isShuttingDown() && (route.isStream || route.isOperation):
		return nil, problem.ErrShuttingDown
	case route.isStream:
		release, isAcquired := s.streams.acquire(identity)
		if !isAcquired {
			return nil, problem.New(api.CodeTooManyStreams, "this server has reached its limit of open streams, or this caller half of it")
		}
		s.metrics.streams.Inc()
		return func() {
			s.metrics.streams.Dec()
			release()
		}, nil
	case route.isOperation:
		release, isAcquired := s.operations.acquire(identity)
		if !isAcquired {
			return nil, problem.New(api.CodeTooManyOperations, "this server has reached its limit of requests that wait for operations, or this caller half of it")
		}
		return release, nil
	default:
		return func() {}, nil
	}
}

// forwardContext returns a context that also ends when the caller loses its rights. That of a
// stream, which has no deadline, ends when the server shuts down.
func (s *Server) forwardContext(ctx context.Context, route *Route) (bound context.Context, stop func()) {
	if route.isStream {
		return s.streamContext(ctx)
	}
	bound, cancel := context.WithCancelCause(ctx)
	stopWatch := callers.NewRevocation(ctx, s.cfg.Access).Watch(cancel)
	return bound, func() {
		stopWatch()
		cancel(nil)
	}
}
