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

// Engine is a Docker Engine as far as it runs our containers. It is safe for
// concurrent use.
type Engine struct {
	api     *client.Client
	cfg     Config
	address netip.Addr
}

// Open connects to the engine and agrees with it on a version of its API. An
// engine that does not answer is runtime.ErrEngineUnavailable, and Open may be
// tried again; an address or a config that cannot be used, and an engine that is
// too old, are errors that stay.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	options := []client.Opt{client.FromEnv, client.WithHTTPResponseHook(noteAnswer)}
	if cfg.Host != "" {
		options = append(options, client.WithHost(cfg.Host))
	}
	api, err := client.New(options...)
	if err != nil {
		return nil, fmt.Errorf("docker engine at %q cannot be used: %w", cfg.Host, err)
	}
	e := &Engine{api: api, cfg: cfg, address: netip.MustParseAddr(cfg.Address)}
	if err := e.connect(ctx); err != nil {
		_ = api.Close() // nothing but idle connections
		return nil, err
	}
	return e, nil
}

// connect settles the API's version now: a client that failed to do so goes on in
// silence with the newest one, and asks again at each call.
func (e *Engine) connect(ctx context.Context) error {
	host := e.api.DaemonHost()
	if err := refusePlainTCP(host); err != nil {
		return err
	}
	pong, err := within(ctx, e.cfg.CallTimeout, "ping docker engine at "+host, func(ctx context.Context) (client.PingResult, error) {
		return e.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	})
	if pong.APIVersion != "" && versions.LessThan(pong.APIVersion, client.MinAPIVersion) {
		return fmt.Errorf("docker engine at %s speaks API %s, and at least %s is needed; upgrade to Docker Engine 19.03 or newer",
			host, pong.APIVersion, client.MinAPIVersion)
	}
	if err != nil {
		return unavailable(err)
	}
	if pong.APIVersion == "" {
		return fmt.Errorf("ping docker engine at %s: %w: the answer names no version, so it is not one of Docker", host, container.ErrEngineUnavailable)
	}
	return nil
}

// refusePlainTCP keeps from an engine that everybody on the network controls: its
// API is as good as root.
func refusePlainTCP(host string) error {
	if strings.HasPrefix(host, "unix://") || strings.HasPrefix(host, "npipe://") {
		return nil
	}
	if os.Getenv(client.EnvOverrideCertPath) == "" || os.Getenv(client.EnvTLSVerify) == "" {
		return fmt.Errorf("docker engine at %s: without TLS in both directions only a local socket is used; set %s and %s",
			host, client.EnvOverrideCertPath, client.EnvTLSVerify)
	}
	return nil
}

// Close lets go of idle connections. Calls under way are not disturbed. It may
// be called more than once.
func (e *Engine) Close() error { return e.api.Close() }

// Kind implements ports.Engine.
func (e *Engine) Kind() container.EngineKind { return container.EngineKindDocker }
