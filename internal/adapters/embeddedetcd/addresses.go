package embeddedetcd

import (
	"context"
	"fmt"
	"net"
	"net/url"
)

// addresses are the URLs that a member will listen on. Their ports were free when
// findAddresses returned.
type addresses struct{ client, peer url.URL }

// findAddresses listens on the configured addresses and closes the listeners. This
// replaces port 0 by a real port before etcd starts, because etcd advertises the URL of
// its configuration. It returns a *ConfigError if a port is in use.
func findAddresses(ctx context.Context, cfg Config) (addresses, error) {
	var found [2]url.URL
	var listeners [2]net.Listener
	defer func() {
		for _, l := range listeners {
			if l != nil {
				_ = l.Close()
			}
		}
	}()
	for i, setting := range cfg.listenSettings() {
		// Both listeners stay open until both ports are known; otherwise port 0 could
		// give the same port twice.
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", setting.hostPort())
		if err != nil {
			return addresses{}, &ConfigError{Field: setting.field, Err: fmt.Errorf("etcd cannot listen on %s: %w", setting.hostPort(), err)}
		}
		listeners[i] = l
		found[i] = url.URL{Scheme: "http", Host: l.Addr().String()}
	}
	return addresses{client: found[0], peer: found[1]}, nil
}
