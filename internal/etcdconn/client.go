package etcdconn

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
)

// firstKeepaliveTimeout is how long the client library waits for the first response to a
// keepalive of a lease.
const firstKeepaliveTimeout = 3 * time.Second

// newClient returns a client of the library whose requests go through the router. The
// library's own connection, with its retries, logins and log lines, is not used.
func (p *Pool) newClient(ctx context.Context) *clientv3.Client {
	r := router{p}
	c := clientv3.NewCtxClient(ctx)
	c.KV = etcd.NewKV(pb.NewKVClient(r), c)
	c.Lease = clientv3.NewLeaseFromLeaseClient(pb.NewLeaseClient(r), c, firstKeepaliveTimeout)
	c.Watcher = clientv3.NewWatchFromWatchClient(pb.NewWatchClient(r), c)
	c.Cluster = clientv3.NewClusterFromClusterClient(pb.NewClusterClient(r), c)
	c.Auth = clientv3.NewAuthFromAuthClient(pb.NewAuthClient(r), c)
	p.maintenance = clientv3.NewMaintenanceFromMaintenanceClient(pb.NewMaintenanceClient(r), c)
	c.Maintenance = maintenance{Maintenance: p.maintenance, pool: p}
	return c
}

// maintenance sends the requests that name an endpoint to that endpoint.
type maintenance struct {
	clientv3.Maintenance
	pool *Pool
}

// Network makes the pool known to etcd.NewClient.
func (m maintenance) Network() etcd.Network { return m.pool }

// Status implements clientv3.Maintenance.
func (m maintenance) Status(ctx context.Context, endpoint string) (*clientv3.StatusResponse, error) {
	ctx, err := m.pool.pinTo(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	return m.Maintenance.Status(ctx, endpoint)
}

// HashKV implements clientv3.Maintenance.
func (m maintenance) HashKV(ctx context.Context, endpoint string, revision int64) (*clientv3.HashKVResponse, error) {
	ctx, err := m.pool.pinTo(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	return m.Maintenance.HashKV(ctx, endpoint, revision)
}

// Defragment implements clientv3.Maintenance.
func (m maintenance) Defragment(ctx context.Context, endpoint string) (*clientv3.DefragmentResponse, error) {
	ctx, err := m.pool.pinTo(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	return m.Maintenance.Defragment(ctx, endpoint)
}

// pinTo returns a context whose requests go to the endpoint with the URL.
func (p *Pool) pinTo(ctx context.Context, rawURL string) (context.Context, error) {
	for _, e := range p.endpoints {
		if e.url == rawURL {
			return withPin(ctx, pin{endpoint: e}), nil
		}
	}
	return nil, fmt.Errorf("%s is not an endpoint of this client", rawURL)
}

// warnOfProxy logs that a proxy of the environment is not used.
func (p *Pool) warnOfProxy() {
	for _, e := range p.endpoints {
		target, err := url.Parse(e.url)
		if err != nil {
			continue
		}
		proxy, err := http.ProxyFromEnvironment(&http.Request{URL: target})
		if err == nil && proxy != nil {
			p.opts.Logger.Info("etcd is connected directly; HTTP_PROXY and HTTPS_PROXY have no effect on it", "endpoint", e.url, "proxy", proxy.Redacted())
			return
		}
	}
}
