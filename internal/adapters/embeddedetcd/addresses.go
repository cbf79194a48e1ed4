package embeddedetcd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
)

// addresses are the URLs that a member will listen on, and those that it names to others.
// Ports were free when findAddresses returned.
type addresses struct {
	client, peer url.URL
	// advertisedClient and advertisedPeer are the URLs for other machines.
	advertisedClient, advertisedPeer url.URL
}

// placeholderPeer is the peer URL of a member that listens on a socket: a member needs one
// that others could use, and a single member never does.
const placeholderPeer = "127.0.0.1:2380"

// findAddresses listens on the configured addresses and closes the listeners. This
// replaces port 0 by a real port before etcd starts, because etcd advertises the URL of
// its configuration. It returns a *ConfigError if a port or socket is in use.
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
		u := setting.parsedURL()
		if u.Scheme == "unix" {
			if err := setting.prepareSocket(ctx); err != nil {
				return addresses{}, err
			}
			found[i] = u
			continue
		}
		// Both listeners stay open until both ports are known; otherwise port 0 could
		// give the same port twice.
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", setting.hostPort())
		if err != nil {
			return addresses{}, &ConfigError{Field: setting.field, Err: fmt.Errorf("etcd cannot listen on %s: %w", setting.hostPort(), err)}
		}
		listeners[i] = l
		found[i] = url.URL{Scheme: u.Scheme, Host: l.Addr().String()}
	}
	at := addresses{client: found[0], peer: found[1], advertisedClient: advertised(found[0]), advertisedPeer: advertised(found[1])}
	if at.peer.Scheme == "unix" {
		at.advertisedPeer = url.URL{Scheme: "http", Host: placeholderPeer}
		// etcd listens on the host of a peer URL, also if it is a socket.
		at.peer = url.URL{Scheme: "unix", Host: at.peer.Path}
	}
	if cfg.Cluster != nil {
		return at, cfg.Cluster.advertise(&at)
	}
	return at, nil
}

// advertised returns the URL for other machines: that of this host if the member listens on
// all of its addresses.
func advertised(at url.URL) url.URL {
	addr, err := netip.ParseAddrPort(at.Host)
	if at.Scheme == "unix" || err != nil || !addr.Addr().IsUnspecified() {
		return at
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(at.Host)
	return url.URL{Scheme: at.Scheme, Host: net.JoinHostPort(host, port)}
}
