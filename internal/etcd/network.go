package etcd

import (
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Network describes the connection of a client to the endpoints of its cluster. It is safe
// for concurrent use.
type Network interface {
	// RoundTrip returns the longest measured round trip to an endpoint that serves requests;
	// 0 means that none was measured.
	RoundTrip() time.Duration
	// HasAlternative reports whether a request that fails at one endpoint is sent to another
	// one when it is repeated.
	HasAlternative() bool
	// Endpoints returns the client URLs.
	Endpoints() []string
	// SetClusterID sets the cluster to which requests are sent.
	SetClusterID(id uint64)
}

// networkOf returns the network of a client whose Maintenance provides it, and nil for others.
func networkOf(raw *clientv3.Client) Network {
	if raw == nil {
		return nil
	}
	if described, ok := raw.Maintenance.(interface{ Network() Network }); ok {
		return described.Network()
	}
	return nil
}

// Endpoints returns the client URLs to which requests are sent. The in-process client has
// none.
func (c *Client) Endpoints() []string {
	if c.network != nil {
		return c.network.Endpoints()
	}
	return c.Raw.Endpoints()
}

func (c *Client) roundTrip() time.Duration {
	if c.network == nil {
		return 0
	}
	return c.network.RoundTrip()
}

func (c *Client) hasAlternative() bool { return c.network != nil && c.network.HasAlternative() }
