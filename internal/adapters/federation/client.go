package federation

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/daemonhttp"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/lifetime"
	"galaxy/rtmanager/internal/tlsfiles"
)

const (
	defaultInterval     = 5 * time.Second
	defaultProbeTimeout = 3 * time.Second
	defaultListTimeout  = 10 * time.Second
	// maxProofIntervals is how many intervals old the proof of a store may be.
	maxProofIntervals = 3
)

// Config tunes a Client.
type Config struct {
	// Self names the node that sends the requests.
	Self node.Ref
	// StoreID returns the identity of the daemon's own store.
	StoreID func() string
	// Stores are the other stores, with unique names and valid URLs.
	Stores []federation.Setting
	// TLS verifies daemons with https addresses, and proves the identity of this daemon to them.
	TLS tlsfiles.Client
	// RequireNodeIdentity rejects every server that does not prove by its certificate that it is a
	// daemon.
	RequireNodeIdentity bool
	// Interval is the time between two probes of a store. Default 5 s.
	Interval time.Duration
	// ProbeTimeout bounds one probe. Default 3 s.
	ProbeTimeout time.Duration
	// ListTimeout bounds the request for a page of a list. Default 10 s.
	ListTimeout time.Duration
	// Logger receives a line when the state of a store changes. Default: none.
	Logger *slog.Logger
}

// Client calls the daemons of other stores. It is safe for concurrent use.
type Client struct {
	cfg        Config
	log        *slog.Logger
	remotes    []*remote
	transports *daemonhttp.Transports[string] // by URL
	// life is that of the probes.
	life *lifetime.Lifetime
}

// New returns a client. It sends no request.
func New(cfg Config) *Client {
	setDefault(&cfg.Interval, defaultInterval)
	setDefault(&cfg.ProbeTimeout, defaultProbeTimeout)
	setDefault(&cfg.ListTimeout, defaultListTimeout)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, log: cfg.Logger, life: lifetime.New(context.Background()), transports: daemonhttp.NewTransports[string](cfg.TLS)}
	for _, setting := range cfg.Stores {
		c.remotes = append(c.remotes, newRemote(setting))
	}
	return c
}

func setDefault(setting *time.Duration, value time.Duration) {
	if *setting == 0 {
		*setting = value
	}
}

// Run probes each store now and after every interval, until ctx ends. Then it ends the probes in
// progress, closes idle connections and returns nil. The client cannot be used any more.
func (c *Client) Run(ctx context.Context) error {
	defer c.transports.CloseIdle()
	defer c.life.Close(context.Canceled)
	var loops sync.WaitGroup
	for _, r := range c.remotes {
		loops.Go(func() { c.probeLoop(ctx, r) })
	}
	loops.Wait()
	return nil
}

func (c *Client) probeLoop(ctx context.Context, r *remote) {
	ticker := time.NewTicker(c.cfg.Interval)
	defer ticker.Stop()
	for {
		c.probe(ctx, r)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Stores returns the other stores in the order of the settings. It waits for the first probe of
// each, for no longer than a probe takes.
func (c *Client) Stores(ctx context.Context) []federation.Store {
	for _, r := range c.remotes {
		r.awaitProbe(ctx, c.cfg.ProbeTimeout)
	}
	return c.States()
}

// States returns what is known of the other stores, without a probe.
func (c *Client) States() []federation.Store {
	stores := make([]federation.Store, len(c.remotes))
	for i, r := range c.remotes {
		stores[i] = c.stateOf(r)
	}
	return stores
}

// Names returns the names of the other stores in the order of the settings.
func (c *Client) Names() []string {
	names := make([]string, len(c.remotes))
	for i, r := range c.remotes {
		names[i] = r.setting.Name
	}
	return names
}

// find returns the store of the name, or a *federation.UnknownStoreError.
func (c *Client) find(name string) (*remote, error) {
	i := slices.IndexFunc(c.remotes, func(r *remote) bool { return r.setting.Name == name })
	if i < 0 {
		return nil, &federation.UnknownStoreError{Store: name, Names: c.Names()}
	}
	return c.remotes[i], nil
}

// stateOf returns what is known of the store. A store whose identity is that of the daemon's own
// store, or of a store before it in the settings, is a duplicate.
func (c *Client) stateOf(r *remote) federation.Store {
	store := r.snapshot()
	if store.ID == "" {
		return store
	}
	if store.ID == c.cfg.StoreID() {
		store.State, store.Error = federation.StateDuplicate, "is the store of this daemon itself; correct its URLs, or remove it from the settings"
		return store
	}
	for _, other := range c.remotes {
		if other == r {
			break
		}
		if other.snapshot().ID == store.ID {
			store.State, store.Error = federation.StateDuplicate, "is the same store as "+other.setting.Name+"; correct its URLs, or remove it from the settings"
			break
		}
	}
	return store
}
