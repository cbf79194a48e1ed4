// Package httpserver serves a runtime record store over HTTP: the /v1 routes,
// health, metrics and the OpenAPI document that describes them. It is an
// inbound adapter; wire holds the JSON it shares with its client.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
)

// Config tunes a Server. The zero value is usable; a zero duration or number
// means the default named beside it.
type Config struct {
	// Logger takes one line per write and per failure; nil discards them.
	Logger *slog.Logger
	// Registry takes the server's metrics and is what /metrics shows; nil makes
	// a fresh one.
	Registry *prometheus.Registry
	// Ready says, by name, what must hold besides the store answering for the
	// server to be ready: nil, or why it is not.
	Ready map[string]func() error
	// Version, Region and Node say who answers, in /v1/cluster and the metrics.
	Version, Region, Node string
	// Cluster carries out requests about games and nodes; nil fails them with the code
	// no_engine.
	Cluster Cluster
	// Peers forwards operations to other nodes. It is required with Cluster.
	Peers Forwarder
	// InsecureHosts accepts any Host header on loopback connections too, which
	// exposes the API to DNS rebinding.
	InsecureHosts bool
	// Clock gives the instant of a transition whose caller names none; nil is
	// time.Now.
	Clock func() time.Time

	// Heartbeat is the longest silence on a watch stream. Default 15 s.
	Heartbeat time.Duration
	// MaxStreams is how many watch streams may be open at once. Default 20 000.
	MaxStreams int
	// WriteTimeout is how long one write to a watch stream may take before the
	// reader counts as stalled and is cut off. Default 10 s.
	WriteTimeout time.Duration
	// RequestTimeout bounds the work for one ordinary request. Default 30 s.
	RequestTimeout time.Duration
	// CheckTimeout bounds a check of the whole store. Default 10 min.
	CheckTimeout time.Duration
	// OperationTimeout bounds how long a request waits for an operation, which goes
	// on all the same. Default 10 min.
	OperationTimeout time.Duration
	// MaxOperations is how many requests may wait for operations at once. Default 1 000.
	MaxOperations int
	// HeaderTimeout is how long a request's headers may take to arrive. Default 10 s.
	HeaderTimeout time.Duration
	// BodyTimeout is how long a request's body may take to arrive. Default 15 s.
	BodyTimeout time.Duration
	// DrainTimeout bounds how long Serve waits for open requests when it ends.
	// Default 10 s.
	DrainTimeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Version == "" {
		c.Version = "unknown"
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 20_000
	}
	if c.MaxOperations == 0 {
		c.MaxOperations = 1000
	}
	if c.Cluster == nil {
		c.Cluster = noCluster{}
	}
	orDefault := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	orDefault(&c.Heartbeat, 15*time.Second)
	orDefault(&c.WriteTimeout, 10*time.Second)
	orDefault(&c.RequestTimeout, 30*time.Second)
	orDefault(&c.CheckTimeout, 10*time.Minute)
	orDefault(&c.OperationTimeout, 10*time.Minute)
	orDefault(&c.HeaderTimeout, 10*time.Second)
	orDefault(&c.BodyTimeout, 15*time.Second)
	orDefault(&c.DrainTimeout, 10*time.Second)
	return c
}

// Server is the HTTP face of one store. It is safe for concurrent use.
type Server struct {
	store     ports.Store
	cfg       Config
	mux       *http.ServeMux
	metrics   *metrics
	encodings *encodings
	origins   *http.CrossOriginProtection
	storeID   storeID
	streams   streamSlots
	// operations counts requests that wait for one.
	operations streamSlots

	// registry holds the schemas of the OpenAPI document; bodies are decoded by
	// the same two that it shows.
	registry                   huma.Registry
	recordSchema, statusSchema *huma.Schema
	bodies                     bodySchemas

	// closing is closed once, when Serve begins to end; streams and readiness
	// watch it.
	closing   chan struct{}
	closeOnce sync.Once
	// draining ends, with errShuttingDown, in time for a response before Serve cuts the
	// open requests off.
	draining  context.Context //nolint:containedctx // the life of the server
	stopDrain context.CancelCauseFunc
}

// New returns a server of the store. It does not touch the store, so it works
// before the store does. It fails for a nil store, for a negative setting and
// for a registry that already holds other metrics of the same names.
func New(store ports.Store, cfg Config) (*Server, error) {
	if store == nil {
		return nil, errors.New("httpserver: a store is required")
	}
	cfg = cfg.withDefaults()
	for name, d := range map[string]time.Duration{
		"Heartbeat": cfg.Heartbeat, "WriteTimeout": cfg.WriteTimeout, "RequestTimeout": cfg.RequestTimeout,
		"CheckTimeout": cfg.CheckTimeout, "HeaderTimeout": cfg.HeaderTimeout, "BodyTimeout": cfg.BodyTimeout, "DrainTimeout": cfg.DrainTimeout,
		"OperationTimeout": cfg.OperationTimeout,
		"MaxStreams":       time.Duration(cfg.MaxStreams), "MaxOperations": time.Duration(cfg.MaxOperations),
	} {
		if d < 0 {
			return nil, fmt.Errorf("httpserver: %s must not be negative", name)
		}
	}
	m, err := newMetrics(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{
		store: store, cfg: cfg, mux: http.NewServeMux(), metrics: m,
		origins:    http.NewCrossOriginProtection(),
		streams:    streamSlots{max: int64(cfg.MaxStreams)},
		operations: streamSlots{max: int64(cfg.MaxOperations)},
		encodings:  newEncodings(),
		closing:    make(chan struct{}),
	}
	s.draining, s.stopDrain = context.WithCancelCause(context.Background())
	s.register()
	return s, nil
}

// Handler returns the whole API as a handler, for a server of the caller's.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// Serve answers connections of the listener until ctx ends, then turns
// unready, ends the open watch streams with a reason, waits for other requests
// up to Config.DrainTimeout, and returns nil. It closes the listener and
// returns early with the listener's error. A Server serves once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: s.cfg.HeaderTimeout,
		// For the bodies that no handler reads. It does not bound the work: once
		// the request is read to its end, net/http lifts it.
		ReadTimeout:    s.cfg.RequestTimeout + s.cfg.BodyTimeout,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()

	select {
	case err := <-ended:
		s.beginShutdown()
		return errors.Join(fmt.Errorf("serve %s: %w", listener.Addr(), err), server.Close())
	case <-ctx.Done():
	}
	s.beginShutdown()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		s.cfg.Logger.Warn("requests still open after the drain timeout were cut off", "drain_timeout", s.cfg.DrainTimeout)
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}
	return nil
}

func (s *Server) beginShutdown() {
	s.closeOnce.Do(func() {
		close(s.closing)
		time.AfterFunc(s.cfg.DrainTimeout/2, func() { s.stopDrain(errShuttingDown) })
	})
}

// errShuttingDown ends operations and requests to other nodes during a shutdown.
var errShuttingDown = errors.New("the server is shutting down")

// withDrain returns a context that also ends, with the cause errShuttingDown, when half of
// the drain timeout of a shutdown is over.
func (s *Server) withDrain(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.draining, func() { cancel(errShuttingDown) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// self names this daemon's node.
func (s *Server) self() node.Ref { return node.Ref{Region: s.cfg.Region, Name: s.cfg.Node} }

func (s *Server) shuttingDown() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}
