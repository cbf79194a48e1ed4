package dockerengine

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/versions"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.Engine = (*Engine)(nil)

// Engine implements ports.Engine on a Docker Engine. It is safe for concurrent use.
type Engine struct {
	api     *client.Client
	cfg     Config
	address netip.Addr
	kills   stopKills
	ports   portReservations
	// takenOver holds the ids of the containers of a former name of this node.
	takenOver map[string]bool
}

// Open connects to the engine and negotiates the version of the API. It returns
// container.ErrEngineUnavailable, and may be retried, if the engine does not respond. Other
// errors are permanent: an invalid address or config, and an engine that is too old.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	options := []client.Opt{client.FromEnv, client.WithHTTPResponseHook(recordAcceptance)}
	if cfg.Host != "" {
		options = append(options, client.WithHost(cfg.Host))
	}
	api, err := client.New(options...)
	if err != nil {
		return nil, fmt.Errorf("docker engine at %q cannot be used: %w", cfg.Host, err)
	}
	e := &Engine{api: api, cfg: cfg, address: netip.MustParseAddr(cfg.Address)}
	if err := e.connect(ctx); err != nil {
		_ = api.Close() // there are only idle connections
		return nil, err
	}
	return e, nil
}

// connect negotiates the version of the API. Without it the client would use the newest
// version after a failed negotiation, without an error, and negotiate at each call.
func (e *Engine) connect(ctx context.Context) error {
	host := e.api.DaemonHost()
	if err := requireTLS(host); err != nil {
		return err
	}
	pong, err := callWithTimeout(ctx, e.cfg.CallTimeout, "ping docker engine at "+host, func(ctx context.Context) (client.PingResult, error) {
		return e.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	})
	if pong.APIVersion != "" && versions.LessThan(pong.APIVersion, client.MinAPIVersion) {
		return fmt.Errorf("docker engine at %s supports API %s, but at least %s is needed; upgrade to Docker Engine 19.03 or newer",
			host, pong.APIVersion, client.MinAPIVersion)
	}
	if err != nil {
		return unavailable(err)
	}
	if pong.APIVersion == "" {
		return fmt.Errorf("ping docker engine at %s: %w: the response contains no API version, so it is not from a Docker Engine", host, container.ErrEngineUnavailable)
	}
	return nil
}

// requireTLS returns an error for an engine on the network without TLS: access to its API
// means root access to its machine.
func requireTLS(host string) error {
	if strings.HasPrefix(host, "unix://") || strings.HasPrefix(host, "npipe://") {
		return nil
	}
	if os.Getenv(client.EnvOverrideCertPath) == "" || os.Getenv(client.EnvTLSVerify) == "" {
		return fmt.Errorf("docker engine at %s: only a local socket can be used without mutual TLS; set %s and %s",
			host, client.EnvOverrideCertPath, client.EnvTLSVerify)
	}
	return nil
}

// Close closes idle connections; calls in flight continue. It may be called more than
// once.
func (e *Engine) Close() error { return e.api.Close() }

// Kind implements ports.Engine.
func (e *Engine) Kind() container.EngineKind { return container.EngineKindDocker }
