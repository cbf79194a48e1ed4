package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/lru"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/connlimit"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/eventdetails"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/limit"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/listcache"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/stream"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/lifetime"
	"galaxy/rtmanager/internal/ports"
)

// Store is the part of a store that the server uses. The ports with methods of the same
// names have their contracts.
type Store interface {
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
	GetLocal(ctx context.Context, gameID string) (found runtime.VersionedRecord, asOf int64, err error)
	ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error)

	ports.RuntimeWriter
	ports.RuntimeDeleter
	ports.RuntimeLedger
	ports.RuntimeWatcher
	ports.StoreInspector
	ports.StoreIdentity
}

// Server serves the API of one store. It is safe for concurrent use.
type Server struct {
	store   Store
	cfg     Config
	router  router
	metrics *metrics
	events  *stream.EventCache
	lists   *listcache.Cache
	// eventDetails completes the events of games.
	eventDetails *eventdetails.Source
	origins      *http.CrossOriginProtection
	checks       checkHistory
	// isReadOnlyLogged means that the log has a write which a read-only store has rejected,
	// and that no write has succeeded since.
	isReadOnlyLogged atomic.Bool
	// streams and operations count the open watch streams, and the requests that wait for
	// operations.
	streams, operations slots
	// commands counts the commands in games of this node; running waits for those that have a WebSocket, whose
	// connections http.Server does not wait for.
	commands    slots
	running     *lifetime.Lifetime
	connections *connlimit.Limiter
	limits      callerLimits
	// forced has the forcedDeletion of the latest successful ones.
	forced *lru.Cache

	// closing is closed when Serve starts to shut down. Then streams end, and the server is
	// not ready.
	closing   chan struct{}
	closeOnce sync.Once
	// draining is canceled with problem.ErrShuttingDown after half of Config.DrainTimeout, so
	// that requests respond before Serve disconnects them.
	draining  context.Context //nolint:containedctx // the life of the server
	stopDrain context.CancelCauseFunc
}

// New returns a server of the store, which it does not call. It fails for a nil store, for
// a negative setting, and for a registry that holds other metrics of the same names.
func New(store Store, cfg Config) (*Server, error) {
	if store == nil {
		return nil, errors.New("httpserver: a store is required")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{
		store: store, cfg: cfg, metrics: metrics, router: newRouter(Routes()),
		origins:      http.NewCrossOriginProtection(),
		streams:      slots{limit: cfg.MaxStreams},
		operations:   slots{limit: cfg.MaxOperations},
		commands:     slots{limit: cfg.MaxCommands},
		running:      lifetime.New(context.Background()),
		limits:       newCallerLimits(cfg, metrics),
		events:       stream.NewEventCache(),
		lists:        listcache.New(listcache.DefaultMaxBytes),
		eventDetails: eventdetails.New(store, cfg.Intents),
		checks:       checkHistory{lastOK: map[string]time.Time{}},
		closing:      make(chan struct{}),
		forced:       lru.New(maxForcedDeletions),
	}
	s.connections = connlimit.New(connlimit.Config{
		Connections: cfg.MaxConnections, PerAddress: cfg.Limits.Connections,
		OnAddressExceeded: func(r *http.Request) { s.limits.rejections.Add(limit.ReasonConnections, remoteAddr(r)) },
	})
	s.draining, s.stopDrain = context.WithCancelCause(context.Background())
	return s, nil
}

// Handler returns the whole API as a handler, for a server of the caller's own.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// self names this daemon's node.
func (s *Server) self() node.Ref { return node.Ref{Region: s.cfg.Region, Name: s.cfg.Node} }

// maxHTTP2Streams bounds the requests in progress of one HTTP/2 connection.
const maxHTTP2Streams = 100

// Serve accepts connections of the listener until ctx ends, with TLS if Config.TLS is set. Then
// it becomes unready, ends the open watch streams with a reason, waits for other requests up to
// Config.DrainTimeout, and returns nil. It closes the listener, and returns the listener's
// error as soon as there is one. A Server serves once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: s.cfg.HeaderTimeout,
		// It bounds bodies that no handler reads. It does not bound the work: net/http removes
		// the deadline once the request is read completely.
		ReadTimeout:    s.cfg.RequestTimeout + s.cfg.BodyTimeout,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		// The router responds to OPTIONS * too.
		DisableGeneralOptionsHandler: true,
		ConnContext:                  s.connections.ConnContext,
		ConnState:                    s.connections.ConnState,
		ErrorLog:                     slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
		TLSConfig:                    s.cfg.TLS,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxHTTP2Streams,
			// A client that has disappeared, or that does not read, is disconnected.
			SendPingTimeout: s.cfg.Heartbeat, PingTimeout: s.cfg.WriteTimeout, WriteByteTimeout: s.cfg.WriteTimeout,
		},
	}
	done := make(chan error, 1)
	go func() { done <- s.accept(server, listener) }()

	select {
	case err := <-done:
		s.beginShutdown()
		return errors.Join(fmt.Errorf("serve %s: %w", listener.Addr(), err), server.Close())
	case <-ctx.Done():
	}
	s.beginShutdown()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		s.cfg.Logger.Warn("requests were disconnected after the drain timeout", "drain_timeout", s.cfg.DrainTimeout)
		_ = server.Close()
	}
	s.waitCommands(drain)
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}
	return nil
}

// waitCommands waits until the commands in games have ended, which the shutdown ends, or ctx has.
func (s *Server) waitCommands(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		s.running.Close(problem.ErrShuttingDown)
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// accept serves http or https until the server is closed. HeaderTimeout also bounds a TLS
// handshake.
func (s *Server) accept(server *http.Server, listener net.Listener) error {
	if s.cfg.TLS == nil {
		return server.Serve(listener)
	}
	return server.ServeTLS(listener, "", "")
}

func (s *Server) beginShutdown() {
	s.closeOnce.Do(func() {
		close(s.closing)
		time.AfterFunc(s.cfg.DrainTimeout/2, func() { s.stopDrain(problem.ErrShuttingDown) })
	})
}

func (s *Server) isShuttingDown() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}
